"""The services of this machine: those that the agent's owner declares, and systemd's units.

A declared service is a program in a session of its own whose number stands in its pid file. The
number alone proves nothing, so what this file started is also remembered with its start; a number
that somebody else wrote counts only if its process is older than what was written.
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
POLL_S = 0.02
FORCE_S = 5.0  # after SIGKILL only a process stuck in the kernel is still there
GRACE_SHARE = 0.5  # of a limit, for the service to end by itself
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

    def _require(self, name: str) -> None:
        if name not in self._units.names():
            raise services.UnknownService(
                f"this host has no service {name!r}; known: {', '.join(sorted(self._declared))}"
            )

    def _process(self, known: Declared) -> processes.Process | None:
        """Return the living main process; None where the pid file names none of this service."""
        self._children = [child for child in self._children if child.poll() is None]  # no zombies
        try:
            pid = int(known.pid_file.read_text("ascii").split()[0])
            written = known.pid_file.stat().st_mtime
        except (OSError, ValueError, IndexError):
            return None
        process = procfs.find(pid) if pid > 1 else None
        if process is None or not procfs.alive(process):
            return None
        remembered = self._remembered(known.name)
        if remembered.get("pid") == pid:
            return process if remembered.get("started") == process.started else None
        began = time.time() - process.uptime_s
        return process if began <= written + CLOCK_SLACK_S else None

    def _remembered(self, name: str) -> Mapping[str, int]:
        try:
            found = json.loads((self._state / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _launch(self, known: Declared, limit: float) -> None:
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
        found = procfs.find(child.pid)
        self._state.mkdir(parents=True, exist_ok=True)
        remembered = {"pid": child.pid, "started": 0 if found is None else found.started}
        _write(self._state / f"{known.name}.json", json.dumps(remembered))
        _write(known.pid_file, f"{child.pid}\n")
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = child.wait(min(SETTLE_S, limit))
            if self._process(known) is None:  # one that forks has put its own number there
                raise services.ServiceFailed(
                    f"service {known.name} ended at once with status {code}; "
                    f"see {known.log_file or 'its own log'}"
                )

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
