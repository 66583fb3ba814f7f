"""Keep emergencies: who asked for which right, who agreed, and when it is over.

Only adds: a control plane of the release before runs beside it and knows of no emergency.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "emergencies",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("asked_us", TIME, nullable=False),
        sa.Column("expires_us", TIME, nullable=False),  # of the request, where nobody agrees
        sa.Column("agreed_by", TEXT),
        sa.Column("agreed_us", TIME),
        sa.Column("ends_us", TIME),  # NULL: nobody has agreed
        sa.Column("ended_by", TEXT),
        sa.Column("ended_us", TIME),  # NULL: nobody ended it early
    )
    op.create_index("emergencies_of_user", "emergencies", ["user_name", "ends_us"])
