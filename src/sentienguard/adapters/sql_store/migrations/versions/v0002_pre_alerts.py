"""Make the inbox of alerts from outside, and the tokens of those who may fill it.

Only adds: a control plane of the release before runs beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()
# Rows count up in the order in which they came. SQLite counts in INTEGER keys only.
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("fingerprint", KEY, nullable=False),  # of the labels
        sa.Column("starts_us", TIME, nullable=False),
        sa.Column("status", KEY, nullable=False),  # firing, resolved
        sa.Column("received_us", TIME, nullable=False),
        sa.Column("alert", TEXT, nullable=False),
        sa.Column("result", KEY),  # NULL: not processed yet
        sa.Column("incident", KEY),
        sa.UniqueConstraint(
            "environment", "fingerprint", "starts_us", "status", name="alerts_once"
        ),
        sqlite_autoincrement=True,  # a number that was given is never given again
    )
    waiting = sa.text("result IS NULL")
    op.create_index(
        "alerts_waiting", "alerts", ["id"], sqlite_where=waiting, postgresql_where=waiting
    )
    about = sa.text("incident IS NOT NULL")
    op.create_index(
        "alerts_of_incident", "alerts", ["incident"], sqlite_where=about, postgresql_where=about
    )
    op.create_table(
        "webhook_tokens",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("token_sha256", KEY, nullable=False, unique=True),
        sa.Column("purpose", KEY, nullable=False),  # which webhook it opens
        sa.Column("environment", KEY, nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("made_us", TIME, nullable=False),
        sa.Column("revoked_us", TIME),
    )
