"""A request to stop that one thread makes and another one hears."""

import threading


class LocalInterrupt:
    """A ports.interrupt.Interrupt; `request` is called by whoever received the stop order."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._by: str | None = None

    def request(self, by: str) -> None:
        """Ask to stop; the first one to ask is the one who is named."""
        if self._by is None:
            self._by = by
        self._event.set()

    def requested(self) -> str | None:
        """Return who asked."""
        return self._by

    def wait(self, seconds: float) -> bool:
        """Wait for the request, at most `seconds`."""
        return self._event.wait(seconds)
