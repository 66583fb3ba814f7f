"""The clocks of this machine."""

import time
from datetime import UTC, datetime

from sentienguard.ports import interrupt


class LocalClock:
    """A ports.clock.Clock: wall time and monotonic time as the kernel tells them."""

    def now(self) -> datetime:
        """Return wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since boot, time asleep left out."""
        return time.monotonic()

    def sleep(self, seconds: float, until: interrupt.Interrupt | None = None) -> None:
        """Wait, less long if `until` is requested meanwhile."""
        if until is not None:
            until.wait(max(seconds, 0.0))
        elif seconds > 0:
            time.sleep(seconds)
