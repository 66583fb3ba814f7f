"""Series of one host that appeared together, and are judged together by a lane.

Called by `deviations` and `ramps`: a mean of a young series is not that of an old one, so what
comes later makes a cohort of its own. Names come from hosts, so all is bounded: a host has `series`
judged ones at most; of more than `cohorts` cohorts the one that was away longest goes, with what it
learned.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

Key: TypeAlias = tuple[str, str]  # metric and subject
MOST_COHORTS: Final = 16


class Cohort(Protocol):
    """What a lane keeps of series that appeared together."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """The series, in the order of the lane."""

    @property
    def here_s(self) -> float:
        """POSIX seconds of the last reading of any of them."""


C = TypeVar("C", bound=Cohort)


class Cohorts(Generic[C]):
    """The cohorts of one host; going through it yields them, oldest first."""

    def __init__(self, series: int, made: Sequence[C] = ()) -> None:
        """Go on from those that were made; `series` are the most that are judged."""
        self._most = series
        self._all = list(made)
        self._known = {key for one in made for key in one.keys}

    def __iter__(self) -> Iterator[C]:
        """Yield each."""
        return iter(self._all)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    @property
    def series(self) -> int:
        """How many series are judged."""
        return len(self._known)

    def admit(
        self,
        keys: Iterable[Key],
        judged: Callable[[str], bool],
        make: Callable[[tuple[Key, ...]], C],
    ) -> None:
        """Make a cohort of what was not seen before; `judged` tells of a metric if it belongs."""
        new = tuple(key for key in keys if key not in self._known and judged(key[0]))
        new = new[: max(self._most - len(self._known), 0)]
        if not new:
            return
        if len(self._all) >= MOST_COHORTS:
            oldest = min(self._all, key=lambda one: one.here_s)
            self._all.remove(oldest)
            self._known.difference_update(oldest.keys)
        self._known.update(new)
        self._all.append(make(new))
