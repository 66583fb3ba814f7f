"""The playbooks that the signed catalogue holds, parsed, with what they have proven.

Called by deciding and the API. Read only: what is not signed is not here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sentienguard.controlplane.trust_store import TrustStore
from sentienguard.model import errors
from sentienguard.model.ids import Digest, PlaybookName, version_key
from sentienguard.model.playbook import Playbook
from sentienguard.playbook import parse
from sentienguard.trust.catalogue import Listed, ProvingRecord


class LibraryBroken(errors.Broken):
    """The catalogue lists a playbook that this version cannot read."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """One playbook and the bytes that were signed."""

    playbook: Playbook
    stored: bytes


class Library:
    """Playbooks by name and by digest."""

    def __init__(self, trust: TrustStore) -> None:
        """Parse what is in force: of each name the newest version that was not taken back."""
        self._shelved: dict[Digest, Shelved] = {}
        for listed in _in_force(trust.catalogue.playbooks):
            stored = trust.playbooks[listed.digest]
            try:
                playbook = parse.load(stored, origin=listed.name)
            except parse.BrokenPlaybook as cause:
                message = f"playbook {listed.name} {listed.version} of the catalogue: {cause}"
                raise LibraryBroken(message) from cause
            if playbook.digest != listed.digest:
                message = f"playbook {listed.name}: listed {listed.digest}, found {playbook.digest}"
                raise LibraryBroken(message)
            self._shelved[listed.digest] = Shelved(playbook, stored)
        self._proving = {record.digest: record for record in trust.proving}

    def all(self) -> tuple[Shelved, ...]:
        """Return all, by name."""
        return tuple(sorted(self._shelved.values(), key=lambda one: one.playbook.name))

    def playbooks(self) -> tuple[Playbook, ...]:
        """Return all playbooks, by name."""
        return tuple(one.playbook for one in self.all())

    def stored(self) -> Mapping[Digest, bytes]:
        """Return the bytes of each playbook that were signed."""
        return {digest: one.stored for digest, one in self._shelved.items()}

    def named(self, name: str) -> Shelved | None:
        """Return the one of this name."""
        return next((one for one in self._shelved.values() if one.playbook.name == name), None)

    def proving(self) -> Mapping[Digest, ProvingRecord]:
        """Return the signed proving records by digest."""
        return self._proving


def _in_force(listed: Iterable[Listed]) -> Iterable[Listed]:
    newest: dict[PlaybookName, Listed] = {}
    for one in listed:
        other = newest.get(one.name)
        if not one.revoked and (
            other is None or version_key(one.version) > version_key(other.version)
        ):
            newest[one.name] = one
    return newest.values()
