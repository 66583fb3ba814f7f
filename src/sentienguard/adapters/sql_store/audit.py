"""Keep the bytes of the audit log that several control planes share.

Called through ports.audit_storage. Rules:

1. Whoever appends locks the one row of `audit_head` until the commit, so that entries have one
   order. The primary key of an entry is its place: no place is ever given twice.
2. Entries are inserted and never changed. No statement here updates or deletes one.
3. A checkpoint is replaced by one of more entries, never of fewer, and never covers more than are
   committed with it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import text

from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import BLOB_SECRET
from sentienguard.model import errors
from sentienguard.ports.audit_storage import Blob, Head

# Begin the log, unless there is one.
CLAIM = text("""
    INSERT INTO audit_head (one, verifier_key, size, checkpoint_size) VALUES (1, :keys, 0, -1)
    ON CONFLICT (one) DO NOTHING
""")

# The keys of the log.
KEYS = text("SELECT verifier_key FROM audit_head")

# Its keys after one was named to follow.
PUT_KEYS = text("UPDATE audit_head SET verifier_key = :keys WHERE verifier_key = :before")

# Where the log ends.
HEAD = text("SELECT size, checkpoint, checkpoint_size FROM audit_head")

# The same, held against everybody else (SQLite lets one writer in anyway).
TAKE = text("SELECT size, checkpoint, checkpoint_size FROM audit_head FOR UPDATE")

# Put an entry in its place.
APPEND = text("INSERT INTO audit_entries (place, stored) VALUES (:place, :stored)")

# Move the end.
GROW = text("UPDATE audit_head SET size = :size WHERE size = :before")

# Entries in their order.
ENTRIES = text("""
    SELECT stored FROM audit_entries WHERE place >= :start AND place < :end ORDER BY place
""")

# Keep a newer checkpoint.
PUT_CHECKPOINT = text("""
    UPDATE audit_head SET checkpoint = :note, checkpoint_size = :size
    WHERE checkpoint_size < :size AND size >= :size
""")

# Cosigned checkpoints by their size.
COSIGNED = text("SELECT note FROM audit_cosigned ORDER BY size")

# The cosigned checkpoint of a size.
COSIGNED_AT = text("SELECT note FROM audit_cosigned WHERE size = :size")

# Keep a cosigned checkpoint.
COSIGN = text("""
    INSERT INTO audit_cosigned (size, note) VALUES (:size, :note)
    ON CONFLICT (size) DO UPDATE SET note = excluded.note
""")

# Drop all cosigned checkpoints but the biggest.
PRUNE = text("""
    DELETE FROM audit_cosigned
    WHERE size NOT IN (SELECT size FROM audit_cosigned ORDER BY size DESC LIMIT :keep)
""")

# Keep a blob; one that was erased comes back.
PUT_BLOB = text("""
    INSERT INTO audit_blobs (sha256, sealed, secret) VALUES (:sha256, :sealed, :secret)
    ON CONFLICT (sha256) DO UPDATE SET sealed = excluded.sealed, secret = excluded.secret
    WHERE audit_blobs.secret IS NULL
""")

# A blob.
BLOB = text("SELECT sealed, secret FROM audit_blobs WHERE sha256 = :sha256")

# Forget a blob's secret.
ERASE_BLOB = text("UPDATE audit_blobs SET secret = NULL WHERE sha256 = :sha256")


class _Turn:
    """One holder's turn."""

    def __init__(self, transaction: Transaction, head: Head) -> None:
        self._transaction = transaction
        self._head = head

    @property
    def head(self) -> Head:
        """Where the log ends."""
        return self._head

    def append(self, records: Sequence[bytes]) -> None:
        """Put records behind the end, once in a turn."""
        before = self._head.size
        rows = [
            {"place": before + offset, "stored": record} for offset, record in enumerate(records)
        ]
        self._transaction.connection.execute(APPEND, rows)
        if self._transaction.change(GROW, size=before + len(rows), before=before) != 1:
            raise errors.Broken(f"the audit log's end moved from {before} while we held it")


class SqlAuditStorage:
    """The log in the relational store; see ports.audit_storage for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def claim(self, verifier_keys: str) -> str:
        """Begin the log of these keys where there is none; return those of the log that is here."""
        with self._connections.write() as transaction:
            transaction.change(CLAIM, keys=verifier_keys)
            (row,) = transaction.rows(KEYS)
        return str(row.verifier_key)

    def verifier_keys(self) -> str | None:
        """Return the keys of the log that is here, if one was begun."""
        with self._connections.read() as transaction:
            row = transaction.row(KEYS)
        return None if row is None else str(row.verifier_key)

    def put_verifier_keys(self, before: str, verifier_keys: str) -> None:
        """Keep other keys of the same log, unless somebody changed them since `before`."""
        with self._connections.write() as transaction:
            transaction.change(PUT_KEYS, keys=verifier_keys, before=before)

    @contextmanager
    def turn(self) -> Iterator[_Turn]:
        """Take the turn; what was appended is durable when the block has ended without an error."""
        take = TAKE if self._connections.dialect == "postgresql" else HEAD
        with self._connections.write() as transaction:  # rule 1
            (row,) = transaction.rows(take)
            yield _Turn(transaction, Head(row.size, row.checkpoint, row.checkpoint_size))

    def head(self) -> Head:
        """Return where the log ends."""
        with self._connections.read() as transaction:
            (row,) = transaction.rows(HEAD)
        return Head(row.size, row.checkpoint, row.checkpoint_size)

    def entries(self, start: int, end: int) -> Sequence[bytes]:
        """Return stored entries start..end, the end left out; fewer where the log ends before."""
        with self._connections.read() as transaction:
            rows = transaction.rows(ENTRIES, start=start, end=end)
        return [bytes(row.stored) for row in rows]

    def put_checkpoint(self, size: int, note: str) -> None:
        """Keep a signed checkpoint, unless one of this size or more is kept."""
        with self._connections.write() as transaction:
            transaction.change(PUT_CHECKPOINT, size=size, note=note)  # rule 3

    def cosigned(self) -> Sequence[str]:
        """Return the cosigned checkpoints, by rising size."""
        with self._connections.read() as transaction:
            return tuple(row.note for row in transaction.rows(COSIGNED))

    def cosign(self, size: int, merge: Callable[[str | None], str], *, keep: int) -> str:
        """Replace the cosigned checkpoint of a size by what `merge` makes of it; return that."""
        with self.turn() as turn:  # one at a time, so that no cosignature is lost
            transaction = turn._transaction  # noqa: SLF001 - of this module
            row = transaction.row(COSIGNED_AT, size=size)
            merged = merge(None if row is None else row.note)
            transaction.change(COSIGN, size=size, note=merged)
            transaction.change(PRUNE, keep=keep)
        return merged

    def put_blob(self, sha256: str, blob: Blob) -> None:
        """Keep a blob, unless one with its secret is kept."""
        secret = blob.secret
        if secret is not None:
            secret = self._keys.seal(secret, BLOB_SECRET.place(sha256))
        with self._connections.write() as transaction:
            transaction.change(PUT_BLOB, sha256=sha256, sealed=blob.sealed, secret=secret)

    def blob(self, sha256: str) -> Blob | None:
        """Return a blob."""
        with self._connections.read() as transaction:
            row = transaction.row(BLOB, sha256=sha256)
        if row is None:
            return None
        if row.secret is None:
            return Blob(bytes(row.sealed), None)
        secret = self._keys.unseal(bytes(row.secret), BLOB_SECRET.place(sha256))
        return Blob(bytes(row.sealed), secret)

    def erase_blob(self, sha256: str) -> bool:
        """Forget the secret of a blob; False where there is no such blob."""
        with self._connections.write() as transaction:
            return transaction.change(ERASE_BLOB, sha256=sha256) > 0
