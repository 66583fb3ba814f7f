"""Keep who shares this database, and fence whoever is gone. PostgreSQL only.

Called through ports.replicas. Rules:

1. Every write of a replica begins with its own row, unfenced, locked FOR KEY SHARE until the write
   is committed (`may_write`). Fencing locks the row FOR UPDATE, which waits for these and keeps new
   ones waiting, and they then find the row fenced. So no effect comes after the fence.
2. Only the beat that was seen is fenced: a replica that beat meanwhile keeps its place.
3. A row that is fenced never changes again; one that is missing counts as fenced.
4. A replica holds an advisory lock in a session of its own. A process that is killed loses it at
   once, long before its beats are missed. The lock proves nothing else: a frozen one keeps it.
"""

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import text

from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.model import errors
from sentienguard.ports.replicas import Peer, TakenOver

PRESENCE = 7311806  # first half of the key of each replica's advisory lock; arbitrary, ours alone
KEPT = "7 days"  # fenced rows, once their work was taken; rule 3 makes their loss harmless

# This replica stands; the lock lasts until the transaction ends.
MAY_WRITE = text("SELECT 1 FROM replicas WHERE id = :id AND fenced IS NULL FOR KEY SHARE")

# Enter a replica and return its number, the second half of its lock's key.
JOIN = text("""
    INSERT INTO replicas (id, name, log, beats, joined) VALUES (:id, :name, :log, 0, now())
    RETURNING number
""")

# Earlier runs of the same data directory, locked against their writes.
EARLIER = text("""
    SELECT id FROM replicas WHERE name = :name AND id <> :id AND fenced IS NULL FOR UPDATE
""")

# A peer as it was seen, locked against its writes.
SEEN = text("""
    SELECT id FROM replicas WHERE id = :peer AND beats = :beats AND fenced IS NULL FOR UPDATE
""")

# Fence a row that is locked.
FENCE = text("UPDATE replicas SET fenced = now(), fenced_by = :by WHERE id = :id")

# Live on.
BEAT = text("UPDATE replicas SET beats = beats + 1 WHERE id = :id AND fenced IS NULL")

# The others, and whether their session stands.
PEERS = text("""
    SELECT replicas.id, name, log, beats, EXISTS (
        SELECT 1 FROM pg_locks
        WHERE locktype = 'advisory' AND granted
            AND classid = :presence AND objid = replicas.number
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS present
    FROM replicas WHERE fenced IS NULL AND replicas.id <> :id ORDER BY number
""")

# Whose work belongs to others.
FENCED = text("SELECT id FROM replicas WHERE fenced IS NOT NULL ORDER BY number")

# Forget what was fenced long ago.
FORGET = text(f"DELETE FROM replicas WHERE fenced < now() - interval '{KEPT}'")  # noqa: S608 - ours


class SqlReplicas:
    """The replicas of this database; see ports.replicas for what each method promises."""

    def __init__(self, connections: Connections, id: str) -> None:  # noqa: A002 - the port's word
        self._connections = connections
        self._id = id
        self._number = 0
        self._presence: psycopg.Connection[tuple[Any, ...]] | None = None
        self._turn = threading.Lock()  # of the presence session

    @property
    def id(self) -> str:
        """The id of this run, unlike that of any other."""
        return self._id

    def join(self, name: str, *, log: str) -> None:
        """Enter this replica, and fence any earlier run of the same name. Raises Rejected."""
        with self._connections.write() as transaction:
            for peer in transaction.rows(PEERS, id=self._id, presence=PRESENCE):
                if peer.present and peer.name != name and "files" in {log, peer.log}:
                    raise errors.Rejected(
                        f"control plane {peer.name} runs on this database already, and one of the "
                        "two keeps its audit log in files of its own: set audit_log to `database` "
                        "for both, so that there is one log"
                    )
            row = transaction.row(JOIN, id=self._id, name=name, log=log)
            for earlier in transaction.rows(EARLIER, name=name, id=self._id):
                transaction.change(FENCE, id=earlier.id, by=self._id)
        if row is None:
            raise errors.Broken(f"replica {self._id}: the database gave it no number")
        self._number = row.number
        self._appear()
        self._connections.guard(self._may_write)

    def beat(self) -> Sequence[Peer]:
        """Say that this replica lives and return the others. Raises TakenOver where fenced."""
        self._appear()
        with self._connections.write() as transaction:  # rule 1 raises TakenOver
            transaction.change(BEAT, id=self._id)
            found = transaction.rows(PEERS, id=self._id, presence=PRESENCE)
        return tuple(Peer(row.id, row.name, row.beats, present=row.present) for row in found)

    def require(self) -> None:
        """Raises TakenOver where this replica is fenced."""
        with self._connections.write():
            pass

    def fence(self, peer: Peer) -> bool:
        """Take the place of a peer that has not beaten since; False where it has, or is gone."""
        with self._connections.write() as transaction:
            if transaction.row(SEEN, peer=peer.id, beats=peer.beats) is None:
                return False
            transaction.change(FENCE, id=peer.id, by=self._id)
        return True

    def fenced(self) -> Sequence[str]:
        """Return the ids of fenced replicas, whose work belongs to the others."""
        with self._connections.read() as transaction:
            return tuple(row.id for row in transaction.rows(FENCED))

    def forget(self) -> None:
        """Drop what was fenced long ago; only after the work of all fenced ones was taken."""
        with self._connections.write() as transaction:
            transaction.change(FORGET)

    def leave(self) -> None:
        """Give up the place in good order: fence this replica itself, unless somebody did."""
        try:
            with contextlib.suppress(TakenOver), self._connections.write() as transaction:
                transaction.change(FENCE, id=self._id, by=self._id)
        finally:
            with self._turn:
                if self._presence is not None:
                    self._presence.close()

    def _may_write(self, transaction: Transaction) -> None:  # rule 1
        if transaction.row(MAY_WRITE, id=self._id) is None:
            raise TakenOver(
                f"replica {self._id} was silent and another one took its place; nothing was "
                "written, and this process ends: start it again"
            )

    def _appear(self) -> None:  # rule 4
        with self._turn:
            if self._presence is not None:
                with contextlib.suppress(psycopg.Error):
                    self._presence.execute("SELECT 1")
                    return
                self._presence.close()
                self._presence = None
            session = self._connections.session()
            found = session.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", (PRESENCE, self._number)
            ).fetchone()
            if found == (True,):
                self._presence = session
            else:  # the server has not noticed yet that our last session is gone: at the next beat
                session.close()
