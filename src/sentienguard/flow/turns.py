"""Turns at the processor for those who think about incidents.

Each incident has a thread, and a fault of many hosts opens hundreds at once. Python's threads share
one processor in equal parts, so that samples, polls and people would wait behind all of them. A few
think at a time: the last one is done hardly later for it, and everybody else goes on.

    turns = Turns(2)
    with turns.taken():
        ...                    # think
        with lent():
            ...                # wait for somebody outside
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

THINKERS: Final = 2


class _Mine(threading.local):
    """The turns that a thread has, the one that it took first at the front."""

    def __init__(self) -> None:
        self.taken: list[threading.Semaphore] = []


_MINE: Final = _Mine()


class Turns:
    """So many threads at a time."""

    def __init__(self, most: int = THINKERS) -> None:
        """Begin with all turns free."""
        self._free = threading.BoundedSemaphore(most)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Think while the block lasts; wait for a turn before."""
        with self._free:
            _MINE.taken.append(self._free)
            try:
                yield
            finally:
                _MINE.taken.pop()


@contextlib.contextmanager
def lent() -> Iterator[None]:
    """Leave all turns of this thread to others while the block waits for somebody outside.

    They are taken again in the order in which they were: who has to wait for one holds none that
    comes after it, so nobody waits in a circle.
    """
    mine = tuple(_MINE.taken)
    for one in reversed(mine):
        one.release()
    try:
        yield
    finally:
        for one in mine:
            one.acquire()
