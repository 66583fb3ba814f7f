"""The audit log as the control plane sees it: people by name here, by pseudonym where it is kept.

Made by controlplane.app around the log as it is stored, for everything in the control plane.
Rules:

1. No name of somebody who is known here reaches the stored log: what is appended goes through
   stages.audit.people first. Where that cannot be looked up nothing is appended.
2. `fields` of an entry that is read has names again; `stored` has the bytes that are proven.
3. Everything else, proofs, checkpoints and blobs, is the stored log's.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sentienguard.model.access import NO_PEOPLE
from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_log
from sentienguard.ports.people import People
from sentienguard.stages.audit import people

_NOBODY: Final = NO_PEOPLE | {""}


class PeopleLog:
    """An audit_log.AuditLog that keeps names out of another one."""

    def __init__(self, log: audit_log.AuditLog, known: People) -> None:
        """Keep entries in `log`, names with `known`."""
        self._log = log
        self._people = known
        self._made: tuple[object, people.Hider] = (None, people.Hider({}))  # of which mapping

    def append(self, entry: audit_log.Entry) -> audit_log.Appended:
        """Write one entry without names; see the port. Raises also what `People` raises."""
        return self._log.append(self._hidden(entry))

    def append_many(
        self, entries: Sequence[audit_log.Entry]
    ) -> Sequence[audit_log.Appended | audit_log.EntryRefused]:
        """Write entries without names; see the port. Raises also what `People` raises."""
        return self._log.append_many([self._hidden(one) for one in entries])

    def size(self) -> int:
        """Return how many entries are durable."""
        return self._log.size()

    def entry(self, index: int) -> audit_log.StoredEntry:
        """Return one entry. Raises NoSuchEntry."""
        return self._named([self._log.entry(index)])[0]

    def entries(self, start: int, end: int) -> Sequence[audit_log.StoredEntry]:
        """Return entries start..end; see the port."""
        return self._named(self._log.entries(start, end))

    def by_incident(self, incident: IncidentId) -> Sequence[audit_log.StoredEntry]:
        """Return what is known of an incident, oldest first."""
        return self._named(self._log.by_incident(incident))

    def checkpoint(self) -> str:
        """Return the newest signed checkpoint."""
        return self._log.checkpoint()

    def prove(self, index: int) -> audit_log.Proof:
        """Prove that an entry is in the log. Raises NoSuchEntry."""
        return self._log.prove(index)

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """Return the proof that one size grew into the other. Raises NoSuchEntry."""
        return self._log.consistency(old, new)

    def add_cosignature(self, note: str) -> int:
        """Keep a cosigned checkpoint; see the port. Raises EntryRefused."""
        return self._log.add_cosignature(note)

    def cosigned(self) -> str | None:
        """Return the newest checkpoint that witnesses cosigned."""
        return self._log.cosigned()

    def put_blob(self, plain: bytes, media_type: str) -> audit_log.BlobRef:
        """Keep bytes, durably, under their digest."""
        return self._log.put_blob(plain, media_type)

    def get_blob(self, sha256: str) -> bytes:
        """Return kept bytes. Raises NoSuchBlob, BlobErased, AuditBroken."""
        return self._log.get_blob(sha256)

    def erase_blob(self, sha256: str) -> None:
        """Destroy the key of a blob for good. Raises NoSuchBlob."""
        self._log.erase_blob(sha256)

    def _hidden(self, entry: audit_log.Entry) -> audit_log.Entry:
        if isinstance(entry, audit_log.SignedEntry) or not people.names_people(entry, _NOBODY):
            return entry
        known, (of, hider) = self._people.known(), self._made
        if known is not of:
            hider = people.Hider(known)
            self._made = (known, hider)
        return hider.hidden(entry)

    def _named(self, entries: Sequence[audit_log.StoredEntry]) -> list[audit_log.StoredEntry]:
        """Let entries that are read together ask for names once, and only if one has a person."""
        names = functools.cache(self._people.names)
        return [replace(one, shown=lambda found: people.shown(found, names)) for one in entries]
