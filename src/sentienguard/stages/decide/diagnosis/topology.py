"""Who depends on whom: the typed edges of a snapshot as a graph that is asked in a fixed order."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sentienguard.model import diagnosis


@dataclass(frozen=True, slots=True)
class Graph:
    """Dependencies of the kinds that were asked for."""

    below: Mapping[str, tuple[str, ...]]  # source -> what it depends on, sorted
    above: Mapping[str, tuple[str, ...]]  # target -> what depends on it, sorted
    places: Mapping[str, tuple[str, ...]]  # source -> what it runs on, sorted

    @staticmethod
    def of(
        edges: Iterable[diagnosis.Edge], kinds: Collection[diagnosis.EdgeKind] | None = None
    ) -> "Graph":
        """Build the graph of the edges of these kinds; None takes all."""
        below: dict[str, set[str]] = {}
        above: dict[str, set[str]] = {}
        places: dict[str, set[str]] = {}
        for edge in edges:
            if (kinds is None or edge.kind in kinds) and edge.source != edge.target:
                below.setdefault(edge.source, set()).add(edge.target)
                above.setdefault(edge.target, set()).add(edge.source)
                if edge.kind is diagnosis.EdgeKind.NODE:
                    places.setdefault(edge.source, set()).add(edge.target)
        return Graph(
            below={name: tuple(sorted(below[name])) for name in sorted(below)},
            above={name: tuple(sorted(above[name])) for name in sorted(above)},
            places={name: tuple(sorted(places[name])) for name in sorted(places)},
        )

    def dependencies(self, name: str) -> Sequence[str]:
        """Give what it depends on directly."""
        return self.below.get(name, ())

    def dependents(self, name: str) -> Sequence[str]:
        """Give what depends on it directly."""
        return self.above.get(name, ())

    def concerned(self, name: str) -> Collection[str]:
        """Give all that a fault here can come from, itself included.

        That is what it depends on, who depends on it and may ask too much of it, and what runs
        where it or something below it runs. Empty where nothing is known to be beside it.
        """
        below, above = _reach(name, self.below), _reach(name, self.above)
        if len(below) + len(above) == 2:  # noqa: PLR2004  nothing but itself, twice
            return frozenset()
        places = {one for thing in below for one in self.places.get(thing, ())}
        return below | above | {one for place in places for one in self.dependents(place)}

    def reach_up(self, name: str, through: Collection[str]) -> Mapping[str, str]:
        """Give all that a fault of it can reach by way of these objects, with the step before each.

        The objects themselves need not be in `through` to be reached, only to be passed.
        """
        before: dict[str, str] = {}
        line = [name]
        while line:
            here = line.pop(0)
            if here != name and here not in through:
                continue
            for above in self.dependents(here):
                if above != name and above not in before:
                    before[above] = here
                    line.append(above)
        return before


def _reach(name: str, steps: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Give all that these steps lead to, itself included."""
    seen = {name}
    line = [name]
    while line:
        for there in steps.get(line.pop(), ()):
            if there not in seen:
                seen.add(there)
                line.append(there)
    return frozenset(seen)
