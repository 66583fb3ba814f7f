"""Let the next start seal what people wrote, reports of orders and the workflows' records.

Changes no text itself: whoever opens the database with a keeper of keys seals what is in the clear,
because no data key is known to have sealed everything any more. How an order ended, which is asked
for in SQL, gets a column of its own; a control plane of the release before leaves it empty.

An emergency outlives the account of who asked for it, whose pseudonym takes the name's place: the
reference to the account goes, or nobody who ever asked for one could be forgotten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Out of the JSON text. PostgreSQL reads no JSON with U+0000, as an output may hold: there a pattern
# finds the first member of that name, which is the report's own: only our ids stand before it.
ENDED = {
    "sqlite": "json_extract(report, '$.outcome')",
    "postgresql": """substring(report from '"outcome":"([A-Z_]+)"')""",
}


def upgrade() -> None:
    op.add_column("orders", sa.Column("ended", sa.Text()))
    ended = ENDED[op.get_context().dialect.name].replace(":", r"\:")
    op.execute(sa.text(f"UPDATE orders SET ended = {ended} WHERE report IS NOT NULL"))  # noqa: S608  # of constants
    _let_emergencies_outlive_accounts()
    op.execute("UPDATE data_keys SET whole_us = NULL")


def _let_emergencies_outlive_accounts() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint("emergencies_user_name_fkey", "emergencies", type_="foreignkey")
        return
    # SQLite names no constraint and changes none: the table is copied.
    names = {"fk": "fk_%(table_name)s_%(column_0_name)s"}
    with op.batch_alter_table("emergencies", naming_convention=names) as table:
        table.drop_constraint("fk_emergencies_user_name", type_="foreignkey")
