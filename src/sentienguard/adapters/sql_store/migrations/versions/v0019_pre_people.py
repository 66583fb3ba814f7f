"""Keep which pseudonym of the log is whose, with the key that shows it.

Only adds: a control plane of the release before runs beside it and writes names into the log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("name", sa.Text(), primary_key=True),  # empty: the key for strangers
        sa.Column("pseudonym", sa.Text(), nullable=False, unique=True),
        sa.Column("secret", sa.Text(), nullable=False),  # hex, sealed where a keeper is
        sa.Column("made_us", sa.BigInteger(), nullable=False),
    )
