"""Make the first tables.

Times are microseconds since 1970 in UTC (`*_us`). Keys compare byte by byte on both engines, so
that the order of a list does not depend on the server's locale.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # SQLite: BINARY by itself
TEXT = sa.Text()
TIME = sa.BigInteger()
NUMBER = sa.BigInteger()


def upgrade() -> None:
    _incidents()
    _episodes()
    _orders()
    _approvals()
    _agents()
    _users()
    _switches()


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("agent", KEY, nullable=False),
        sa.Column("host", KEY, nullable=False),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("tags", TEXT, nullable=False),
        sa.Column("fingerprint", KEY, nullable=False),
        sa.Column("anomaly", TEXT, nullable=False),
        sa.Column("opened_us", TIME, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("outcome", KEY),
        sa.Column("closed_us", TIME),
        sa.Column("summary", TEXT, nullable=False),
        sa.Column("earlier", TEXT, nullable=False),
        sa.Column("search", TEXT, nullable=False),  # what people look for, case-folded
        sa.CheckConstraint(
            "(status = 'CLOSED') = (outcome IS NOT NULL)"
            " AND (status = 'CLOSED') = (closed_us IS NOT NULL)",
            name="incidents_end_is_complete",
        ),
    )
    still_open = sa.text("status <> 'CLOSED'")
    op.create_index(
        "incidents_one_open_per_symptom",
        "incidents",
        ["agent", "fingerprint"],
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_index(
        "incidents_unfinished",
        "incidents",
        ["opened_us", "id"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_index("incidents_earlier", "incidents", ["agent", "fingerprint", "opened_us"])
    op.create_index("incidents_newest", "incidents", ["opened_us", "id"])
    for column in ("status", "outcome", "environment", "host"):  # one for each filter of a list
        op.create_index(f"incidents_by_{column}", "incidents", [column, "opened_us", "id"])

    op.create_table(
        "decisions",
        sa.Column("incident", KEY, sa.ForeignKey("incidents.id"), primary_key=True),
        sa.Column("playbook", KEY),
        sa.Column("decision", TEXT, nullable=False),
    )
    op.create_index("decisions_by_playbook", "decisions", ["playbook", "incident"])


def _episodes() -> None:
    op.create_table(
        "episodes",
        sa.Column("incident", KEY, primary_key=True),
        sa.Column("agent", KEY, nullable=False),
        sa.Column("fingerprint", KEY, nullable=False),
        sa.Column("started_us", TIME, nullable=False),
        sa.Column("cleared_us", TIME),
        sa.Column("sample", TEXT, nullable=False),
    )
    standing = sa.text("cleared_us IS NULL")
    op.create_index(
        "episodes_standing",
        "episodes",
        ["agent"],
        sqlite_where=standing,
        postgresql_where=standing,
    )
    op.create_table(
        "detector_states",
        sa.Column("agent", KEY, primary_key=True),
        sa.Column("state", TEXT, nullable=False),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("incident", KEY, nullable=False),
        sa.Column("agent", KEY, nullable=False),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("playbook", KEY, nullable=False),  # digest of the playbook's bytes
        sa.Column("order_json", TEXT, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("released_us", TIME, nullable=False),
        sa.Column("delivered_us", TIME),
        sa.Column("refused_because", TEXT),
        sa.Column("report", TEXT),
        sa.Column("stop_requested_by", TEXT),
    )
    op.create_index("orders_of_agent_by_status", "orders", ["agent", "status", "released_us"])
    op.create_index("orders_of_agent", "orders", ["agent", "released_us"])
    op.create_index("orders_of_playbook", "orders", ["playbook", "environment", "released_us"])
    op.create_index("orders_of_environment", "orders", ["environment", "released_us"])
    op.create_table(
        "order_numbers",  # the last message number given to each agent
        sa.Column("agent", KEY, primary_key=True),
        sa.Column("last", NUMBER, nullable=False),
    )


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("incident", KEY, nullable=False),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("playbook", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("question", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("opened_us", TIME, nullable=False),
        sa.Column("expires_us", TIME, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("decided_by", TEXT),
        sa.Column("decided_us", TIME),
        sa.Column("note", TEXT, nullable=False),
    )
    op.create_index("approvals_of_incident", "approvals", ["incident", "opened_us", "id"])
    op.create_index("approvals_newest", "approvals", ["opened_us", "id"])
    op.create_index("approvals_by_status", "approvals", ["status", "opened_us", "id"])


def _agents() -> None:
    op.create_table(
        "agents",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("host", KEY, nullable=False),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("tags", TEXT, nullable=False),
        sa.Column("tls_pin", KEY, nullable=False, unique=True),
        sa.Column("executor_key", KEY, nullable=False),
        sa.Column("enrolled_us", TIME, nullable=False),
        sa.Column("last_seen_us", TIME),
        sa.Column("last_seq", NUMBER, nullable=False),
        sa.Column("events_through", NUMBER, nullable=False),
    )
    op.create_table(
        "join_tokens",
        sa.Column("token_sha256", KEY, primary_key=True),
        sa.Column("environment", KEY, nullable=False),
        sa.Column("host", KEY),  # NULL: any host
        sa.Column("expires_us", TIME, nullable=False),
        sa.Column("used_us", TIME),
        sa.Column("used_by_host", KEY),
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("name", KEY, primary_key=True),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.Column("roles", TEXT, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", KEY, primary_key=True),
        sa.Column("user_name", KEY, sa.ForeignKey("users.name"), nullable=False),
        sa.Column("opened_us", TIME, nullable=False),
        sa.Column("expires_us", TIME, nullable=False),
    )
    op.create_index("sessions_of_user", "sessions", ["user_name"])
    op.create_index("sessions_expiring", "sessions", ["expires_us"])


def _switches() -> None:
    op.create_table(
        "kill_switch",  # one row while the freeze stands, none otherwise
        sa.Column("one", sa.Integer(), sa.CheckConstraint("one = 1"), primary_key=True),
        sa.Column("set_by", TEXT, nullable=False),
        sa.Column("set_us", TIME, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
    )
    op.create_table(
        "silences",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("host_pattern", TEXT, nullable=False),
        sa.Column("metric_pattern", TEXT, nullable=False),
        sa.Column("starts_us", TIME, nullable=False),
        sa.Column("ends_us", TIME, nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
    )
    op.create_index("silences_ending", "silences", ["ends_us"])
