"""Keep the data keys that seal secrets and personal values, wrapped by a key kept elsewhere.

A control plane of the release before cannot read what is sealed from now on: stop those first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("keeper", sa.Text(), nullable=False),  # name of the key that wrapped it
        sa.Column("wrapped", sa.Text(), nullable=False),  # base64
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.Column("whole_us", sa.BigInteger()),  # since when all rows are under it or a later one
    )
