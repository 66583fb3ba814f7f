"""Keep what people are going to be told, how far the log was read for it, and who is who in chats.

Only adds: a control plane of the release before runs beside it and tells nobody anything.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("channel", KEY, nullable=False),
        sa.Column("incident", KEY, nullable=False),  # empty: about none
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("notice", TEXT, nullable=False),  # JSON
        sa.Column("made_us", TIME, nullable=False),
        sa.Column("due_us", TIME, nullable=False),
        sa.Column("unanswered", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("claimed_us", TIME, nullable=False),  # another has it until then
        sa.Column("reference", TEXT, nullable=False),
        sa.Column("problem", TEXT, nullable=False),
        sa.Column("ended_us", TIME),
    )
    waiting = sa.text("status = 'waiting'")
    op.create_index(
        "outbox_due", "outbox", ["due_us"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_index("outbox_thread", "outbox", ["channel", "incident", "ended_us"])
    op.create_index("outbox_made", "outbox", ["made_us"])
    op.create_table(
        "outbox_position",
        sa.Column("one", sa.Integer(), primary_key=True),  # always 1
        sa.Column("next", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "chat_identities",
        sa.Column("service", KEY, primary_key=True),
        sa.Column("team", KEY, primary_key=True),
        sa.Column("person", KEY, primary_key=True),
        sa.Column("account", KEY, nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("made_us", TIME, nullable=False),
    )
