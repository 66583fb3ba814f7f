"""Keep which accounts belong to people of an identity provider.

Only adds: a control plane of the release before runs beside it and knows these accounts as ones
that no password opens.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "outside_people",
        sa.Column("issuer", KEY, primary_key=True),
        sa.Column("subject", KEY, primary_key=True),
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), nullable=False, unique=True),
    )
