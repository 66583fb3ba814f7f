"""Whether the clock is right, as far as the host itself knows.

Gives system.clock_synchronised (1 or 0: a time service disciplines it), system.clock_error_s (the
most by which it may be wrong, as the kernel reckons; 16 s is the most it says), and
system.clock_step_s (by how much it was set since the sample before, against the monotonic clock).
"""

import ctypes

from sentienguard.agent import collectors

_ERROR_STATE = 5  # what adjtimex returns while nothing disciplines the clock
_LEAST_STEP_MS = 100  # slewing and the pauses between two calls stay below this
_TIMEX_WORDS = 26  # struct timex is 208 bytes on 64-bit Linux
_MAXERROR = 3  # in words: modes, offset, freq, maxerror (microseconds)


class Clock(collectors.Unprepared):
    """Keeps the distance between both clocks at the sample before."""

    name = "clock"

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._distance_ms: int | None = None

    def read(self, into: collectors.Reading) -> None:
        """Add up to three readings; a kernel that does not tell (seccomp) leaves two out."""
        distance = into.at_ms - into.at_ns // 1_000_000
        before, self._distance_ms = self._distance_ms, distance
        if before is not None:
            step = distance - before
            into.values["system.clock_step_s", ""] = (
                round(step / 1000, 1) if abs(step) >= _LEAST_STEP_MS else 0.0
            )
        buffer = (ctypes.c_long * _TIMEX_WORDS)()  # modes = 0: read, change nothing
        state = self._library.adjtimex(buffer)
        if state >= 0:
            into.values["system.clock_synchronised", ""] = int(state != _ERROR_STATE)
            into.values["system.clock_error_s", ""] = round(buffer[_MAXERROR] / 1e6, 1)
