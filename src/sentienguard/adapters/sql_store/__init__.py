"""The relational store: incidents, orders, approvals, agents, users and switches.

Called by the composition roots (controlplane/app.py, cli), which open a database once and hand its
attributes to whatever asks for one of the ports. Runs on SQLite (one machine, the default) and on
PostgreSQL (several control planes over one database).

Rules:

1. One module per noun, offering one port. It holds its SQL as named constants with a sentence
   each; stores do not read one another's tables, but for `incident_figures`, which only counts.
2. Every method is one transaction, durable when it returns. What must happen once is decided by a
   key of the table or by a compare-and-set, never by a look before the write.
3. The same SQL runs on both engines. Where they have to differ, both branches stand side by side
   (`connections`, and the types and partial indexes of `migrations`). `vectors` is for PostgreSQL
   alone, where somebody asked for it.
4. Nested nouns are JSON text that `codec` wrote, and `codec` has read back before it is kept.
5. What the database reports is translated in `border`, in one place, with its cause.

To add a noun: its Protocol in ports, a module here, a migration, an attribute of `Database`, and
its cases in a tests/contract/stores_*_cases.py, which then run on both engines.
"""

from sentienguard.adapters.sql_store.database import Database, open_database

__all__ = ["Database", "open_database"]
