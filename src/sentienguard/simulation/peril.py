"""Where a crash may fall: at every moment at which it makes a difference.

Called by disks, stores and machines at each such moment. A fault sets how many of them are still
survived, so that a seed reaches the middle of any sequence, not only the time between two events.
"""

from collections.abc import Callable

from sentienguard.simulation.scheduler import Crash


class Peril:
    """The moments of one process."""

    def __init__(self, strike: Callable[[], None]) -> None:
        """`strike` does what the crash does."""
        self._strike = strike
        self._left: int | None = None
        self._name = ""
        self.passed = 0

    def after(self, moments: int) -> None:
        """Let the process die at that moment from now."""
        self._left = moments

    def at(self, what: str) -> None:
        """Let the process die at the next moment of this name."""
        self._name = what

    def point(self, what: str) -> None:
        """Be at a moment. Raises Crash."""
        self.passed += 1
        if what == self._name:
            self._name = ""
            raise Crash(self._strike)
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self._left = None
            raise Crash(self._strike)

    def forget(self) -> None:
        """Let nothing happen any more."""
        self._name = ""
        self._left = None
