"""Hosts and services as objects of a snapshot: `host:web-1`, `service:shop`, `service:shop@web-1`.

A service that is known to run on several hosts is one object for each, so that one sick instance is
told from the others; one that runs in one place, or nobody knows where, is one object.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sentienguard.model import diagnosis

HOST: Final = "host:"
SERVICE: Final = "service:"
_LONGEST: Final = 200  # characters of a name that somebody else chose


def host(name: str) -> str:
    """Name a host."""
    return f"{HOST}{name[:_LONGEST]}"


def host_of(thing: str) -> str | None:
    """Return the host's name, where the object is one."""
    return thing.removeprefix(HOST) if thing.startswith(HOST) else None


class Directory:
    """Which objects there are of each service, and where each runs."""

    def __init__(self, runs_on: Iterable[tuple[str, str]]) -> None:
        """Know pairs of service and host; names match whatever their case."""
        homes: dict[str, dict[str, str]] = {}
        for service, place in sorted(runs_on):
            homes.setdefault(service.casefold(), {}).setdefault(place.casefold(), place)
        self._homes: Mapping[str, tuple[str, ...]] = {
            service: tuple(places[name] for name in sorted(places))
            for service, places in homes.items()
        }

    def homes(self, service: str) -> tuple[str, ...]:
        """Return the hosts that it is known to run on."""
        return self._homes.get(service.casefold(), ())

    def objects(self, service: str) -> tuple[str, ...]:
        """Return the objects of a service, one for each instance."""
        name, homes = service[:_LONGEST], self.homes(service)
        if len(homes) < 2:  # noqa: PLR2004 - one place, or none that is known
            return (f"{SERVICE}{name}",)
        return tuple(f"{SERVICE}{name}@{place[:_LONGEST]}" for place in homes)

    def at(self, service: str, place: str) -> str:
        """Return the object of a service on one host; of its first where it is not known there."""
        objects = self.objects(service)
        for one, home in zip(objects, self.homes(service), strict=False):
            if home.casefold() == place.casefold():
                return one
        return objects[0]

    def services_on(self, place: str) -> tuple[str, ...]:
        """Return what is known to run on a host, by folded name."""
        wanted = place.casefold()
        return tuple(
            service
            for service, homes in sorted(self._homes.items())
            if any(home.casefold() == wanted for home in homes)
        )


def hosts_of(thing: str, snapshot: diagnosis.Snapshot) -> tuple[str, ...]:
    """Return the hosts that an object of a snapshot is, or runs on."""
    itself = host_of(thing)
    if itself is not None:
        return (itself,)
    found = {
        place
        for edge in snapshot.edges
        if edge.source == thing and edge.kind is diagnosis.EdgeKind.NODE
        for place in [host_of(edge.target)]
        if place is not None
    }
    return tuple(sorted(found))
