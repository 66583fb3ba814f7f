"""How fast counters of the kernel grow.

Used by the collectors of this package that read counters. A counter that is new, or that started
again from a lower number, has no rate until the sample after.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Growth(Generic[Name]):
    """Keeps the counters of the sample before."""

    def __init__(self) -> None:
        self._before: Mapping[Name, int] = {}
        self._before_ns = 0

    def since(self, now: Mapping[Name, int], at_ns: int) -> tuple[float, dict[Name, int]]:
        """Return the seconds since the call before, and by how much each counter grew in them.

        At the first call, and where the clock did not move, nothing grew: (0.0, {}).
        """
        before, self._before = self._before, now
        seconds, self._before_ns = (at_ns - self._before_ns) / 1e9, at_ns
        if not before or seconds <= 0:
            return 0.0, {}
        grown = {name: count - before[name] for name, count in now.items() if name in before}
        return seconds, {name: growth for name, growth in grown.items() if growth >= 0}
