"""Who depends on whom: the typed edges of a snapshot as a graph that is asked in a fixed order."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sentienguard.model import diagnosis


@dataclass(frozen=True, slots=True)
class Graph:
    """Dependencies of the kinds that were asked for."""

    below: Mapping[str, tuple[str, ...]]  # source -> what it depends on, sorted
    above: Mapping[str, tuple[str, ...]]  # target -> what depends on it, sorted

    @staticmethod
    def of(
        edges: Iterable[diagnosis.Edge], kinds: Collection[diagnosis.EdgeKind] | None = None
    ) -> "Graph":
        """Build the graph of the edges of these kinds; None takes all."""
        below: dict[str, set[str]] = {}
        above: dict[str, set[str]] = {}
        for edge in edges:
            if (kinds is None or edge.kind in kinds) and edge.source != edge.target:
                below.setdefault(edge.source, set()).add(edge.target)
                above.setdefault(edge.target, set()).add(edge.source)
        return Graph(
            below={name: tuple(sorted(below[name])) for name in sorted(below)},
            above={name: tuple(sorted(above[name])) for name in sorted(above)},
        )

    def dependencies(self, name: str) -> Sequence[str]:
        """Give what it depends on directly."""
        return self.below.get(name, ())

    def dependents(self, name: str) -> Sequence[str]:
        """Give what depends on it directly."""
        return self.above.get(name, ())

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
