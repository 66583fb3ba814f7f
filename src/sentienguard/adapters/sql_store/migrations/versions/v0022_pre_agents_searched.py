"""Keep what people look for in an agent beside it, so that lists of hosts are narrowed in SQL.

Only adds: a control plane of the release before leaves the column empty.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

FILL = sa.text("UPDATE agents SET search = :search WHERE id = :id")


def upgrade() -> None:
    op.add_column("agents", sa.Column("search", sa.Text()))  # case-folded
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, host, environment, tags FROM agents")).all()
    filled = [{"id": one.id, "search": _searched(one)} for one in rows]
    if filled:
        connection.execute(FILL, filled)


def _searched(row: sa.Row[tuple[str, str, str, str]]) -> str:
    tags = (f"{name}={value}" for name, value in json.loads(row.tags).items())
    return " ".join((row.host, row.environment, *tags)).casefold()
