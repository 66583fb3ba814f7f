"""Turns at the processor for those who think about incidents.

Each incident has a thread, and a fault of many hosts opens hundreds at once. Python's threads share
one processor in equal parts, so that samples, polls and people would wait behind all of them. A few
think at a time: the last one is done hardly later for it, and everybody else goes on.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

THINKERS: Final = 2


class Turns:
    """So many threads at a time."""

    def __init__(self, most: int = THINKERS) -> None:
        """Begin with all turns free."""
        self._free = threading.BoundedSemaphore(most)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Think while the block lasts; wait for a turn before."""
        with self._free:
            yield

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Leave one's turn to others while the block waits for somebody outside."""
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
