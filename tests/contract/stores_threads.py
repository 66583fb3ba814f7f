"""Run the same work in many threads at once, to find what only a race shows."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

THREADS = 20


def at_once(work: Callable[[int], T], count: int = THREADS) -> list[T]:
    """Run the same work in many threads that start together."""
    line = threading.Barrier(count)

    def run(number: int) -> T:
        line.wait(timeout=30)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
