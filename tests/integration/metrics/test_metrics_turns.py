"""Who writes next: housekeeping, which writes thousands of times in a row, waits for samples."""

import contextlib
import threading
import time
from pathlib import Path

from sentienguard.adapters.metric_blocks.connections import Connections

PATIENCE_S = 60


def test_who_waits_writes_before_who_wrote_just_now(tmp_path: Path) -> None:
    written: list[str] = []
    with contextlib.closing(Connections(tmp_path / "metrics.db", None)) as connections:
        begun = threading.Event()

        def housekeeping() -> None:
            deadline = time.monotonic() + PATIENCE_S
            with connections.transaction():
                begun.set()
                while not connections._next.locked():  # until the sample waits
                    assert time.monotonic() < deadline
                    time.sleep(0.001)
                written.append("one desk")
            with connections.transaction():
                written.append("the next desk")

        keeper = threading.Thread(target=housekeeping)
        keeper.start()
        assert begun.wait(PATIENCE_S)
        with connections.transaction():
            written.append("a sample")
        keeper.join(PATIENCE_S)
    assert written == ["one desk", "a sample", "the next desk"]


def test_a_write_that_fails_leaves_the_turn_to_others(tmp_path: Path) -> None:
    with contextlib.closing(Connections(tmp_path / "metrics.db", None)) as connections:
        for _ in range(2):
            with contextlib.suppress(KeyError), connections.transaction():
                raise KeyError("a fault of ours")
        with connections.transaction() as write:
            assert write.in_transaction
