"""Keep what silences and maintenance match and when they recur, and how people handle incidents.

Only adds: a control plane of the release before runs beside it. It reads a new silence as one whose
patterns match nothing, so it opens incidents that this release would not.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TEXT = sa.Text()
TIME = sa.BigInteger()


def upgrade() -> None:
    op.add_column("silences", sa.Column("purpose", TEXT))  # NULL: silence
    op.add_column("silences", sa.Column("matchers", TEXT))  # JSON; NULL: the two patterns count
    op.add_column("silences", sa.Column("cron", TEXT))  # NULL: it does not recur
    op.add_column("silences", sa.Column("zone", TEXT))
    op.add_column("silences", sa.Column("lasts_s", sa.BigInteger()))
    op.add_column("alerts", sa.Column("sender", TEXT))  # NULL: kept by an earlier release
    is_silenced = sa.text("result = 'silenced'")
    op.create_index(
        "alerts_silenced", "alerts", ["id"], sqlite_where=is_silenced, postgresql_where=is_silenced
    )
    op.create_table(
        "incident_care",
        sa.Column("incident", KEY, primary_key=True),
        sa.Column("acknowledged_by", TEXT),
        sa.Column("acknowledged_us", TIME),
        sa.Column("assigned_to", TEXT),
        sa.Column("assigned_by", TEXT),
        sa.Column("assigned_us", TIME),
        sa.Column("settled_by", TEXT),
        sa.Column("settled_us", TIME),
        sa.Column("settled_because", TEXT),
    )
    op.add_column("incidents", sa.Column("reopens", KEY))  # NULL: it was not reopened
    op.create_index("incidents_reopens", "incidents", ["reopens"])
