"""The log that everybody appends to: one writer thread, group commit, a publisher behind it.

Called by the control plane's composition root, which gives it the rules (ports.audit_ledger). Any
thread may call any method. The writer takes whatever waits as one batch, lets the ledger judge each
entry, writes and syncs once, and answers. The publisher follows within CHECKPOINT_WITHIN_S: tiles
first, then the signed checkpoint that needs them.
"""

import contextlib
import errno
import os
import pathlib
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from sentienguard.adapters import audit_writer
from sentienguard.adapters.audit_files import blobs as blob_files
from sentienguard.adapters.audit_files import cosigned, store, tiles
from sentienguard.adapters.audit_files import disk as disks
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_ledger, audit_log, sealing

CHECKPOINT_WITHIN_S: Final = (
    0.25  # after an append; leaves 0.75 s of the promised second to the disk
)
_CLOSE_S: Final = 30.0  # how long a hanging disk may hold up `close`


class AuditFiles(audit_log.AuditLog):
    """The audit log in one directory. A context manager: leaving it closes the log."""

    def __init__(
        self,
        directory: pathlib.Path,
        ledger: audit_ledger.AuditLedger,
        *,
        disk: disks.Disk | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        sealer: sealing.Sealer | None = None,
    ) -> None:
        """Open or begin a log; `ledger` is fresh and belongs to this log from now on.

        `sealer` seals the keys of blobs; None keeps them in the clear, for tools and tests.

        Raises AuditUnavailable (locked by another process), AuditBroken (damage; another log's
        directory).
        """
        self._directory = directory
        self._disk = disk or disks.Disk()
        self._ledger = ledger
        self._state = threading.Lock()  # ledger, durable size
        self._publishing = threading.Lock()  # one publication at a time; taken before _state
        self._due = threading.Event()  # something durable waits for a checkpoint
        self._stopping = threading.Event()
        self._writer = audit_writer.Writer(self._commit, "disk")
        self._store = store.Store(directory, self._disk)
        try:
            self._tiles = tiles.Tiles(directory / "tile", self._disk)
            self._blobs = blob_files.Blobs(directory, self._disk, entropy, sealer)
            self._checkpoint = self._recover()
        except OSError as error:
            self._store.close()
            raise audit_log.AuditBroken(f"{directory}: cannot be opened: {error}") from error
        except BaseException:
            self._store.close()
            raise
        self._durable = self._published = len(self._store)
        self._cosigned = cosigned.Cosigned(directory / "cosigned", self._disk, ledger, _text)
        self._publisher = threading.Thread(
            target=self._publish_often, name="audit-publisher", daemon=True
        )
        self._writer.start()
        self._publisher.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what waits, publish the last checkpoint, release the directory. Twice is fine."""
        first = self._writer.close()
        self._stopping.set()
        self._due.set()
        if not first:
            return
        written = self._writer.ended(_CLOSE_S)
        self._publisher.join(_CLOSE_S)
        if not written or self._publisher.is_alive():
            raise audit_log.AuditBroken(f"{self._directory}: the disk hangs; its files stay open")
        with contextlib.suppress(audit_log.AuditBroken):
            self._publish()
        self._write_cosigned()
        self._store.close()

    # --- appending -----------------------------------------------------------------------------

    def append(self, entry: audit_log.Entry) -> audit_log.Appended:
        """Write one entry and return when it is durable.

        Raises EntryRefused (SourceGap, SourceForked), AuditUnavailable, AuditBroken.
        """
        return self._writer.append(entry)

    def append_many(self, entries: Sequence[audit_log.Entry]) -> Sequence[audit_writer.Outcome]:
        """Write entries in order and return when all are durable: one answer for each.

        A refused entry is answered with its error and hinders no other one. Raises
        AuditUnavailable, AuditBroken.
        """
        return self._writer.append_many(entries)

    def _commit(self, batch: Sequence[audit_writer.Ticket]) -> None:
        """Make a batch durable. Raises AuditBroken: a write that failed is never tried again."""
        try:
            with self._state:
                records = audit_writer.judged(batch, self._ledger)
            if records:
                self._store.append(records)
            self._durable += len(records)
        except OSError as error:
            raise self._break(_explained(error)) from error
        except Exception as error:  # whatever it is, nobody may be told "durable"
            why = f"the rules of the audit log failed on an entry: {error!r}"
            raise self._break(why) from error
        finally:
            self._due.set()

    def _break(self, why: str) -> errors.SentienGuardError:
        return self._writer.break_off(audit_log.AuditBroken(why))

    # --- publishing ----------------------------------------------------------------------------

    def checkpoint(self) -> str:
        """Return the newest signed checkpoint, at most a second behind the last append."""
        return self._checkpoint

    def _publish_often(self) -> None:
        while not self._stopping.is_set() and self._writer.broken is None:
            self._due.wait()
            self._due.clear()
            self._stopping.wait(CHECKPOINT_WITHIN_S)
            with contextlib.suppress(audit_log.AuditBroken):
                self._publish()
            self._write_cosigned()

    def _publish(self) -> None:
        """Sign what is durable: tiles first, then the checkpoint. Raises AuditBroken."""
        with self._publishing:
            if (broken := self._writer.broken) is not None:
                raise broken
            old = self._published
            with self._state:
                new = self._durable
                note = self._ledger.sign(new)
            if new == old:
                return
            try:
                self._tiles.extend(old, new, self._row, self._stored)
                self._disk.replace(self._directory / "checkpoint", note.encode())
                self._tiles.drop_partial(old, new)
            except OSError as error:
                raise self._break(_explained(error)) from error
            self._checkpoint, self._published = note, new

    def _row(self, height: int, start: int, count: int) -> bytes:
        with self._state:
            return self._ledger.row(height, start, count)

    def _stored(self, start: int, end: int) -> list[bytes]:
        return [self._store.read(index) for index in range(start, end)]

    # --- reading -------------------------------------------------------------------------------

    def size(self) -> int:
        """Return how many entries are durable."""
        return self._durable

    def entry(self, index: int) -> audit_log.StoredEntry:
        """Return one entry. Raises NoSuchEntry."""
        if not 0 <= index < self._durable:
            raise audit_log.NoSuchEntry(f"the log has {self._durable} entries, none at {index}")
        return audit_log.StoredEntry(index, self._store.read(index))

    def entries(self, start: int, end: int) -> Sequence[audit_log.StoredEntry]:
        """Return entries start..end, the end left out and cut to what is durable."""
        found = range(max(start, 0), min(end, self._durable))
        return [audit_log.StoredEntry(index, self._store.read(index)) for index in found]

    def by_incident(self, incident: IncidentId) -> Sequence[audit_log.StoredEntry]:
        """Return what is known of an incident, oldest first."""
        with self._state:
            indices = [one for one in self._ledger.of_incident(incident) if one < self._durable]
        return [audit_log.StoredEntry(index, self._store.read(index)) for index in indices]

    def prove(self, index: int) -> audit_log.Proof:
        """Prove that an entry is in the log, by a checkpoint that covers it. Raises NoSuchEntry."""
        self.entry(index)
        if index >= self._published:
            self._publish()
        with self._publishing, self._state:
            return audit_log.Proof(
                index=index,
                size=self._published,
                leaf_hash=self._ledger.leaf_hash(index),
                hashes=tuple(self._ledger.inclusion(index, self._published)),
                checkpoint=self._checkpoint,
            )

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """Return the proof that the log of `old` entries grew into that of `new`.

        Raises NoSuchEntry where the log has no such size.
        """
        with self._state:
            if not 0 <= old <= new <= self._durable:
                raise audit_log.NoSuchEntry(
                    f"the log grew from 0 to {self._durable}, not from {old} to {new}"
                )
            return self._ledger.consistency(old, new)

    # --- witnesses -----------------------------------------------------------------------------

    def add_cosignature(self, note: str) -> int:
        """Keep a cosigned checkpoint; return how many witnesses cosigned that size so far.

        Raises EntryRefused for a note that is not one of ours or has no valid cosignature.
        """
        with self._state:
            size = self._ledger.recognise(note)
            if size > self._durable:
                raise audit_log.EntryRefused(f"checkpoint of size {size}: that is not durable yet")
            witnesses = self._ledger.cosigned_by(note)
            if not witnesses:
                raise audit_log.EntryRefused(
                    f"checkpoint of size {size}: no known witness validly signed it"
                )
            self._due.set()  # the publisher writes it
            return self._cosigned.add(size, note, witnesses)

    def _write_cosigned(self) -> None:
        """Bring the files of cosigned checkpoints up to what was said since the last time."""
        with self._state:
            taken = self._cosigned.take()
        with contextlib.suppress(OSError):  # they follow with the next that is said
            self._cosigned.write(taken)

    def cosigned(self) -> str | None:
        """Return the newest checkpoint that witnesses cosigned, with their signatures."""
        return self._cosigned.newest

    # --- blobs ---------------------------------------------------------------------------------

    def put_blob(self, plain: bytes, media_type: str) -> audit_log.BlobRef:
        """Keep bytes, durably, under their digest. Raises AuditUnavailable, AuditBroken."""
        self._writer.require_open()
        return self._blobs.put(plain, media_type)

    def get_blob(self, sha256: str) -> bytes:
        """Return kept bytes. Raises NoSuchBlob, BlobErased, AuditBroken."""
        return self._blobs.get(sha256)

    def erase_blob(self, sha256: str) -> None:
        """Destroy the key of a blob for good; proofs stay valid. Raises NoSuchBlob."""
        self._blobs.erase(sha256)

    # --- opening -------------------------------------------------------------------------------

    def _recover(self) -> str:
        """Replay what is stored and publish it; return the checkpoint. Raises AuditBroken."""
        self._settle()
        identity = self._directory / "log.vkey"
        note = _text(self._directory / "checkpoint")
        known = _text(identity)
        keys = self._ledger.verifier_keys
        try:
            keys = keys if known is None else self._ledger.goes_on(known.strip())
        except errors.Rejected as error:
            raise audit_log.AuditBroken(
                f"{identity}: {error}; use its own key or another directory"
            ) from error
        try:
            committed = 0 if note is None else self._ledger.checkpointed_size(note)
            for record in self._store.recover(committed):
                self._ledger.replay(record)
            if note is not None:
                self._ledger.recognise(note)
            elif len(self._store):
                raise audit_log.AuditBroken(
                    f"{self._directory}: entries without a checkpoint; it was removed, restore it"
                )
        except errors.Rejected as error:
            raise audit_log.AuditBroken(f"{self._directory}: {error}") from error
        if known is None or keys != known.strip():
            self._sign_cosigned_anew()
            self._disk.replace(identity, f"{keys}\n".encode())
        return self._publish_recovered(committed, note)

    def _sign_cosigned_anew(self) -> None:
        """Let cosigned checkpoints carry the log's signature that their size asks for now."""
        for path in sorted((self._directory / "cosigned").glob("[0-9]*")):
            with contextlib.suppress(errors.Rejected):  # verification tells what is wrong there
                note = path.read_text(encoding="utf-8")
                anew = self._ledger.signed_anew(note)
                if anew != note:
                    self._disk.replace(path, anew.encode())

    def _settle(self) -> None:
        """Make durable the names that the last process may not have lived to sync.

        A checkpoint whose name a power cut takes back would make damage of the entries after it.
        """
        self._disk.sync_directory(self._directory)

    def _publish_recovered(self, committed: int, note: str | None) -> str:
        size = len(self._store)
        whole = min(self._tiles.missing(size), committed)
        self._tiles.extend(whole - whole % tiles.WIDTH, size, self._row, self._stored)
        signed = self._ledger.sign(size)
        if note is not None and size == committed and signed == note:
            return note
        self._disk.replace(self._directory / "checkpoint", signed.encode())
        self._tiles.drop_partial(committed, size)
        return signed


def _explained(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return (
            "the disk of the audit log is full; the log is read-only and nothing is executed. Free "
            "space on it and start the process again"
        )
    return (
        f"writing the audit log failed ({error}); the log is read-only and nothing is executed. A "
        "failed sync is never tried again: check the disk, then start the process again"
    )


def _text(path: pathlib.Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise audit_log.AuditBroken(f"{path}: damaged: {error}") from error
