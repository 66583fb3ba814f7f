"""Let the next start seal the texts of decisions, alerts, log lines, messages and drafts.

Changes no text itself: whoever opens the database with a keeper of keys seals what is in the clear,
because no data key is known to have sealed everything any more. A decision's confidence, which is
asked for in SQL, gets a column of its own; a control plane of the release before leaves it empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Out of the JSON text. PostgreSQL reads no JSON with U+0000, as a log line may: there a pattern
# finds the first member of that name, which is the decision's own.
CONFIDENCE = {
    "sqlite": "json_extract(decision, '$.confidence.value')",
    "postgresql": r"""CAST(
        substring(decision from '"confidence":\{"value":([0-9.eE+-]+)') AS float8)""",
}


def upgrade() -> None:
    op.add_column("decisions", sa.Column("confidence", sa.Double()))
    confidence = CONFIDENCE[op.get_context().dialect.name].replace(":", r"\:")
    op.execute(sa.text(f"UPDATE decisions SET confidence = {confidence}"))  # noqa: S608  # of constants
    op.execute("UPDATE data_keys SET whole_us = NULL")
