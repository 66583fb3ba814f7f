"""Keep what was changed in an environment, and find log lines by their time.

Only adds: a control plane of the release before runs beside it and looks at neither.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("environment", KEY, primary_key=True),
        sa.Column("id", KEY, primary_key=True),
        sa.Column("at_us", TIME, nullable=False),
        sa.Column("received_us", TIME, nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("summary", TEXT, nullable=False),  # redacted before it came here
    )
    op.create_index("changes_by_time", "changes", ["environment", "at_us"])
    op.create_index("outside_logs_by_time", "outside_logs", ["environment", "at_us"])
