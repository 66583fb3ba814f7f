"""The audit log on a simulated disk. The part of ports.audit_log.AuditLog that the work asks for.

Called by `centre`. The rules are stages.audit.ledger's; here are bytes: each record with its length
and checksum, written, synced and only then acknowledged; a checkpoint that follows what is durable;
recovery that cuts off a torn end and stops at anything worse. A failed write or sync turns it
read-only until the process has been started again.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_log
from sentienguard.simulation import disk as disks
from sentienguard.stages.audit import ledger as ledgers

FILE: Final = "log"
CHECKPOINT: Final = "checkpoint"
_HEAD: Final = struct.Struct(">II")


class SimulatedLog:
    """The log of one run of the centre."""

    def __init__(
        self,
        disk: disks.Disk,
        ledger: ledgers.Ledger,
        *,
        acknowledged: Callable[[int, bytes], None],
        due: Callable[[], None],
        signed: Callable[[str], None],
    ) -> None:
        """Open it. Raises AuditBroken.

        `acknowledged` hears what callers are told is durable, `due` that a checkpoint is wanted,
        `signed` each checkpoint before anybody else has it.
        """
        self._disk = disk
        self._ledger = ledger
        self._acknowledged = acknowledged
        self._due = due
        self._signed = signed
        self._broken: str | None = None
        self._cosigned: dict[int, str] = {}
        self._blobs: dict[str, bytes] = {}
        self.stored, end = records(disk.read(FILE))
        disk.truncate(FILE, end)
        kept = disk.whole(CHECKPOINT)
        try:
            for one in self.stored:
                ledger.replay(one)
            if kept is not None:
                ledger.recognise(kept.decode())
        except errors.Rejected as error:
            raise audit_log.AuditBroken(f"the log does not fit its checkpoint: {error}") from error
        self.published = 0
        self._note = ""
        self.publish()

    @property
    def broken(self) -> bool:
        """Tell whether it is read-only."""
        return self._broken is not None

    def append(self, entry: audit_log.Entry) -> audit_log.Appended:
        """Write one entry and return when it is durable; see the port."""
        if self._broken is not None:
            raise audit_log.AuditBroken(self._broken)
        try:
            admitted = self._ledger.admit(entry)
        except errors.Rejected as error:
            if isinstance(error, audit_log.EntryRefused):
                raise
            raise audit_log.EntryRefused(str(error)) from error
        if admitted.stored is not None:
            self.write(admitted.stored)
            self.stored.append(admitted.stored)
            self._due()
        self._acknowledged(admitted.index, admitted.leaf_hash)
        return audit_log.Appended(admitted.index, admitted.leaf_hash, admitted.stored is None)

    def append_many(
        self, entries: Sequence[audit_log.Entry]
    ) -> Sequence[audit_log.Appended | audit_log.EntryRefused]:
        """Write entries in order, each synced for itself: a crash may fall between any two."""
        found: list[audit_log.Appended | audit_log.EntryRefused] = []
        for entry in entries:
            try:
                found.append(self.append(entry))
            except audit_log.EntryRefused as refusal:
                found.append(refusal)
        return found

    def write(self, stored: bytes) -> None:
        """Make one record durable. Raises AuditBroken."""
        try:
            self._disk.append(FILE, framed(stored))
            self._disk.sync(FILE)
        except OSError as error:
            self._broken = f"writing the audit log failed ({error}); the log is read-only"
            raise audit_log.AuditBroken(self._broken) from error

    def hash_of(self, index: int) -> bytes:
        """Return the hash of an entry."""
        return self._ledger.leaf_hash(index)

    def size(self) -> int:
        """Return how many entries are durable."""
        return len(self.stored)

    def by_incident(self, incident: IncidentId) -> Sequence[audit_log.StoredEntry]:
        """Return what is known of an incident, oldest first."""
        # The ledger also knows one whose write failed: that is no part of the log.
        found = [one for one in self._ledger.of_incident(incident) if one < len(self.stored)]
        return [audit_log.StoredEntry(one, self.stored[one]) for one in found]

    def checkpoint(self) -> str:
        """Return the newest signed checkpoint."""
        return self._note

    def publish(self) -> None:
        """Sign what is durable. Raises AuditBroken."""
        if self._note and len(self.stored) == self.published:
            return
        if self._broken is not None:
            raise audit_log.AuditBroken(self._broken)
        note = self._ledger.sign(len(self.stored))
        self._signed(note)
        try:
            self._disk.replace(CHECKPOINT, note.encode())
        except OSError as error:
            self._broken = f"writing the checkpoint failed ({error}); the log is read-only"
            raise audit_log.AuditBroken(self._broken) from error
        self._note, self.published = note, len(self.stored)

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """Return the proof that the log of `old` entries grew into that of `new`."""
        return self._ledger.consistency(old, new)

    def add_cosignature(self, note: str) -> int:
        """Keep a cosigned checkpoint. Raises EntryRefused."""
        size = self._ledger.recognise(note)
        if not self._ledger.cosigned_by(note):
            raise audit_log.EntryRefused("no known witness validly signed it")
        kept = self._cosigned.get(size) or self._ledger.sign(size)
        self._cosigned = {size: self._ledger.merged(kept, note)}
        return len(self._ledger.cosigned_by(self._cosigned[size]))

    def cosigned(self) -> str | None:
        """Return the newest checkpoint that witnesses cosigned since the start."""
        return next(iter(self._cosigned.values()), None)

    def put_blob(self, plain: bytes, media_type: str) -> audit_log.BlobRef:
        """Keep bytes under their digest."""
        if self._broken is not None:
            raise audit_log.AuditBroken(self._broken)
        name = hashlib.sha256(plain).hexdigest()
        self._blobs[name] = plain
        return audit_log.BlobRef(name, len(plain), media_type)

    def get_blob(self, sha256: str) -> bytes:
        """Return kept bytes; nothing for those of an earlier run, which nobody here asks for."""
        return self._blobs.get(sha256, b"")


def framed(record: bytes) -> bytes:
    """Return a record as it is stored."""
    return _HEAD.pack(len(record), zlib.crc32(record)) + record


def records(data: bytes) -> tuple[list[bytes], int]:
    """Return the whole records from the start, and where they end."""
    found: list[bytes] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        record = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(record) != length or zlib.crc32(record) != checksum:
            break
        found.append(record)
        at += _HEAD.size + length
    return found, at
