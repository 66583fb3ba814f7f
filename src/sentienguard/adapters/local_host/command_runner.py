"""Commands on this machine, each in its own session, none of them outliving its limit.

The rules are those of ports.command_runner. The group dies by kill(2) on the group, which no fork
can race. What left the group (setsid) is found by the mark in its environment. The leader is left
uncollected until its group is dead, so that its number cannot pass to another process meanwhile.
"""

import contextlib
import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from sentienguard.adapters.local_host import procfs
from sentienguard.model import playbook
from sentienguard.ports import command_runner
from sentienguard.ports import interrupt as interrupts

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MARK = "SENTIENGUARD_ORDER"  # environment variable that every process of a step carries
GRACE_S = 2.0  # between SIGTERM and SIGKILL: time to remove a lock file, too short to hang on
POLL_S = 0.05  # how soon a request to stop is heard
SWEEPS = 50  # rounds over /proc while marked processes keep appearing
READ_BYTES = 65_536
# What is read after the command has ended: as much as a pipe may hold. A daemon that it left behind
# may go on writing for ever, faster than we read.
LAST_BYTES = 1 << 20


class LocalCommands:
    """A ports.command_runner.CommandRunner."""

    def run(
        self,
        argv: Sequence[str],
        *,
        limit: float,
        mark: str,
        interrupt: interrupts.Interrupt,
        as_user: str = "",
        started: Callable[[command_runner.ProcessGroup], None] | None = None,
    ) -> command_runner.CommandResult:
        """Run argv; see the port."""
        began = time.monotonic()
        child, streams = _start(argv, mark, _identity(as_user))
        try:
            if started is not None:
                started(_group(child.pid))
            running = _Running(child, streams, mark)
            ending = running.watch(began + limit, interrupt)
            running.finish(ending)
        except BaseException:
            _kill_group(child.pid)
            child.wait()
            raise
        finally:
            for descriptor in streams:
                os.close(descriptor)
        return command_runner.CommandResult(
            ending=ending,
            exit_code=child.returncode if ending is command_runner.Ending.EXITED else None,
            stdout=running.stdout.text(),
            stderr=running.stderr.text(),
            truncated=running.stdout.truncated or running.stderr.truncated,
            duration_ms=int((time.monotonic() - began) * 1000),
        )

    def end_marked(self, mark: str, groups: Sequence[command_runner.ProcessGroup]) -> int:
        """Kill what is left of earlier runs; see the port."""
        killed = 0
        for group in groups:
            if procfs.lives(group.pgid, group.started):
                killed += len(procfs.members(group.pgid))
                _kill_group(group.pgid)
        return killed + _sweep(mark)

    def boot(self) -> str:
        """Return the kernel's boot id; see the port."""
        return (procfs.PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()

    def locate(self, program: str) -> str | None:
        """Return where a program is; see the port."""
        places = [""] if program.startswith("/") else PATH.split(":")
        for place in places:
            path = os.path.join(place, program)  # noqa: PTH118 - text in, text out
            if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113 - as above
                return path
        return None


class _Kept:
    """The first and the last part of an output stream."""

    def __init__(self) -> None:
        self._half = playbook.MAX_OUTPUT_BYTES // 2 - 64
        self._head = bytearray()
        self._tail = bytearray()
        self._lost = 0

    @property
    def truncated(self) -> bool:
        return self._lost > 0

    def add(self, data: bytes) -> None:
        room = max(0, self._half - len(self._head))
        self._head += data[:room]
        self._tail += data[room:]
        over = len(self._tail) - self._half
        if over > 0:
            del self._tail[:over]
            self._lost += over

    def text(self) -> str:
        lost = f"\n[{self._lost} bytes left out]\n".encode() if self._lost else b""
        return (bytes(self._head) + lost + bytes(self._tail)).decode("utf-8", "replace")


class _Running:
    """One command between its start and the end of its last process."""

    def __init__(self, child: subprocess.Popen[bytes], streams: tuple[int, int], mark: str) -> None:
        self._child = child
        self._mark = mark
        self.stdout = _Kept()
        self.stderr = _Kept()
        self._streams = dict(zip(streams, (self.stdout, self.stderr), strict=True))

    def watch(self, until: float, interrupt: interrupts.Interrupt) -> command_runner.Ending:
        """Read until the command itself ends, its limit is over or somebody asks to stop."""
        handle = os.pidfd_open(self._child.pid)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        for descriptor in self._streams:
            os.set_blocking(descriptor, False)
            poll.register(descriptor, select.POLLIN)
        try:
            while True:
                left = until - time.monotonic()
                if left <= 0:
                    return command_runner.Ending.TIMED_OUT
                if interrupt.requested() is not None:
                    return command_runner.Ending.STOPPED
                ready = [descriptor for descriptor, _ in poll.poll(min(left, POLL_S) * 1000)]
                if handle in ready:
                    return command_runner.Ending.EXITED
                for descriptor in ready:
                    if not self._read(descriptor):
                        poll.unregister(descriptor)
        finally:
            os.close(handle)

    def finish(self, ending: command_runner.Ending) -> None:
        """End what is left of the group, and of the mark unless the command ended by itself."""
        if ending is not command_runner.Ending.EXITED:
            _signal_group(self._child.pid, signal.SIGTERM)
            _signal_group(self._child.pid, signal.SIGCONT)  # a stopped process hears no SIGTERM
            self._drain_until_exit(time.monotonic() + GRACE_S)
        _kill_group(self._child.pid)
        self._child.wait()
        if ending is not command_runner.Ending.EXITED:
            _sweep(self._mark)
        for descriptor in self._streams:
            left = LAST_BYTES
            while left > 0 and (got := self._read(descriptor)):
                left -= got

    def _drain_until_exit(self, until: float) -> None:
        handle = os.pidfd_open(self._child.pid)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        try:
            while (left := until - time.monotonic()) > 0:
                if poll.poll(min(left, POLL_S) * 1000):
                    return
                for descriptor in self._streams:
                    self._read(descriptor)  # a full pipe must not keep it from ending
        finally:
            os.close(handle)

    def _read(self, descriptor: int) -> int:
        """Take one piece and return its size; 0 where there is none now or ever."""
        try:
            data = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return 0
        self._streams[descriptor].add(data)
        return len(data)


def _identity(as_user: str) -> dict[str, Any]:
    """Say as whom to run. Raises CommandNotRunnable where that cannot be done."""
    if not as_user:
        return {}
    try:
        entry = pwd.getpwnam(as_user)
    except KeyError as error:
        raise command_runner.CommandNotRunnable(
            f"user {as_user!r} does not exist on this host; create it or leave `user` out"
        ) from error
    if entry.pw_uid == os.geteuid():
        return {}
    if os.geteuid() != 0:
        raise command_runner.CommandNotRunnable(
            f"to run as {as_user!r} the executor must be root, and it is user {os.geteuid()}"
        )
    groups = os.getgrouplist(as_user, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}


def _start(
    argv: Sequence[str], mark: str, identity: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], tuple[int, int]]:
    """Start a program; return it and the ends from which its stdout and stderr are read.

    The pipes are made here: file objects around them, as Popen makes, cost as much as all else that
    this process does for a program.
    """
    ends: list[int] = []
    try:
        ends += os.pipe()
        ends += os.pipe()
        stdout, into_stdout, stderr, into_stderr = ends
        child = subprocess.Popen(  # noqa: S603 - argv of a signed playbook, never a shell
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=into_stdout,
            stderr=into_stderr,
            cwd="/",
            env={"PATH": PATH, "LANG": "C", MARK: mark},
            start_new_session=True,
            **identity,
        )
    except BaseException as error:
        for each in ends:
            os.close(each)
        if isinstance(error, OSError | ValueError):
            raise command_runner.CommandNotRunnable(
                f"cannot start {argv[0] if argv else '(nothing)'}: {error}"
            ) from error
        raise
    os.close(into_stdout)
    os.close(into_stderr)
    return child, (stdout, stderr)


def _group(pid: int) -> command_runner.ProcessGroup:
    fields = procfs.stat(pid)  # never None: the child is ours and not collected yet
    return command_runner.ProcessGroup(pid, 0 if fields is None else int(fields[20]))


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _kill_group(group: int) -> None:
    _signal_group(group, signal.SIGKILL)


def _sweep(mark: str) -> int:
    """Kill every process that carries the mark, until a look finds none."""
    needle = f"{MARK}={mark}".encode()
    killed: set[tuple[int, int]] = set()
    for _ in range(SWEEPS):
        found = [
            process
            for pid in procfs.pids()
            if pid != os.getpid() and needle in procfs.environment(pid).split(b"\0")
            if (process := procfs.find(pid)) is not None and procfs.alive(process)
        ]
        if not found:
            break
        for process in found:
            if procfs.send(process, signal.SIGKILL):
                killed.add((process.pid, process.started))
        time.sleep(0.01)
    return len(killed)
