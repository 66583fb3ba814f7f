"""Make the tables that control planes share: who they are, their log, what they learned."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # SQLite: BINARY by itself
TEXT = sa.Text()
NUMBER = sa.BigInteger()
BYTES = sa.LargeBinary()
MOMENT = sa.DateTime(timezone=True)  # by the server's clock, for people


def upgrade() -> None:
    _replicas()
    _audit()
    _profiles()


def _replicas() -> None:
    op.create_table(
        "replicas",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("id", KEY, nullable=False, unique=True),  # of one run of a process
        sa.Column("name", KEY, nullable=False),  # of its data directory
        sa.Column("log", KEY, nullable=False),  # where its audit log lies: files or database
        sa.Column("beats", NUMBER, nullable=False),
        sa.Column("joined", MOMENT, nullable=False),
        sa.Column("fenced", MOMENT),  # NULL: it may write
        sa.Column("fenced_by", KEY),
    )


def _audit() -> None:
    op.create_table(
        "audit_head",  # one row; whoever appends locks it
        sa.Column("one", sa.Integer(), sa.CheckConstraint("one = 1"), primary_key=True),
        sa.Column("verifier_key", TEXT, nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.Column("checkpoint", TEXT),
        sa.Column("checkpoint_size", NUMBER, nullable=False),  # -1: none was signed
        sa.CheckConstraint("checkpoint_size <= size", name="audit_head_signs_what_is_there"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("place", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("stored", BYTES, nullable=False),
    )
    op.create_table(
        "audit_cosigned",
        sa.Column("size", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("note", TEXT, nullable=False),
    )
    op.create_table(
        "audit_blobs",
        sa.Column("sha256", KEY, primary_key=True),
        sa.Column("sealed", BYTES, nullable=False),
        sa.Column("secret", BYTES),  # NULL: erased
    )


def _profiles() -> None:
    op.create_table(
        "profiles",
        sa.Column("host", KEY, primary_key=True),
        sa.Column("readings", NUMBER, nullable=False),
        sa.Column("learned_us", NUMBER, nullable=False),
        sa.Column("content", BYTES, nullable=False),
    )
