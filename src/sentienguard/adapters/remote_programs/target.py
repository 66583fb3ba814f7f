"""When an act on an object of a vendor is done, refused, or put back: the same for every vendor.

Called by agent.relays with one `Vendor`. Two sorts of acts: some raise a number that the object has
(`raise`), some only start something (`kick`: a restart, a refresh). Rules:

1. An object with another identity than the one that was looked at is not acted on.
2. A number is set only while it is the one that was looked at, and put back only while it is ours.
3. A kick happens only while the object is in the state that was looked at: one that got well by
   itself, or that somebody else works on, is left alone.
4. Where a vendor ended with an error and may have acted, a number tells whether it did; a kick does
   not, and stays unknown.
"""

import fnmatch
from dataclasses import dataclass
from typing import Protocol

from sentienguard.adapters.remote_programs import programs
from sentienguard.playbook import objects
from sentienguard.ports import facts, remote_objects


@dataclass(frozen=True, slots=True)
class Reading:
    """What a vendor says of one object now."""

    identity: str  # never another object's, even one of the same name
    status: str  # of playbook.facts.object_status
    capacity: int = 0  # the number that a `raise` sets
    healthy: int = 0  # what runs of it


class Vendor(Protocol):
    """One vendor's way to ask and to act."""

    def read(self, name: objects.Name, effort: remote_objects.Effort) -> Reading:
        """Ask how an object is. Raises programs.Gone, Refused, Unreachable."""

    def do(
        self,
        asked: remote_objects.Asked,
        name: objects.Name,
        number: int | None,
        effort: remote_objects.Effort,
    ) -> str:
        """Do it, with the number to set where it is a raise. Return what was printed.

        Raises Refused only where nothing was done, Unreachable where that is not known.
        """


class Target:
    """One target: a vendor, and which of its objects the owner lets us act on."""

    def __init__(self, vendor: Vendor, allowed: tuple[str, ...]) -> None:
        """Take both; `allowed` are globs over names without the target, `KIND/PART...`."""
        self._vendor = vendor
        self._allowed = allowed

    def allow(self, name: objects.Name) -> None:
        """Check the owner's globs. Raises UnknownObject."""
        own = "/".join((name.kind, *name.parts))
        if not any(fnmatch.fnmatchcase(own, one) for one in self._allowed):
            raise remote_objects.UnknownObject(
                f"{name}: the owner of this relay let it act on {', '.join(self._allowed)} only"
            )

    def measure(self, name: objects.Name, fact: str) -> facts.Fact:
        """Measure one fact; see the port."""
        try:
            found = self._vendor.read(name, programs.LOOKING)
        except programs.Gone:
            if fact == "object_status":
                return "missing"
            raise
        known: dict[str, facts.Fact] = {
            "object_status": found.status,
            "object_capacity": found.capacity,
            "object_healthy": found.healthy,
        }
        if fact not in known:
            raise facts.UnknownFact(f"{fact} is not measured of {name}")
        return known[fact]

    def look(
        self, asked: remote_objects.Asked, effort: remote_objects.Effort
    ) -> remote_objects.Seen:
        """Return identity and state, and the numbers of a raise; see the port."""
        found = self._vendor.read(objects.read(asked.object), effort)
        seen = {"identity": found.identity, "status": found.status}
        if "by_percent" not in asked.arguments:
            return seen
        percent, most = int(asked.arguments["by_percent"]), int(asked.arguments["at_most"])
        after = objects.raised(found.capacity, percent, most)
        if after is None:
            raise remote_objects.Refused(
                f"{asked.object} has {found.capacity} and may not go beyond {most}"
            )
        return {**seen, "before": found.capacity, "after": after}

    def rehearse(self, asked: remote_objects.Asked, effort: remote_objects.Effort) -> str:
        """Look, and say what would be asked; the vendors have no dry run of their own."""
        seen = self.look(asked, effort)
        if "after" in seen:
            return f"from {seen['before']} to {seen['after']}; the vendor was not asked to judge it"
        return f"it is {seen['status']}; the vendor was not asked to judge it"

    def act(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Do it; see the port."""
        if "after" in seen:
            return self._set(asked, seen, int(seen["before"]), int(seen["after"]), effort)
        name = objects.read(asked.object)
        found = self._same(asked, seen, effort)
        if found.status != seen["status"]:
            return remote_objects.Acted(
                f"{asked.object} was {seen['status']} and is {found.status}: left alone",
                changed=False,
            )
        printed = self._vendor.do(asked, name, None, effort)
        return remote_objects.Acted(f"{asked.call} of {asked.object} begun", output=printed)

    def restore(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Put the number back; see the port."""
        return self._set(asked, seen, int(seen["after"]), int(seen["before"]), effort)

    def _set(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        old: int,
        new: int,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        found = self._same(asked, seen, effort)
        if found.capacity == new:
            return remote_objects.Acted(f"{asked.object} has {new} already", changed=False)
        if found.capacity != old:
            raise remote_objects.Changed(
                f"{asked.object} had {old} and has {found.capacity}: somebody else changed it"
            )
        try:
            printed = self._vendor.do(asked, objects.read(asked.object), new, effort)
        except remote_objects.Unreachable as error:  # rule 4
            if self._same(asked, seen, effort).capacity != new:
                raise
            printed = str(error)
        return remote_objects.Acted(f"{asked.object}: from {old} to {new}", output=printed)

    def _same(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> Reading:
        found = self._vendor.read(objects.read(asked.object), effort)
        if found.identity != seen["identity"]:
            raise remote_objects.Changed(f"{asked.object} is another one by now")
        return found
