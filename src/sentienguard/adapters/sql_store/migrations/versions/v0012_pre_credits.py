"""Keep with an order whether the recovery after it counts for its playbook.

Only adds: a control plane of the release before runs beside it, judges nothing, and its recoveries
count as they did.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("counts", sa.Integer()))  # 1, 0; NULL: not judged
    op.add_column("orders", sa.Column("counts_because", sa.Text()))
    op.create_index("orders_of_incident", "orders", ["incident"])
