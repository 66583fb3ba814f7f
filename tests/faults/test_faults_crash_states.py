"""Power that goes at any moment: what was promised is there, and recovery never cries wolf.

The planted bugs show that the search sees what it is there to see: each is one line that a hurried
change could leave out or swap.
"""

import contextlib
import itertools
import os
import shutil
import tempfile
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentienguard.adapters.audit_files import blobs, disk, log, segments, store
from sentienguard.adapters.execution_journal_files import journal
from sentienguard.agent import private_files, spool
from sentienguard.ports import audit_log
from tests.faults import crash_states, durable_writers, recorded_disk
from tests.faults import disk_model as model
from tests.support import effort

pytestmark = pytest.mark.integration

SHORT = crash_states.Effort(drawn=2, cuts=1, whole=3)
LONG = crash_states.Effort(drawn=64, cuts=24, whole=9)
Lives = Iterable[crash_states.Life]


@pytest.fixture(autouse=True)
def small_reserves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state is a copy of the whole file: zeros set aside would be most of it."""
    monkeypatch.setattr(journal, "RESERVE_BYTES", 4096)
    monkeypatch.setattr(journal, "LEAST_RESERVE_BYTES", 1024)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory in memory, where there is such a file system: nothing here needs a disk."""
    memory = Path("/dev/shm")
    found = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    for name in ("first", "second", "state"):
        (found / name).mkdir()
    yield found
    shutil.rmtree(found)


def lives(kind: str, writer: durable_writers.Writer, place: Path, every: int) -> Lives:
    """Return the lives of one kind."""
    first = crash_states.first_life(writer, place / "first")
    match kind:
        case "first":
            return [first]
        case "killed":
            return crash_states.lives_after_a_kill(writer, place / "second", first, every)
        case "sync failed":
            return crash_states.lives_after_a_failed_sync(writer, place / "second", first, every)
        case _:
            return crash_states.lives_of_recoveries(writer, place / "second", first, SHORT, every)


# Writer, kind of life, stride of the short and of the long search in lives and in states, and how
# many states there are to be at least.
Search = tuple[str, str, tuple[int, int], tuple[int, int], int, int]
SEARCHES: list[Search] = [
    ("audit", "first", (1, 6), (1, 1), 200, 3_000),
    ("small audit", "killed", (9, 2), (3, 2), 200, 20_000),
    ("small audit", "sync failed", (4, 2), (1, 1), 60, 8_000),
    ("small audit", "recovering", (60, 4), (4, 2), 40, 12_000),
    ("journal", "first", (1, 1), (1, 1), 100, 300),
    ("journal", "killed", (4, 1), (1, 1), 300, 8_000),
    ("journal", "sync failed", (2, 1), (1, 1), 200, 3_500),
    ("journal", "recovering", (9, 1), (1, 1), 40, 800),
    ("spool", "first", (1, 1), (1, 1), 150, 900),
    ("spool", "killed", (6, 4), (1, 1), 200, 50_000),
    ("spool", "sync failed", (3, 6), (1, 1), 100, 30_000),
    ("spool", "recovering", (30, 1), (1, 1), 10, 300),
    ("witness", "first", (1, 1), (1, 1), 40, 100),
    ("witness", "killed", (3, 1), (1, 1), 200, 2_500),
    ("witness", "sync failed", (2, 1), (1, 1), 80, 1_000),
]  # fmt: skip


@pytest.mark.timeout(effort.pick(60, thorough=1_800))
@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: f"{search[0]}, {search[1]}")
def test_whatever_a_crash_leaves_every_promise_holds_and_recovery_is_right(
    place: Path, search: Search
) -> None:
    name, kind, short, long, *least = search
    writer = durable_writers.WRITERS[name]
    every, stride = effort.pick(short, thorough=long)
    usual = effort.pick(SHORT, thorough=LONG)
    chosen = crash_states.Effort(usual.drawn, usual.cuts, usual.whole, stride)
    found = crash_states.search(
        writer, lives(kind, writer, place, every), place / "state", chosen, enough=5
    )
    print(f"{name}, {kind}: {found.states} states")
    assert found.problems == []
    assert found.states >= effort.pick(least[0], thorough=least[1])


# --- bugs that the search must find


class Instead:
    """The module `os` with some calls replaced, for one module of the product."""

    def __init__(self, **calls: Callable[..., Any]) -> None:
        self.__dict__.update(calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def nothing(*_: Any, **__: Any) -> None:
    """Leave a call out."""


def rename_first(self: disk.Disk, path: Path, content: bytes, *, durable: bool = True) -> None:
    beside = path.with_name(f".{path.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(handle, content)
    beside.replace(path)
    self.sync_directory(path.parent)
    os.fsync(handle)
    os.close(handle)


def late(real: Callable[..., None]) -> Callable[..., None]:
    """Sync what was written before what is being acknowledged."""
    waiting: list[tuple[Any, ...]] = []

    def sync(*arguments: Any) -> None:
        waiting.append(arguments)
        if len(waiting) > 1:
            with contextlib.suppress(OSError):  # of a file that is closed by now
                real(*waiting.pop(0))

    return sync


def another(self: disk.Disk, descriptor: int) -> None:
    os.fdatasync(min(descriptor, *OTHERS))


OTHERS: list[int] = []


def remember(real: Callable[..., int]) -> Callable[..., int]:
    def opened(self: disk.Disk, path: Path) -> int:
        OTHERS.append(real(self, path))
        return OTHERS[-1]

    return opened


def greedy(real: Callable[[bytes], segments.Parsed]) -> Callable[[bytes], segments.Parsed]:
    """Cut off one record too many where the end is torn."""

    def parse(content: bytes) -> segments.Parsed:
        found = real(content)
        if found.problem is None or not found.records:
            return found
        end = found.offsets[-1] - segments.HEADER.size
        return segments.Parsed(found.offsets[:-1], found.records[:-1], end, found.problem, True)

    return parse


def greedy_end(self: journal.JournalFile) -> int:
    content = os.pread(self._file, 1 << 20, 0)
    at = end = before = 0
    for line in content.splitlines(keepends=True):
        if not journal._intact(line):
            return before if line.strip(b"\0") else end
        before, at = at, at + len(line)
        end = at
    return end


def strict(real: Callable[..., bytes]) -> Callable[..., bytes]:
    """Forget that a crash may interrupt an erasure."""

    def get(self: blobs.Blobs, sha256: str) -> bytes:
        try:
            return real(self, sha256)
        except audit_log.BlobErased:
            if self._paths(sha256)[1].exists():
                raise audit_log.AuditBroken("damaged") from None
            raise

    return get


def always(value: bool) -> property:
    return property(lambda _: value, lambda _, __: None)


def not_closed(self: spool.Spool) -> None:
    if self._writer >= 0:
        os.fdatasync(self._writer)


Plant = Callable[[pytest.MonkeyPatch], None]


def swap(target: Any, name: str, value: Any) -> Plant:
    return lambda patch: patch.setattr(target, name, value, raising=False)


def wrap(target: Any, name: str, wrapper: Callable[[Any], Any]) -> Plant:
    return lambda patch: patch.setattr(target, name, wrapper(getattr(target, name)))


def calls(module: types.ModuleType, **replaced: Callable[..., Any]) -> Plant:
    return lambda patch: patch.setattr(module, "os", Instead(**replaced))


def both(*plants: Plant) -> Plant:
    return lambda patch: [plant(patch) for plant in plants] and None


def late_journal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "os", Instead(fdatasync=late(os.fdatasync)))


BUGS = [
    ("audit: no fdatasync", "audit", "first", swap(disk.Disk, "sync_data", nothing)),
    ("audit: no directory fsync", "audit", "first", swap(disk.Disk, "sync_directory", nothing)),
    ("audit: rename before fsync", "audit", "first", swap(disk.Disk, "replace", rename_first)),
    ("audit: acknowledge before sync", "audit", "first", wrap(disk.Disk, "sync_data", late)),
    (
        "audit: sync of the wrong descriptor", "small audit", "first",
        both(wrap(disk.Disk, "open_append", remember), swap(disk.Disk, "sync_data", another)),
    ),
    ("audit: recovery cuts too much", "audit", "first", wrap(segments, "parse", greedy)),
    ("audit: recovery signs what is not synced", "small audit", "killed",
     swap(store.Store, "_settle", nothing)),
    ("audit: recovery trusts the cache after a failed sync", "small audit", "sync failed",
     swap(disk.Disk, "write_again", nothing)),
    ("audit: recovery trusts names that were not synced", "small audit", "sync failed",
     swap(log.AuditFiles, "_settle", nothing)),
    ("audit: torn end taken for damage", "audit", "first",
     swap(segments, "batch_begins_after", lambda *_: True)),
    ("audit: blobs without their directories", "audit", "first",
     swap(blobs.Blobs, "_settle", lambda _, folder: folder.mkdir(parents=True, exist_ok=True))),
    ("audit: a half destroyed key taken for damage", "blobs", "first",
     wrap(blobs.Blobs, "get", strict)),
    ("journal: no fdatasync", "journal", "first", calls(journal, fdatasync=nothing)),
    ("journal: no fsync before the rename", "journal", "first", calls(journal, fsync=nothing)),
    ("journal: no directory fsync", "journal", "first",
     swap(journal, "_sync_directory", nothing)),
    ("journal: every line claims a sync before it", "journal", "first",
     swap(journal.JournalFile, "_settled", always(True))),
    ("journal: acknowledge before sync", "journal", "first",
     late_journal),
    ("journal: recovery cuts too much", "journal", "first",
     swap(journal.JournalFile, "_intact_end", greedy_end)),
    ("journal: recovery trusts the cache after a failed sync", "journal", "sync failed",
     swap(journal.JournalFile, "_write_again", nothing)),
    ("spool: no fdatasync", "spool", "first", calls(spool, fdatasync=nothing)),
    ("spool: no directory fsync", "spool", "first", swap(private_files, "sync_directory", nothing)),
    ("spool: a segment's name is not synced", "spool", "first",
     swap(spool.Spool, "_named", always(True))),
    ("spool: a failed sync is tried again", "spool", "sync failed",
     swap(spool.Spool, "_settle", not_closed)),
    ("spool: an acknowledgement without checksum", "spool", "first",
     both(swap(spool, "_put_checked", spool._put),
          swap(spool, "_acknowledged", lambda place: spool._number(place / "acknowledged", 0)))),
    ("witness: no fsync before the rename", "witness", "first",
     calls(private_files, fsync=nothing)),
    ("witness: no directory fsync", "witness", "first",
     swap(private_files, "sync_directory", nothing)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "plant"), [bug[1:] for bug in BUGS], ids=[bug[0] for bug in BUGS]
)
def test_a_planted_bug_is_found(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, plant: Plant
) -> None:
    writer = durable_writers.WRITERS[name]
    OTHERS.clear()
    plant(monkeypatch)
    chosen = crash_states.Effort() if kind == "first" else crash_states.Effort(2, 1, 3, stride=7)
    began = 12 if kind == "killed" else 0  # before that the log is not even open
    chosen_lives = itertools.islice(lives(kind, writer, place, 1), began, None)
    found = crash_states.search(writer, chosen_lives, place / "state", chosen)
    print(f"found in state {found.states}: {found.problems}")
    assert found.problems


def test_the_recorder_notices_what_goes_past_it(place: Path) -> None:
    with (
        pytest.raises(AssertionError, match="overlooked"),
        recorded_disk.Recording(place / "first"),
    ):
        (place / "first" / "unseen").write_bytes(b"x")


def test_the_model_keeps_what_was_synced_and_may_lose_the_rest() -> None:
    disk_ = model.Disk()
    for one in (
        model.Make(1, is_directory=False),
        model.Name(0, (("file", 1),)),
        model.Write(1, 0, b"safe"),
        model.Sync(1),
        model.Write(1, 4, b"lost"),
    ):
        disk_.do(one)
    every = {id(change): None for change in disk_.pending()}
    assert disk_.tree() == {"file": b"safelost"}
    assert disk_.tree(every) == {}, "the name was never synced"
    disk_.do(model.Sync(0))
    assert disk_.tree({id(change): None for change in disk_.pending()}) == {"file": b"safe"}
    disk_.do(model.Sync(1, failed=True))
    disk_.do(model.Sync(1))
    assert len(disk_.pending()) == 1, "what a failed sync covered is not written by the next"
