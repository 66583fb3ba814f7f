"""The playbooks that the signed catalogue holds, parsed, with what they have proven.

Called by deciding and the API. Read only: what is not signed is not here. Rules:

1. Of each name the newest version that is not revoked is in force: it alone is matched and run. The
   older ones stay listed, for orders that are under way and for what was decided before.
2. A newer catalogue takes the place of the one before as a whole, and only if all of it reads.
3. A playbook whose bytes give no reason for its risk shows the one of this release's README, where
   the release ships exactly these bytes. Nothing is decided by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sentienguard.controlplane import shipped
from sentienguard.controlplane.trust_store import Listing, TrustStore
from sentienguard.model import errors, ids
from sentienguard.model.ids import Digest, PlaybookName
from sentienguard.model.playbook import Playbook
from sentienguard.playbook import parse
from sentienguard.trust.catalogue import ProvingRecord


class LibraryBroken(errors.Broken):
    """The catalogue lists a playbook that this version cannot read."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """One playbook and the bytes that were signed."""

    playbook: Playbook
    stored: bytes


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One catalogue, read."""

    in_force: Mapping[PlaybookName, Shelved]  # by name, in order (rule 1)
    playbooks: tuple[Playbook, ...]  # the same
    stored: Mapping[Digest, bytes]  # of every version that is not revoked
    proving: Mapping[Digest, ProvingRecord]


class Library:
    """Playbooks by name and by digest."""

    def __init__(self, trust: TrustStore) -> None:
        """Parse everything that is listed and not revoked. Raises LibraryBroken."""
        self._shelf = _read(trust.listing)

    def adopt(self, fresh: "Library") -> None:
        """Offer what another one has read, from now on (rule 2)."""
        shelf = fresh._shelf  # noqa: SLF001  # of the same class
        # A decision that is being made goes on with the texts that it began with.
        stored = {**self._shelf.stored, **shelf.stored}
        self._shelf = replace(shelf, stored=stored)

    def all(self) -> tuple[Shelved, ...]:
        """Return all that are in force, by name."""
        return tuple(self._shelf.in_force.values())

    def playbooks(self) -> tuple[Playbook, ...]:
        """Return all playbooks that are in force, by name."""
        return self._shelf.playbooks

    def stored(self) -> Mapping[Digest, bytes]:
        """Return the bytes of each playbook that were signed."""
        return self._shelf.stored

    def named(self, name: str) -> Shelved | None:
        """Return the one of this name that is in force."""
        return self._shelf.in_force.get(PlaybookName(name))

    def proving(self) -> Mapping[Digest, ProvingRecord]:
        """Return the signed proving records by digest."""
        return self._shelf.proving


def _read(listing: Listing) -> _Shelf:
    shelved: dict[Digest, Shelved] = {}
    for listed in listing.catalogue.playbooks:
        if listed.revoked:
            continue
        stored = listing.playbooks[listed.digest]
        try:
            playbook = parse.load(stored, origin=listed.name)
        except parse.BrokenPlaybook as cause:
            message = f"playbook {listed.name} {listed.version} of the catalogue: {cause}"
            raise LibraryBroken(message) from cause
        if playbook.digest != listed.digest:
            message = f"playbook {listed.name}: listed {listed.digest}, found {playbook.digest}"
            raise LibraryBroken(message)
        if not playbook.risk_reason:  # rule 3
            said = shipped.risk_reasons().get(playbook.digest, "")
            playbook = replace(playbook, risk_reason=said)
        shelved[listed.digest] = Shelved(playbook, stored)
    oldest_first = sorted(
        shelved.values(), key=lambda one: (one.playbook.name, ids.version_key(one.playbook.version))
    )
    in_force = {one.playbook.name: one for one in oldest_first}
    return _Shelf(
        in_force=in_force,
        playbooks=tuple(one.playbook for one in in_force.values()),
        stored={digest: one.stored for digest, one in shelved.items()},
        proving={record.digest: record for record in listing.proving},
    )
