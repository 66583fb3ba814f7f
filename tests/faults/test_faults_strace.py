"""A fault at every system call of the durable writers, in real processes, by strace.

Each of KILL, EIO and ENOSPC strikes each call in turn; the writer is then started again on the same
directory. Everything that was promised is there, nothing torn is taken for an entry, the log
verifies and its checkpoint did not go back, and no descriptor was synced again after a failed sync.
"""

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import durable_writers, traced_writer
from tests.support import effort

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (apt install strace)"),
]
SAMPLED = {"audit": 46, "journal": 20, "spool": 22, "witness": 12}  # points of the short form
AT_LEAST = {"audit": 600, "journal": 130, "spool": 200, "witness": 80}  # of the long form


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[traced_writer.Traced]:
    with traced_writer.Traced(tmp_path) as running:
        yield running


@pytest.mark.timeout(effort.pick(90, thorough=1_800))
@pytest.mark.parametrize("name", SAMPLED)
def test_a_fault_at_any_system_call_breaks_no_promise(
    traced: traced_writer.Traced, name: str
) -> None:
    every = traced.points(name)
    chosen = effort.pick(sorted(random.Random(name).sample(every, SAMPLED[name])), thorough=every)
    found: dict[str, tuple[str, ...]] = {}
    struck: Counter[str] = Counter()
    for point in chosen:
        outcome = traced.run(point)
        struck[point.fault] += outcome.struck
        if outcome.problems:
            found[str(point)] = outcome.problems
    print(f"{name}: {len(chosen)} of {len(every)} points, struck {dict(struck)}")
    assert found == {}
    assert len(every) >= AT_LEAST[name]
    assert struck.total() >= 0.9 * len(chosen), "faults miss their calls"
    assert len(struck) == len(traced_writer.FAULTS)


def test_a_sync_that_is_tried_again_is_seen() -> None:
    log = (
        "10 fdatasync(5) = -1 EIO (Input/output error) (INJECTED)\n"
        "10 close(5) = 0\n"
        "10 fsync(5) = 0\n"
        "11 fsync(6 <unfinished ...>\n"
        "10 write(7, ..., 3) = 3\n"
        "11 <... fsync resumed>) = -1 EIO (Input/output error) (INJECTED)\n"
    )
    assert list(traced_writer.synced_again(log)) == []
    again = list(traced_writer.synced_again(f"{log}12 fdatasync(6) = 0\n"))
    assert len(again) == 1


def test_a_writer_that_acknowledges_what_it_did_not_write_is_seen(
    traced: traced_writer.Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = traced_writer.Point("journal", "pwrite64", "KILL", 3)
    monkeypatch.setattr(
        traced, "_work", lambda *_, work=traced._work: (("record 99",), work(*_)[1])
    )
    assert any("record 99 is lost" in one for one in traced.run(point).problems)


def test_a_journal_that_goes_on_after_a_failed_sync_is_seen(traced: traced_writer.Traced) -> None:
    for fault in ("EIO", "ENOSPC"):
        point = traced_writer.Point("stubborn journal", "fdatasync", fault, 1)
        problems = traced.run(point).problems
        assert any("fdatasync" in one for one in problems), "the second sync was not seen"
        assert any("it wrote on" in one for one in problems)


def test_every_writer_is_struck() -> None:
    others = {"small audit", "blobs", "stubborn journal"}
    assert SAMPLED.keys() == durable_writers.WRITERS.keys() - others
