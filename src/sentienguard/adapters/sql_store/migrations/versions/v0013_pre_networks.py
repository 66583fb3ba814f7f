"""Keep from which networks people's logins came, to notice a new one.

Only adds: a control plane of the release before runs beside it and notices none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "login_networks",
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), primary_key=True),
        sa.Column("network", KEY, primary_key=True),
        sa.Column("last_us", TIME, nullable=False),
    )
