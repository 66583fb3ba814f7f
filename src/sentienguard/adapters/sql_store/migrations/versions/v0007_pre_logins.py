"""Keep logins with rotating tokens, tokens that only read, and when roles end.

Only adds: a control plane of the release before runs beside it, with its own sessions. It knows no
auditors and answers them 503; it does not see that a role has an end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()


def upgrade() -> None:
    op.add_column("users", sa.Column("role_ends", TEXT))  # JSON; NULL: no role has an end
    op.create_table(
        "logins",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), nullable=False),
        sa.Column("opened_us", TIME, nullable=False),
        sa.Column("ends_us", TIME, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("strong_us", TIME),  # NULL: no second factor was shown
        sa.Column("ended_us", TIME),
        sa.Column("ended_because", TEXT),
    )
    op.create_index("logins_of_user", "logins", ["user_name"])
    op.create_index("logins_ending", "logins", ["ends_us"])
    op.create_table(
        "login_tokens",
        sa.Column("token_sha256", KEY, primary_key=True),
        sa.Column("login", KEY, sa.ForeignKey("logins.id"), nullable=False),
        sa.Column("purpose", TEXT, nullable=False),  # access or refresh
        sa.Column("expires_us", TIME, nullable=False),
        sa.Column("used_us", TIME),  # of a refresh token
    )
    op.create_index("login_tokens_of_login", "login_tokens", ["login"])
    op.create_index("login_tokens_expiring", "login_tokens", ["expires_us"])
    op.create_table(
        "read_tokens",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("token_sha256", KEY, nullable=False, unique=True),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("made_us", TIME, nullable=False),
        sa.Column("expires_us", TIME, nullable=False),
        sa.Column("revoked_us", TIME),
    )
