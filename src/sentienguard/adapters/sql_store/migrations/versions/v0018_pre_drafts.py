"""Keep drafts of playbooks, and what proofs on pretended hosts showed.

Only adds: a control plane of the release before runs beside it and knows of no draft.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "playbook_drafts",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("name", KEY, nullable=False),
        sa.Column("base", TEXT, nullable=False),  # a digest; empty: from nothing
        sa.Column("body", TEXT, nullable=False),
        sa.Column("sim_case", TEXT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("made_us", TIME, nullable=False),
        sa.Column("changed_by", TEXT, nullable=False),
        sa.Column("changed_us", TIME, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("ended_by", TEXT, nullable=False),  # empty: it is open
        sa.Column("ended_us", TIME),  # NULL: it is open
    )
    op.create_table(
        "playbook_proofs",
        sa.Column("digest", KEY, primary_key=True),
        sa.Column("case_digest", KEY, primary_key=True),
        sa.Column("at_us", TIME, nullable=False),
        sa.Column("asked_by", TEXT, nullable=False),
        sa.Column("release", TEXT, nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("report", TEXT, nullable=False),
    )
