"""Keep what senders other than Alertmanager need: secrets of signatures, topology, log lines.

Only adds: a control plane of the release before runs beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("webhook_tokens", sa.Column("signing_secrets", TEXT))  # JSON list; NULL: none
    op.create_table(
        "service_edges",
        sa.Column("environment", KEY, primary_key=True),
        sa.Column("caller", KEY, primary_key=True),
        sa.Column("callee", KEY, primary_key=True),
        sa.Column("kind", KEY, primary_key=True),  # request, message, database
        sa.Column("first_seen_us", TIME, nullable=False),
        sa.Column("last_seen_us", TIME, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "outside_logs",
        sa.Column("id", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.Column("service", KEY, nullable=False),
        sa.Column("at_us", TIME, nullable=False),
        sa.Column("received_us", TIME, nullable=False),
        sa.Column("severity", KEY, nullable=False),
        sa.Column("text", TEXT, nullable=False),  # redacted before it came here
        sqlite_autoincrement=True,
    )
    op.create_index("outside_logs_of_host", "outside_logs", ["environment", "host", "at_us"])
    op.create_index("outside_logs_old", "outside_logs", ["received_us"])
