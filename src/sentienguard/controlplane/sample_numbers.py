"""Which sample numbers of an agent were taken, in little memory.

Called by the intake, for each agent. Numbers come one after another nearly always, so stretches of
them are kept. With more than `MOST_GAPS` gaps the oldest stretch is forgotten: a sample of it that
comes again is then taken again, which changes nothing but the counter.
"""

import bisect

MOST_GAPS = 64


class Numbers:
    """A set of numbers that knows stretches."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        """Begin empty."""
        self._firsts: list[int] = []  # ascending
        self._lasts: list[int] = []  # of the stretch that begins there, inclusive

    def __contains__(self, number: int) -> bool:
        """Tell whether it was added."""
        at = bisect.bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    def add(self, number: int) -> None:
        """Add one."""
        if number in self:
            return
        at = bisect.bisect_right(self._firsts, number)
        after = at > 0 and self._lasts[at - 1] == number - 1
        before = at < len(self._firsts) and self._firsts[at] == number + 1
        if after and before:
            self._lasts[at - 1] = self._lasts.pop(at)
            del self._firsts[at]
        elif after:
            self._lasts[at - 1] = number
        elif before:
            self._firsts[at] = number
        else:
            self._firsts.insert(at, number)
            self._lasts.insert(at, number)
            if len(self._firsts) > MOST_GAPS + 1:
                del self._firsts[0], self._lasts[0]
