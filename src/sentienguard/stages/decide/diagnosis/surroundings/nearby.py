"""Which services and hosts are near enough to a symptom to be looked at.

What the symptom depends on is followed further than what depends on it: a cause lies below, and
what lies above shows whether its effects are there. All bounds are counts, so that the size of a
snapshot, and with it the time of a diagnosis, is known before anything is read.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.model.topology import CallKind, Edge
from sentienguard.stages.decide.diagnosis.surroundings.naming import Directory

BELOW: Final = 4  # calls down from the symptom
ABOVE: Final = 2  # calls up
MOST_SERVICES: Final = 32
MOST_HOSTS: Final = 16


@dataclass(frozen=True, slots=True)
class Nearby:
    """What is looked at, the nearest first."""

    services: tuple[str, ...]  # as the topology spells them
    hosts: tuple[str, ...]  # the incident's own first
    calls: tuple[Edge, ...]  # between these services, sorted
    left_out: int  # services and hosts that were near, and beyond the bounds


def find(home: str, service: str | None, calls: Sequence[Edge], directory: Directory) -> Nearby:
    """Return the surroundings of a symptom of `service`, or of all that runs on `home`."""
    spelled = _spelled(calls)
    seeds = directory.services_on(home) if service is None else (service.casefold(),)
    down, up = _steps(calls)
    found = dict.fromkeys(seeds)
    found |= dict.fromkeys(_walk(seeds, down, BELOW))
    found |= dict.fromkeys(_walk(seeds, up, ABOVE))
    services = [spelled.get(one, one) for one in found]
    if service is not None and service.casefold() in found:
        services[0] = spelled.get(service.casefold(), service)
    kept = services[:MOST_SERVICES]
    # One host of each before a second of any: what runs everywhere leaves room for the others.
    turns = itertools.zip_longest(*(directory.homes(one) for one in kept))
    hosts = list(dict.fromkeys([home, *(one for turn in turns for one in turn if one is not None)]))
    names = {one.casefold() for one in kept}
    return Nearby(
        services=tuple(kept),
        hosts=tuple(hosts[:MOST_HOSTS]),
        calls=tuple(
            sorted(
                one
                for one in set(calls)
                if one.caller.casefold() in names and one.callee.casefold() in names
            )
        ),
        left_out=len(services) - len(kept) + max(0, len(hosts) - MOST_HOSTS),
    )


def _spelled(calls: Iterable[Edge]) -> Mapping[str, str]:
    """Return how the topology spells each name; of several spellings the first in order."""
    names = sorted({name for one in calls for name in (one.caller, one.callee)}, reverse=True)
    return {name.casefold(): name for name in names}


def _steps(calls: Iterable[Edge]) -> tuple[Mapping[str, list[str]], Mapping[str, list[str]]]:
    down: defaultdict[str, list[str]] = defaultdict(list)
    up: defaultdict[str, list[str]] = defaultdict(list)
    for one in sorted(set(calls)):
        caller, callee = one.caller.casefold(), one.callee.casefold()
        down[caller].append(callee)
        up[callee].append(caller)
        if one.kind is CallKind.MESSAGE:  # a queue that is not worked off is felt by who fills it,
            down[callee].append(caller)  # and one that is not filled by who works it off
    return down, up


def _walk(seeds: Iterable[str], steps: Mapping[str, list[str]], far: int) -> Iterable[str]:
    """Return what can be reached, the nearest first."""
    seen = dict.fromkeys(seeds)
    line = list(seen)
    for _ in range(far):
        line = [
            there
            for here in line
            for there in dict.fromkeys(steps.get(here, ()))
            if there not in seen
        ]
        line = list(dict.fromkeys(line))
        seen |= dict.fromkeys(line)
    return seen
