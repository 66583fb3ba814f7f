"""Keep the audit log: nothing counts as done before its entry is durable.

Called by the flow's steps, the API and the CLI of the control plane. Offered by
adapters.audit_files. `append` blocks until the entry survives a power cut; where that cannot be
had, it raises, and the caller does not act. Everything here may be called from several threads.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from sentienguard.model import errors
from sentienguard.model.ids import IncidentId


class AuditUnavailable(errors.Unavailable):
    """The log is closed or its queue is full; nothing was written, so asking again is safe."""


class AuditBroken(errors.Broken):
    """The log turned read-only, or what is stored is not what was signed; execution must stop."""


class EntryRefused(errors.Rejected):
    """The entry breaks a rule of its form, its size or its signature; nothing was written."""


class SourceGap(EntryRefused):
    """The source left out a number; it must send what is missing first."""


class SourceForked(EntryRefused):
    """The source said two different things under one number: a copied host, or a forgery."""


class NoSuchEntry(errors.Rejected):
    """The log has no entry at this index."""


class NoSuchBlob(errors.Rejected):
    """No blob with this digest was ever kept."""


class BlobErased(errors.Rejected):
    """The blob's key was erased on purpose; the log still proves its digest and length."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """What an entry says of bytes that are too long for it."""

    sha256: str  # 64 hex digits, of the plain bytes
    len: int
    type: str  # media type, for example text/plain


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What the control plane has to say; the log adds the source's number and chain."""

    kind: str  # one of stages.audit.entry.KINDS
    at: datetime  # UTC
    environment: str  # empty where none applies
    source: str  # "cp" or "user:<name>"
    actor: str  # who did it: a user, an agent, a part of the system
    key: str  # unique text: a second entry with the same key writes nothing
    incident: IncidentId | None = None
    data: Mapping[str, Any] = field(default_factory=dict)  # no floats; decimals as "94.8"
    blobs: tuple[BlobRef, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedEntry:
    """What an agent has to say: its own bytes, numbered, chained and signed on the host."""

    leaf: bytes  # canonical, without src_sig
    signature: bytes  # 64 bytes, by the agent's executor key over `leaf`


Entry: TypeAlias = NewEntry | SignedEntry


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an entry is in the log, durably."""

    index: int
    leaf_hash: bytes  # RFC 6962 hash of the stored bytes
    repeated: bool = False  # it was there before; nothing was written


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it is kept."""

    index: int
    stored: bytes  # canonical JSON, with src_sig where an agent signed
    # How its members are shown; None: as they are stored.
    shown: Callable[[dict[str, Any]], dict[str, Any]] | None = field(default=None, compare=False)

    @property
    def fields(self) -> dict[str, Any]:
        """The entry's members, parsed; people by name where whoever gave the entry knows names."""
        parsed: dict[str, Any] = json.loads(self.stored)
        return parsed if self.shown is None else self.shown(parsed)


@dataclass(frozen=True, slots=True)
class Proof:
    """What convinces somebody who trusts the checkpoint that an entry is in the log."""

    index: int
    size: int  # of the tree that the checkpoint signs
    leaf_hash: bytes
    hashes: tuple[bytes, ...]  # from the leaf's sibling up
    checkpoint: str  # signed note


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a stored log that are no record; nothing after them can be read."""

    where: str  # file and byte
    what: str
    at_end: bool = False  # the last file simply stops inside a record


@dataclass(frozen=True, slots=True)
class StoredLog:
    """A log as found in storage, not judged yet. Offered by adapters, judged by stages.audit."""

    verifier_keys: str  # C2SP vkeys as the storage itself claims them, a line each
    records: Sequence[bytes | Damage]
    checkpoint: str | None
    cosigned: tuple[str, ...]  # notes of earlier checkpoints with cosignatures


class AuditLog(Protocol):
    """The log, as everybody but the verifier sees it."""

    def append(self, entry: Entry) -> Appended:
        """Write one entry and return when it is durable.

        Raises EntryRefused (SourceGap, SourceForked), AuditUnavailable, AuditBroken.
        """

    def append_many(self, entries: Sequence[Entry]) -> Sequence[Appended | EntryRefused]:
        """Write entries in order and return when all are durable: one answer for each.

        A refused entry is answered with its error and hinders no other one. Raises
        AuditUnavailable, AuditBroken.
        """

    def size(self) -> int:
        """Return how many entries are durable."""

    def entry(self, index: int) -> StoredEntry:
        """Return one entry. Raises NoSuchEntry."""

    def entries(self, start: int, end: int) -> Sequence[StoredEntry]:
        """Return entries start..end, the end left out and cut to what is durable."""

    def by_incident(self, incident: IncidentId) -> Sequence[StoredEntry]:
        """Return what is known of an incident, oldest first."""

    def checkpoint(self) -> str:
        """Return the newest signed checkpoint, at most a second behind the last append."""

    def prove(self, index: int) -> Proof:
        """Prove that an entry is in the log, by a checkpoint that covers it. Raises NoSuchEntry."""

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """Return the proof that the log of `old` entries grew into that of `new`.

        Raises NoSuchEntry where the log has no such size.
        """

    def add_cosignature(self, note: str) -> int:
        """Keep a cosigned checkpoint; return how many witnesses cosigned that size so far.

        Raises EntryRefused for a note that is not one of ours or has no valid cosignature.
        """

    def cosigned(self) -> str | None:
        """Return the newest checkpoint that witnesses cosigned, with their signatures."""

    def put_blob(self, plain: bytes, media_type: str) -> BlobRef:
        """Keep bytes, durably, under their digest. Raises AuditUnavailable, AuditBroken."""

    def get_blob(self, sha256: str) -> bytes:
        """Return kept bytes. Raises NoSuchBlob, BlobErased, AuditBroken."""

    def erase_blob(self, sha256: str) -> None:
        """Destroy the key of a blob for good; proofs stay valid. Raises NoSuchBlob."""
