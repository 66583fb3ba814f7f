"""Keep each person's yes, and what a yes releases.

Only adds: a control plane of the release before runs beside it, asks one person and no signature.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()


def upgrade() -> None:
    op.add_column("approvals", sa.Column("parameters", TEXT))  # JSON; NULL: of an older release
    op.add_column("approvals", sa.Column("needed", sa.Integer()))
    op.add_column("approvals", sa.Column("signed", sa.Integer()))
    op.create_table(
        "approval_agreements",
        sa.Column("approval", KEY, sa.ForeignKey("approvals.id"), primary_key=True),
        sa.Column("person", KEY, primary_key=True),
        sa.Column("at_us", TIME, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("signature", TEXT),  # JSON
    )
