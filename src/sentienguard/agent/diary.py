"""What the agent says to its operator: one JSON object per line on standard error.

Called by everything in the two processes. systemd or the supervisor keep the lines. A failure that
repeats is told at its 1st, 2nd, 4th, 8th ... time, so that an outage of a week costs twenty lines.
"""

import json
import sys
import threading
import time


class Diary:
    """Writes lines and counts failures; safe to use from every thread."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}

    def tell(self, event: str, **facts: object) -> None:
        """Write one line."""
        record = {"at_ms": time.time_ns() // 1_000_000, "process": self._process, "event": event}
        text = json.dumps(record | facts, default=str)
        with self._lock:
            try:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()
            except (OSError, ValueError):
                return  # nobody reads; the work goes on

    def failed(self, what: str, error: BaseException) -> int:
        """Count a failure of `what`, tell it at powers of two; return the count."""
        with self._lock:
            count = self._failures[what] = self._failures.get(what, 0) + 1
        if count & (count - 1) == 0:
            reason = f"{type(error).__name__}: {error}"
            self.tell("failed", what=what, times=count, reason=reason)
        return count

    def worked(self, what: str) -> None:
        """Forget the failures of `what`; tell that it works again, where it had failed."""
        with self._lock:
            count = self._failures.pop(what, 0)
        if count:
            self.tell("recovered", what=what, after=count)

    @property
    def failures(self) -> dict[str, int]:
        """Return what fails now, and how often it did since it last worked."""
        with self._lock:
            return dict(self._failures)
