"""The log that everybody appends to, in every replica: one writer thread each, group commit.

Called by the control plane's composition root, which gives it the storage and makes its rules. Any
thread may call any method. The writer takes whatever waits as one batch and answers after the
commit. The publisher follows every CHECKPOINT_WITHIN_S: it takes in what others appended, and signs
what is durable unless another replica has.

Where a commit may or may not have come through, the batch is judged again against the storage: what
was committed is found there by its key or number, and nothing is written twice.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from sentienguard.adapters import audit_writer
from sentienguard.adapters.audit_shared import blobs as blob_rows
from sentienguard.adapters.audit_shared import follower, memory
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_ledger, audit_log
from sentienguard.ports.audit_storage import AuditStorage
from sentienguard.ports.replicas import TakenOver

log = logging.getLogger(__name__)
CHECKPOINT_WITHIN_S: Final = 0.25  # after an append; leaves 0.75 s of the promised second
PATIENCE_S: Final = 5.0  # how long a batch is tried again while the database does not answer
AGAIN_S: Final = 0.1  # between two tries
MAX_COSIGNED: Final = 64  # sizes kept with cosignatures; a newer one covers all before it
_CLOSE_S: Final = 30.0  # how long a hanging database may hold up `close`


class AuditShared(audit_log.AuditLog):
    """The audit log of several replicas. A context manager: leaving it closes the log here.

    Where this replica was taken over, every write raises ports.replicas.TakenOver.
    """

    def __init__(
        self, storage: AuditStorage, make: follower.Make, *, seen: memory.Seen | None = None
    ) -> None:
        """Open or begin the log; `make` returns a fresh ledger, `seen` is what it must bear out.

        Raises AuditBroken (another log's database, or an older state of it), Unavailable.
        """
        self._storage = storage
        self._state = threading.Lock()  # the follower
        self._publishing = threading.Lock()  # one publication at a time; taken before _state
        self._stopping = threading.Event()
        self._writer = audit_writer.Writer(self._commit, "database")
        self._blobs = blob_rows.Blobs(storage)
        self._follower = follower.Follower(storage, make)
        anew = self._claim(self._follower.ledger)
        self._seen = seen
        for note in seen.notes() if seen else ():
            self._follower.must_hold(note)
        self._checkpoint = ""
        self._published = -1
        self._publish()
        if anew is not None:
            self._sign_cosigned_anew()
            storage.put_verifier_keys(*anew)
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

    def _claim(self, ledger: audit_ledger.AuditLedger) -> tuple[str, str] | None:
        """Begin the log, or see that it is this one; return its keys and what they have become.

        Raises AuditBroken.
        """
        known = self._storage.claim(ledger.verifier_keys)
        try:
            kept = ledger.goes_on(known)
        except audit_log.EntryRefused as error:
            raise audit_log.AuditBroken(
                f"this database: {error}; use its own key or another database"
            ) from error
        return None if kept == known else (known, kept)

    def _sign_cosigned_anew(self) -> None:
        """Let cosigned checkpoints carry the log's signature that their size asks for now."""
        ledger = self._follower.ledger
        for note in self._storage.cosigned():
            with contextlib.suppress(errors.Rejected):  # verification tells what is wrong there
                size = ledger.recognise(note)
                if ledger.signed_anew(note) != note:
                    self._storage.cosign(
                        size, lambda kept: ledger.signed_anew(kept or ""), keep=MAX_COSIGNED
                    )

    def close(self) -> None:
        """Write what waits, publish the last checkpoint. Twice is fine."""
        first = self._writer.close()
        self._stopping.set()
        if not first:
            return
        self._writer.ended(_CLOSE_S)
        self._publisher.join(_CLOSE_S)
        with contextlib.suppress(errors.Unavailable, errors.Broken):
            self._publish()

    # --- appending -----------------------------------------------------------------------------

    def append(self, entry: audit_log.Entry) -> audit_log.Appended:
        """Write one entry and return when it is durable.

        Raises EntryRefused (SourceGap, SourceForked), AuditUnavailable, AuditBroken, TakenOver.
        """
        return self._writer.append(entry)

    def append_many(self, entries: Sequence[audit_log.Entry]) -> Sequence[audit_writer.Outcome]:
        """Write entries in order and return when all are durable: one answer for each.

        A refused entry is answered with its error and hinders no other one. After AuditUnavailable
        the same entries may be given again: what was written is not written twice.
        """
        return self._writer.append_many(entries)

    def _commit(self, batch: Sequence[audit_writer.Ticket]) -> None:
        """Write a batch, trying for a while. Raises AuditUnavailable, AuditBroken, TakenOver."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._attempt(batch)
            except TakenOver as lost:
                raise self._writer.break_off(lost) from lost
            except audit_log.AuditBroken as problem:
                raise self._writer.break_off(problem) from problem
            except (errors.Unavailable, errors.Broken) as problem:
                if time.monotonic() > until or self._stopping.is_set():
                    raise audit_log.AuditUnavailable(
                        f"the audit log's database did not take the entries, or not for sure; give "
                        f"the same entries again ({problem})"
                    ) from problem
                log.warning("an audit batch is tried again: %s", problem)
                self._stopping.wait(AGAIN_S)
            except Exception as mistake:  # whatever it is, nobody may be told "durable"
                why = f"the rules of the audit log failed on an entry: {mistake!r}"
                raise self._writer.break_off(audit_log.AuditBroken(why)) from mistake
            else:
                return

    def _attempt(self, batch: Sequence[audit_writer.Ticket]) -> None:
        with self._state:
            try:
                with self._storage.turn() as turn:
                    self._follower.catch_up(turn.head)
                    records = audit_writer.judged(batch, self._follower.ledger)
                    if records:
                        turn.append(records)
            except BaseException:
                self._follower.doubt()
                raise
            self._follower.committed()

    # --- publishing ----------------------------------------------------------------------------

    def checkpoint(self) -> str:
        """Return the newest signed checkpoint, at most a second behind the last append."""
        return self._checkpoint

    def _publish_often(self) -> None:
        while not self._stopping.wait(CHECKPOINT_WITHIN_S) and self._writer.broken is None:
            try:
                self._publish()
            except (audit_log.AuditBroken, TakenOver) as problem:
                self._writer.break_off(problem)
            except (errors.Unavailable, errors.Broken) as problem:
                log.info("no checkpoint now: %s", problem)

    def _publish(self) -> None:
        """Take in what is new; sign what no other replica has. Raises AuditBroken, Unavailable."""
        with self._publishing:
            head = self._storage.head()
            if head.checkpoint_size == self._published == head.size:
                return
            with self._state:
                head = self._storage.head()  # again: a batch may have been committed just before
                self._follower.catch_up(head)
                size, note = self._follower.sign()
            if size > head.checkpoint_size:
                self._storage.put_checkpoint(size, note)
            # Kept first, shown then. Another's note of this size is equal: it signs the same tree.
            self._checkpoint, self._published = note, size
            self._remember(note)

    def _remember(self, note: str) -> None:
        if self._seen is None:
            return
        try:
            self._seen.remember(note)
        except OSError as problem:  # it is a second witness; the log is in the database
            log.warning("the checkpoint that was seen is not remembered: %s", problem)

    # --- reading -------------------------------------------------------------------------------

    def size(self) -> int:
        """Return how many entries are durable, as far as this replica has heard."""
        return self._follower.durable

    def entry(self, index: int) -> audit_log.StoredEntry:
        """Return one entry. Raises NoSuchEntry."""
        found = self._storage.entries(index, index + 1) if index >= 0 else ()
        if not found:
            raise audit_log.NoSuchEntry(f"the log has {self.size()} entries, none at {index}")
        return audit_log.StoredEntry(index, found[0])

    def entries(self, start: int, end: int) -> Sequence[audit_log.StoredEntry]:
        """Return entries start..end, the end left out and cut to what is durable."""
        first = max(start, 0)
        found = self._storage.entries(first, max(end, first))
        return [audit_log.StoredEntry(first + offset, one) for offset, one in enumerate(found)]

    def by_incident(self, incident: IncidentId) -> Sequence[audit_log.StoredEntry]:
        """Return what is known of an incident, oldest first."""
        with self._state:
            self._follower.catch_up(self._storage.head())
            indices = list(self._follower.ledger.of_incident(incident))
        return [self.entry(one) for one in indices]

    def prove(self, index: int) -> audit_log.Proof:
        """Prove that an entry is in the log, by a checkpoint that covers it. Raises NoSuchEntry."""
        self.entry(index)
        if index >= self._published:
            self._publish()
        with self._publishing:
            checkpoint, size = self._checkpoint, self._published
        with self._state:
            return audit_log.Proof(
                index=index,
                size=size,
                leaf_hash=self._follower.ledger.leaf_hash(index),
                hashes=tuple(self._follower.ledger.inclusion(index, size)),
                checkpoint=checkpoint,
            )

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """Return the proof that the log of `old` entries grew into that of `new`.

        Raises NoSuchEntry where the log has no such size.
        """
        with self._state:
            if new > self._follower.durable:
                self._follower.catch_up(self._storage.head())
            if not 0 <= old <= new <= self._follower.durable:
                raise audit_log.NoSuchEntry(
                    f"the log grew from 0 to {self._follower.durable}, not from {old} to {new}"
                )
            return self._follower.ledger.consistency(old, new)

    # --- witnesses -----------------------------------------------------------------------------

    def add_cosignature(self, note: str) -> int:
        """Keep a cosigned checkpoint; return how many witnesses cosigned that size so far.

        Raises EntryRefused for a note that is not one of ours or has no valid cosignature.
        """
        with self._state:
            self._follower.catch_up(self._storage.head())
            ledger = self._follower.ledger
            size = ledger.recognise(note)
            if not ledger.cosigned_by(note):
                raise audit_log.EntryRefused(
                    f"checkpoint of size {size}: no known witness validly signed it"
                )
            bare = ledger.sign(size)
        merged = self._storage.cosign(
            size, lambda kept: ledger.merged(kept or bare, note), keep=MAX_COSIGNED
        )
        return len(ledger.cosigned_by(merged))

    def cosigned(self) -> str | None:
        """Return the newest checkpoint that witnesses cosigned, with their signatures."""
        kept = self._storage.cosigned()
        return kept[-1] if kept else None

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


def read_stored(storage: AuditStorage) -> audit_log.StoredLog:
    """Return what the storage holds, not judged. The checkpoint is read first: entries only grow.

    Raises NoSuchEntry where no log was begun.
    """
    verifier_keys = storage.verifier_keys()
    if verifier_keys is None:
        raise audit_log.NoSuchEntry("the database holds no audit log")
    head = storage.head()
    records: list[bytes | audit_log.Damage] = []
    while len(records) < head.size:
        page = storage.entries(len(records), min(len(records) + follower.PAGE, head.size))
        records += page
        if not page:
            records.append(audit_log.Damage("audit_entries", f"{head.size} entries are counted"))
            break
    return audit_log.StoredLog(
        verifier_keys=verifier_keys,
        records=records,
        checkpoint=head.checkpoint,
        cosigned=tuple(storage.cosigned()),
    )
