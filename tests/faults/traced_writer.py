"""Run a writer under strace with one fault, restart it without, and judge both.

Called by test_faults_strace. A point is a writer, a system call, a fault, and which of the calls
(in each thread) it strikes. The directory begins as a crash left it: with entries that were
promised, and a torn end.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

ROOT = Path(__file__).resolve().parents[2]
CALLS = (
    "openat", "close", "read", "pread64", "write", "pwrite64", "lseek", "fsync", "fdatasync",
    "ftruncate", "truncate", "fallocate", "flock", "rename", "renameat", "renameat2", "unlink",
    "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "getdents64", "newfstatat",
    "fstat", "stat",
)  # fmt: skip
FAULTS = {"KILL": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}
HANGS_S = 30  # a writer works for some hundredths of a second
_CALL = re.compile(r"^(\d+) +(\w+)\((\d*)")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>")
_TORN = {"audit": ("segments", b"\x80\x00\x01\x20torn"), "journal": ("", b'L 0badc0de {"t":')}


@dataclass(frozen=True, order=True)
class Point:
    """One fault."""

    writer: str
    call: str
    fault: str
    number: int  # of the call, from 1, in each thread

    def __str__(self) -> str:
        return f"{self.writer}: {self.fault} at {self.call} {self.number}"


@dataclass(frozen=True)
class Outcome:
    """What became of a run."""

    struck: bool  # the fault happened
    told: tuple[str, ...]
    problems: tuple[str, ...]
    log: str


class Traced:
    """The process that forks writers, and a directory for each run; a context manager."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._made: dict[str, tuple[Path, tuple[str, ...]]] = {}
        self._killed = False  # the last process that was forked
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.faulty_writer"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True, bufsize=1,
        )  # fmt: skip
        assert self._out.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._in.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()

    @property
    def _in(self) -> IO[str]:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _out(self) -> IO[str]:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout

    def points(self, writer: str) -> list[Point]:
        """Return every point of a writer, found by a run without faults."""
        outcome = self.run(Point(writer, "", "", 0))
        assert outcome.problems == (), outcome
        counts: Counter[tuple[str, str]] = Counter()
        for line in outcome.log.splitlines():
            if (found := _CALL.match(line)) and found[2] in CALLS:
                counts[found[2], found[1]] += 1
        most: dict[str, int] = {}
        for (call, _), count in counts.items():
            most[call] = max(most.get(call, 0), count)
        return [
            Point(writer, call, fault, number)
            for call, count in sorted(most.items())
            for fault in FAULTS
            for number in range(1, count + 1)
        ]

    def run(self, point: Point) -> Outcome:
        """Let the fault strike, restart, and judge."""
        begun, before = self._begun(point.writer)
        place = self._place / "run"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(begun, place)
        told, log = self._work(point.writer, place, point)
        struck = self._killed if point.fault == "KILL" else "INJECTED" in log
        problems = [*self._check(point.writer, place, [*before, *told]), *synced_again(log)]
        return Outcome(struck, told, tuple(problems), log)

    def _begun(self, writer: str) -> tuple[Path, tuple[str, ...]]:
        """Return a directory as a crash left it, and what was promised before."""
        if writer not in self._made:
            place = self._place / f"begun-{writer}"
            place.mkdir()
            told, _ = self._work(writer, place, None)
            if writer in _TORN:
                folder, bytes_ = _TORN[writer]
                newest = max(one for one in (place / folder).iterdir() if one.is_file())
                content = newest.read_bytes()
                end = len(content.rstrip(b"\0"))
                newest.write_bytes(content[:end] + bytes_ + content[end + len(bytes_) :])
            self._made[writer] = place, told
        return self._made[writer]

    def _work(self, writer: str, place: Path, point: Point | None) -> tuple[tuple[str, ...], str]:
        self._in.write(f"work\t{writer}\t{place}\n")
        child = int(self._out.readline().split()[1])
        with contextlib.ExitStack() as stack:
            log = self._place / "strace.log"
            if point is not None:
                stack.enter_context(_strace(child, point, log))
            os.kill(child, signal.SIGUSR1)
            told = tuple(one[5:] for one in self._lines() if one.startswith("told "))
        return told, "" if point is None else log.read_text()

    def _check(self, writer: str, place: Path, promised: Sequence[str]) -> list[str]:
        self._in.write(f"check\t{writer}\t{place}\n" + "".join(f"{one}\n" for one in promised))
        self._in.write("end\n")
        return [one for one in self._lines() if one.startswith("broken")]

    def _lines(self) -> list[str]:
        found = []
        for line in self._out:
            if line.startswith("done "):
                self._killed = line == "done -9\n"
                return found
            found.append(line.rstrip("\n"))
        raise AssertionError("the process that forks writers is gone")


@contextlib.contextmanager
def _strace(child: int, point: Point, log: Path) -> Iterator[None]:
    """Attach to a process that waits, and then wait for its end."""
    argv = ["strace", "-f", "-o", str(log), "-s", "8", "-e", "signal=none",
            "-e", f"trace={','.join(CALLS)}", "-p", str(child)]  # fmt: skip
    if point.fault:
        argv += ["-e", f"inject={point.call}:{FAULTS[point.fault]}:when={point.number}"]
    tracer = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert tracer.stderr is not None
    try:
        attached = tracer.stderr.readline()
        assert "attached" in attached, attached
        yield
        tracer.wait(HANGS_S)
    except subprocess.TimeoutExpired:
        os.kill(child, signal.SIGKILL)
        raise AssertionError(f"{point}: the writer hangs") from None
    finally:
        tracer.kill()
        tracer.wait()
        tracer.stderr.close()


def synced_again(log: str) -> Iterator[str]:
    """Yield each sync of a descriptor after one of the same descriptor failed."""
    failed: dict[str, str] = {}  # descriptor -> the call that failed
    under_way: dict[str, tuple[str, str]] = {}  # thread -> call, descriptor
    for line in log.splitlines():
        if call := _CALL.match(line):
            thread, name, descriptor = call.groups()
            under_way[thread] = name, descriptor
            if name in {"fsync", "fdatasync"} and descriptor in failed:
                yield f"{line} after {failed[descriptor]}"
        elif resumed := _RESUMED.match(line):
            thread = resumed[1]
            if thread not in under_way:
                continue
            name, descriptor = under_way[thread]
        else:
            continue
        if name in {"fsync", "fdatasync"} and "= -1 " in line:
            failed[descriptor] = line
        elif name == "close":
            failed.pop(descriptor, None)
