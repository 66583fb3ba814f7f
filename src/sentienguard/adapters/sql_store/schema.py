"""What schema a database has, without changing anything: for people who ask before they start.

Called by `sentienguard doctor`. The control plane itself migrates when it opens the database.
"""

from dataclasses import dataclass

import alembic.config
import alembic.script
import sqlalchemy

from sentienguard.adapters.sql_store import database
from sentienguard.adapters.sql_store.connections import Connections


@dataclass(frozen=True, slots=True)
class Schema:
    """Where a database stands among the migrations of this release."""

    place: str  # the database, without its password
    found: str  # its revision; empty: no tables of ours yet
    newest: str  # revision of this release
    ahead: bool  # a newer release wrote it


def look(url: str) -> Schema:
    """Return the schema of a database. Raises Rejected (URL), Unavailable, Broken."""
    settings = alembic.config.Config()
    settings.set_main_option("script_location", str(database.MIGRATIONS).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    known = alembic.script.ScriptDirectory.from_config(settings)
    connections = Connections(url)
    try:
        with connections.read() as transaction:
            tables = sqlalchemy.inspect(transaction.connection).get_table_names()
            row = transaction.row(database.REVISION) if "alembic_version" in tables else None
    finally:
        connections.close()
    found = "" if row is None else str(row[0])
    revisions = {one.revision for one in known.walk_revisions()}
    return Schema(
        place=connections.place,
        found=found,
        newest=str(known.get_current_head()),
        ahead=bool(found) and found not in revisions,
    )
