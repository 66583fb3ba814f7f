"""Hosts and services as objects of a snapshot: `host:web-1`, `service:shop`, `service:shop@web-1`.

A service that is known to run on several hosts is one object for each, so that one sick instance is
told from the others; one that runs in one place, or nobody knows where, is one object. What runs on
every host of a large fleet has an object for each host nearby, and not thousands.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Final

from sentienguard.model import diagnosis

HOST: Final = "host:"
SERVICE: Final = "service:"
MOST_INSTANCES: Final = 16  # of one service in a snapshot, where it runs on more hosts than that
_LONGEST: Final = 200  # characters of a name that somebody else chose


def host(name: str) -> str:
    """Name a host."""
    return f"{HOST}{name[:_LONGEST]}"


def host_of(thing: str) -> str | None:
    """Return the host's name, where the object is one."""
    return thing.removeprefix(HOST) if thing.startswith(HOST) else None


class Directory:
    """Which objects there are of each service, and where each runs."""

    def __init__(
        self, runs_on: Iterable[tuple[str, str]], known: "Directory | None" = None
    ) -> None:
        """Know pairs of service and host, and what another one knows; names match in any case."""
        places: dict[str, set[str]] = {}
        for service, place in runs_on:
            places.setdefault(service.casefold(), set()).add(place)
        self._homes = {} if known is None else dict(known.places)
        for service, more in places.items():
            spelled = dict(self._homes.get(service, {}))
            for place in more:
                name = place.casefold()
                spelled[name] = min(place, spelled.get(name, place))  # whichever came first
            self._homes[service] = {name: spelled[name] for name in sorted(spelled)}

    @property
    def places(self) -> Mapping[str, Mapping[str, str]]:
        """All of it: folded name of a service -> folded name of a host -> as it is spelled."""
        return self._homes

    def homes(self, service: str) -> tuple[str, ...]:
        """Return the hosts that it is known to run on."""
        return tuple(self._homes.get(service.casefold(), {}).values())

    def runs_on(self, service: str, place: str) -> bool:
        """Tell whether it is known to run on a host."""
        return place.casefold() in self._homes.get(service.casefold(), {})

    def objects(self, service: str, near: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the objects of a service, one for each instance.

        Of more than `MOST_INSTANCES` those on hosts that are `near`, or the first where none is.
        """
        homes: Iterable[str] = self._homes.get(service.casefold(), {})
        if len(self._homes.get(service.casefold(), {})) > MOST_INSTANCES:
            here = sorted({one.casefold() for one in near if self.runs_on(service, one)})
            homes = here or itertools.islice(homes, MOST_INSTANCES)
        return tuple(self.at(service, one) for one in homes) or (f"{SERVICE}{service[:_LONGEST]}",)

    def at(self, service: str, place: str) -> str:
        """Return the object of a service on one host; of its first where it is not known there."""
        name, homes = service[:_LONGEST], self._homes.get(service.casefold(), {})
        if len(homes) < 2:  # noqa: PLR2004 - one place, or none that is known
            return f"{SERVICE}{name}"
        home = homes.get(place.casefold()) or next(iter(homes.values()))
        return f"{SERVICE}{name}@{home[:_LONGEST]}"

    def services_on(self, place: str) -> tuple[str, ...]:
        """Return what is known to run on a host, by folded name."""
        wanted = place.casefold()
        return tuple(service for service, homes in sorted(self._homes.items()) if wanted in homes)


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
