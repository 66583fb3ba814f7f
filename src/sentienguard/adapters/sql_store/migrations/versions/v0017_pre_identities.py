"""Keep when an agent's certificate ends, why no order goes to it, and that it was struck off.

Only adds: a control plane of the release before runs beside it, renews no certificate and knows of
no quarantine. It goes on hearing who was struck off, so strike off after the last one was updated.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TIME = sa.BigInteger()


def upgrade() -> None:
    op.add_column("agents", sa.Column("certificate_ends_us", TIME))  # NULL: of an older release
    op.add_column("agents", sa.Column("quarantined", sa.Text()))  # why; NULL: orders go there
    op.add_column("agents", sa.Column("struck_off_us", TIME))  # NULL: its key is known
    op.add_column("agents", sa.Column("root_version", sa.Integer()))  # NULL: it never said
