"""What an answer took is told without the machine's other work, and nothing else is left out."""

import os
import subprocess
import sys
import threading
import time

import pytest

from tests.support import own_time

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/schedstat"),  # noqa: PTH110 - one look, at import
    reason="this kernel counts no time in line",
)
SPINS = "while True: pass"


def spin(seconds: float) -> None:
    """Use this much processor time, however long that takes."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_waiting_for_something_else_than_a_processor_counts() -> None:
    with own_time.of(os.getpid()) as spent:
        threading.Event().wait(0.1)
    assert 0.09 < spent.s <= spent.wall_s


def test_work_of_the_server_counts_as_the_processor_time_that_it_took() -> None:
    with own_time.of(os.getpid()) as spent:
        thread = threading.Thread(target=spin, args=(0.1,))
        thread.start()
        thread.join()
    assert spent.s >= spent.processor_s >= 0.09


def test_standing_in_line_behind_others_does_not_count() -> None:
    others = [
        subprocess.Popen([sys.executable, "-c", SPINS]) for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        with own_time.of(os.getpid()) as spent:
            spin(0.3)
    finally:
        for one in others:
            one.kill()
            one.wait()
    assert spent.in_line_s > 0.05, "nobody else had the processors: the test shows nothing"
    assert spent.s < spent.wall_s - 0.05
