"""The services of this machine: those that the agent's owner declares, and systemd's units.

A declared service is a program in a session of its own whose number stands in its pid file. The
number alone proves nothing, so what this file started is also remembered with its start; a number
that somebody else wrote counts only if its process is older than what was written.

Who writes the pid file is learnt at each start: a program that wrote it, or that left another
process in its place and ended (a daemon that forks), owns it and keeps it; otherwise the number is
ours to write. What was started here is known also where its file was lost.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentienguard.adapters.local_host import command_runner as commands
from sentienguard.adapters.local_host import procfs, systemd
from sentienguard.ports import http_probe, processes, services

HEALTH_S = 2.0  # within which a health address has to answer
SETTLE_S = 0.2  # a program that cannot start is gone by then
FORK_S = 10.0  # for a daemon whose start ended well to name its process
POLL_S = 0.02
FORCE_S = 5.0  # after SIGKILL only a process stuck in the kernel is still there
GRACE_SHARE = 0.5  # of a limit, for the service to end by itself
MOST_DIGITS = 32  # of a first line of a pid file; PostgreSQL's has more lines
CLOCK_SLACK_S = 10.0  # wall clocks step, and file systems round


@dataclass(frozen=True, slots=True)
class Declared:
    """A service as agent.json declares it."""

    name: str
    start: tuple[str, ...]  # argv
    pid_file: Path
    health_url: str | None = None
    log_file: Path | None = None
    config_file: Path | None = None


class LocalServices:
    """A ports.services.Services."""

    def __init__(
        self,
        declared: Mapping[str, Declared],
        state: Path,
        probe: http_probe.HttpProbe,
        units: systemd.Systemd,
    ) -> None:
        """Take the declarations, and a directory of ours that remembers what was started."""
        self._declared = dict(declared)
        self._state = state
        self._probe = probe
        self._units = units
        self._children: list[subprocess.Popen[bytes]] = []

    def names(self) -> frozenset[str]:
        """Return every name; a declaration hides a unit of the same name."""
        return frozenset(self._declared) | self._units.names()

    def describe(self, name: str) -> services.Service:
        """Return what is known; see the port."""
        if name not in self._declared:
            self._require(name)
            return services.Service(name)
        known = self._declared[name]
        return services.Service(
            name,
            known.health_url,
            None if known.log_file is None else str(known.log_file),
            None if known.config_file is None else str(known.config_file),
        )

    def state(self, name: str) -> services.State:
        """Measure it now; see the port."""
        if name not in self._declared:
            self._require(name)
            return self._units.state(name)
        known = self._declared[name]
        process = self._process(known)
        if process is None:
            there = Path(known.start[0]).exists()
            return services.State(services.Status.STOPPED if there else services.Status.MISSING)
        hung = process.state in "Tt" or (
            known.health_url is not None and self._probe.ask(known.health_url, HEALTH_S).status == 0
        )
        status = services.Status.HUNG if hung else services.Status.RUNNING
        return services.State(status, process.pid, process.started)

    def start(self, name: str, limit: float) -> None:
        """Make it run; see the port."""
        if name not in self._declared:
            self._require(name)
            self._units.tell("start", name, limit)
        elif self._process(self._declared[name]) is None:
            self._launch(self._declared[name], limit)

    def stop(self, name: str, limit: float) -> None:
        """Ask it to end, then make it; see the port."""
        if name not in self._declared:
            self._require(name)
            self._units.tell("stop", name, limit)
        else:
            self._end(self._declared[name], min(limit * GRACE_SHARE, max(0.0, limit - FORCE_S)))

    def kill(self, name: str, limit: float) -> None:
        """End it by force; see the port."""
        if name not in self._declared:
            self._require(name)
            self._units.tell("kill", name, limit)
            self._units.tell("stop", name, limit)
        else:
            self._end(self._declared[name], 0.0)

    def reload(self, name: str, limit: float) -> None:
        """Send SIGHUP, or have systemd reload it; see the port."""
        if name not in self._declared:
            self._require(name)
            self._units.tell("reload", name, limit)
            return
        process = self._process(self._declared[name])
        if process is None or not procfs.send(process, signal.SIGHUP):
            raise services.ServiceFailed(f"service {name} does not run, so it cannot reload")

    def leftovers(self, name: str) -> int:
        """Count the living group of the dead main process; see the port."""
        if name not in self._declared:
            self._require(name)
            return 0  # systemd ends a unit's whole control group
        return len(self._left(self._declared[name]))

    def end_leftovers(self, name: str, limit: float) -> int:
        """End that group; see the port."""
        if name not in self._declared:
            self._require(name)
            return 0
        family = self._left(self._declared[name])
        for each in family:
            procfs.send(each, signal.SIGTERM)
        _wait_gone(family, min(limit * GRACE_SHARE, FORCE_S))
        for each in family:
            procfs.send(each, signal.SIGKILL)
        _wait_gone(family, min(limit * GRACE_SHARE, FORCE_S))
        if left := [each.pid for each in family if procfs.alive(each)]:
            raise services.ServiceFailed(f"service {name}: process {left[0]} does not end")
        return len(family)

    def _left(self, known: Declared) -> tuple[processes.Process, ...]:
        """Return what is in the group that the dead main process led.

        The kernel gives the number of a living group to no new process, so whoever is in the group
        of the number in the pid file descends from the process that had it.
        """
        if self._process(known) is not None:
            return ()
        named = _named(known)
        if named is None:
            return ()
        pid = named[0]
        leader = procfs.find(pid)
        if pid in {0, 1, os.getpgrp()} or (leader is not None and procfs.alive(leader)):
            return ()  # a living process of that number is a stranger, or the executor's own
        return procfs.members(pid)

    def _require(self, name: str) -> None:
        if not self._units.has(name):
            raise services.UnknownService(
                f"this host has no service {name!r}; known: {', '.join(sorted(self._declared))}"
            )

    def _process(self, known: Declared) -> processes.Process | None:
        """Return the living main process: the pid file's, else the one that was started here."""
        self._children = [child for child in self._children if child.poll() is None]  # no zombies
        remembered = self._remembered(known.name)
        named = _named(known)
        process = None if named is None else _living(named[0])
        if named is not None and process is not None:
            if remembered.get("pid") == process.pid:
                return process if remembered.get("started") == process.started else None
            if time.time() - process.uptime_s <= named[1] + CLOCK_SLACK_S:
                return process
        process = _living(remembered.get("pid", 0))
        same = process is not None and remembered.get("started") == process.started
        return process if same else None

    def _remembered(self, name: str) -> Mapping[str, int]:
        try:
            found = json.loads((self._state / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _launch(self, known: Declared, limit: float) -> None:
        before = _mark(known.pid_file)
        with _output(known) as output:
            try:
                child = subprocess.Popen(  # noqa: S603 - declared by the owner of this host
                    list(known.start),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env={"PATH": commands.PATH, "LANG": "C"},
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise services.ServiceFailed(f"service {known.name}: {error}") from error
        self._children.append(child)
        self._remember(known, procfs.find(child.pid), child.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._follow(known, child.wait(min(SETTLE_S, limit)), limit)
            return
        if _mark(known.pid_file) == before:
            _write(known.pid_file, f"{child.pid}\n")  # it keeps none of its own
        elif (process := self._process(known)) is not None:
            self._remember(known, process, process.pid)

    def _follow(self, known: Declared, code: int, limit: float) -> None:
        """Learn which process a daemon that forked has left; its start ended with this status."""
        until = time.monotonic() + min(FORK_S, limit)
        while (process := self._process(known)) is None and code == 0:
            if time.monotonic() > until:
                break
            time.sleep(POLL_S)
        if process is None:
            raise services.ServiceFailed(
                f"service {known.name} ended at once with status {code} and {known.pid_file} names "
                f"no process of it; see {known.log_file or 'its own log'}"
            )
        self._remember(known, process, process.pid)

    def _remember(self, known: Declared, process: processes.Process | None, pid: int) -> None:
        remembered = {"pid": pid, "started": 0 if process is None else process.started}
        self._state.mkdir(parents=True, exist_ok=True)
        _write(self._state / f"{known.name}.json", json.dumps(remembered))

    def _end(self, known: Declared, grace_s: float) -> None:
        process = self._process(known)
        if process is None:
            return
        family = _family(process)
        if grace_s > 0:
            for number in (signal.SIGTERM, signal.SIGCONT):  # a stopped process hears no SIGTERM
                for each in family:
                    procfs.send(each, number)
            _wait_gone(family, grace_s)
        deadline = time.monotonic() + FORCE_S
        while left := [each for each in _family(process, family) if procfs.alive(each)]:
            if time.monotonic() > deadline:
                raise services.ServiceFailed(
                    f"service {known.name}: process {left[0].pid} does not even end by SIGKILL"
                )
            for each in left:
                procfs.send(each, signal.SIGKILL)
            _wait_gone(left, POLL_S * 5)
        self._children = [child for child in self._children if child.poll() is None]


def _named(known: Declared) -> tuple[int, float] | None:
    """Return the number in the pid file's first line, and when the file was written."""
    try:
        with known.pid_file.open("rb") as file:
            return int(file.readline(MOST_DIGITS)), os.fstat(file.fileno()).st_mtime
    except (OSError, ValueError):
        return None


def _living(pid: int) -> processes.Process | None:
    process = procfs.find(pid) if pid > 1 else None
    return process if process is not None and procfs.alive(process) else None


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from the same one written again; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _family(
    process: processes.Process, known: tuple[processes.Process, ...] = ()
) -> tuple[processes.Process, ...]:
    """Return a service's main process and everything that belongs to it.

    Its whole process group where it leads one, and its descendants; never the executor, nor what
    the executor descends from.
    """
    group = procfs.members(process.group) if process.group == process.pid else (process,)
    below = procfs.descendants(process.pid)
    every = {(each.pid, each.started): each for each in (*known, *group, *below)}
    spared = {os.getpid(), os.getppid(), 1}
    return tuple(each for each in every.values() if each.pid not in spared)


def _wait_gone(family: Sequence[processes.Process], limit: float) -> None:
    until = time.monotonic() + limit
    while time.monotonic() < until and any(procfs.alive(each) for each in family):
        time.sleep(POLL_S)


@contextlib.contextmanager
def _output(known: Declared) -> Iterator[int]:
    """Open where the service's output goes: its log file, else nowhere."""
    path = os.devnull if known.log_file is None else str(known.log_file)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o640)
    except OSError as error:
        raise services.ServiceFailed(f"service {known.name}: log {path}: {error}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, "ascii")
    temporary.replace(path)
