"""Run migrations on the connection of `database`, inside its transaction.

Called by Alembic. Rules for files below versions/:

1. `vNNNN_pre_WHAT.py` adds (tables, columns with a default, indexes). It runs when a database is
   opened and must leave the previous release working, because old replicas still run beside it.
2. `vNNNN_post_WHAT.py` removes or tightens. It is released one version after the last reader of
   what it removes, for the same reason.
3. A file that was released never changes again.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
