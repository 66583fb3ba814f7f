"""Keep the learned baselines that control planes share.

Called through ports.profile_store. One statement decides which ones stay.
"""

from datetime import datetime

from sqlalchemy import text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.ports.profile_store import SharedProfiles

# Keep profiles of as many readings or more, or in place of outdated ones.
PUT = text("""
    INSERT INTO profiles (host, readings, learned_us, content)
    VALUES (:host, :readings, :learned_us, :content)
    ON CONFLICT (host) DO UPDATE SET
        readings = excluded.readings, learned_us = excluded.learned_us, content = excluded.content
    WHERE profiles.readings <= excluded.readings OR profiles.learned_us < :outdated_us
""")

# The profiles of a host.
GET = text("SELECT readings, learned_us, content FROM profiles WHERE host = :host")


class SqlProfileStore:
    """Profiles in the relational store; see ports.profile_store for what each method promises."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def put(self, host: str, profiles: SharedProfiles, *, outdated: datetime) -> bool:
        """Keep these, unless better ones are kept that were learned after `outdated`."""
        with self._connections.write() as transaction:
            changed = transaction.change(
                PUT,
                host=host,
                readings=profiles.readings,
                learned_us=codec.micros(profiles.learned_at),
                content=profiles.content,
                outdated_us=codec.micros(outdated),
            )
        return changed == 1

    def get(self, host: str) -> SharedProfiles | None:
        """Return those of a host."""
        with self._connections.read() as transaction:
            row = transaction.row(GET, host=host)
        if row is None:
            return None
        return SharedProfiles(row.readings, codec.instant(row.learned_us), bytes(row.content))
