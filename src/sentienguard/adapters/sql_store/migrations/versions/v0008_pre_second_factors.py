"""Keep second factors of people, recovery codes, and what is under way with them.

Only adds: a control plane of the release before runs beside it and asks for no second factor.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()


def upgrade() -> None:
    op.create_table(
        "factors",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), nullable=False),
        sa.Column("way", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("made_us", TIME, nullable=False),
        sa.Column("secret", TEXT, nullable=False),  # hex
        sa.Column("credential", KEY, unique=True),  # hex; NULL: not a passkey
        sa.Column("party", TEXT, nullable=False),
        sa.Column("used_through", sa.BigInteger(), nullable=False),
    )
    op.create_index("factors_of_user", "factors", ["user_name"])
    op.create_table(
        "recovery_codes",
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), primary_key=True),
        sa.Column("code_sha256", KEY, primary_key=True),
        sa.Column("used_us", TIME),
    )
    op.create_table(
        "tickets",
        sa.Column("secret_sha256", KEY, primary_key=True),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), nullable=False),
        sa.Column("challenge", TEXT, nullable=False),  # hex
        sa.Column("about", TEXT, nullable=False),
        sa.Column("expires_us", TIME, nullable=False),
    )
    op.create_index("tickets_expiring", "tickets", ["expires_us"])
    op.create_table(
        "second_failures",
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_us", TIME),  # NULL: answers count
    )
