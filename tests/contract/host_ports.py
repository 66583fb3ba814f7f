"""The hosts that the contracts of the host ports run on, by name.

A host is made in a directory of its own and gives one port each. What needs a whole Unix runs on
those of `WHOLE`; what the port alone promises runs on all `MAKERS`, the simulated host among them.
That one has no files, no shell, no addresses and no processes of interest; it is called in a fiber
of its scheduler, whose time passes while a call waits.
"""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentienguard.adapters.execution_journal_files import journal
from sentienguard.adapters.local_host import (
    clock,
    command_runner,
    facts,
    files,
    http_probe,
    interrupt,
    log_reader,
    processes,
    services,
    systemd,
)
from sentienguard.ports import services as services_port
from sentienguard.simulation import clock as simulated_clock
from sentienguard.simulation import disk as simulated_disk
from sentienguard.simulation import host as simulated_host
from sentienguard.simulation import journal as simulated_journal
from sentienguard.simulation import remedies
from sentienguard.simulation.scheduler import Fiber, Process, Scheduler

SERVER = """
import http.server, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path.strip("/") or 200)); self.end_headers()
    do_POST = do_HEAD = do_GET
    def log_message(self, *_): pass
if "--deaf" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass
class Host:
    directory: Path
    clock: object
    commands: object
    facts: object
    files: object
    http: object
    interrupt: Callable[[], object]
    logs: object
    processes: object
    services: object
    journal: Callable[[], object]
    stored: Callable[[], bytes]  # what is in the journal's file, without the room set aside
    store: Callable[[bytes], object]  # put other bytes there
    later: Callable[[float, Callable[..., object], str], object]  # call it after seconds, with this
    hang: Callable[[str], object]  # let a service that runs answer no more
    programs: Mapping[str, tuple[str, ...]]  # of what works, of what fails, of what hangs
    volume: Path
    port: int


def local(directory: Path, port: int) -> Host:
    volume = directory / "volume"
    volume.mkdir()
    (directory / "server.py").write_text(SERVER)
    probe = http_probe.LoopbackProbe()
    runner = command_runner.LocalCommands()
    table = processes.LocalProcesses()
    watched = files.LocalFiles({str(volume): 1_000_000})

    def declared(name: str, *more: str) -> services.Declared:
        return services.Declared(
            name=name,
            start=(sys.executable, str(directory / "server.py"), str(port), *more),
            pid_file=directory / f"{name}.pid",
            health_url=f"http://127.0.0.1:{port}/",
            log_file=directory / f"{name}.log",
            config_file=directory / f"{name}.conf",
        )

    known = services.LocalServices(
        {
            "web": declared("web"),
            "deaf": declared("deaf", "--deaf"),
            "broken": services.Declared("broken", ("/bin/false",), directory / "broken.pid"),
            "absent": services.Declared("absent", ("/no/such/program",), directory / "absent.pid"),
        },
        directory / "state",
        probe,
        systemd.Systemd(runner),
    )
    file = directory / "journal.log"
    return Host(
        directory=directory,
        clock=clock.LocalClock(),
        commands=runner,
        facts=facts.LocalFacts(watched, known, table, probe),
        files=watched,
        http=probe,
        interrupt=interrupt.LocalInterrupt,
        logs=log_reader.LocalLogs(),
        processes=table,
        services=known,
        journal=lambda: journal.JournalFile(file),
        stored=lambda: file.read_bytes().rstrip(b"\0"),
        store=lambda data: file.write_bytes(data + bytes(50)),
        later=lambda seconds, act, word: threading.Timer(seconds, act, [word]).start(),
        hang=lambda name: _stop(known.state(name)),
        programs={
            "works": ("/bin/true",),
            "fails": ("/bin/false",),
            "hangs": ("/bin/sleep", "300"),
        },
        volume=volume,
        port=port,
    )


def _stop(found: services_port.State) -> None:
    assert found.pid is not None
    os.kill(found.pid, signal.SIGSTOP)


class InFiber:
    """A port of the pretend world, as the executor's thread sees it."""

    def __init__(self, scheduler: Scheduler, port: object) -> None:
        self._scheduler = scheduler
        self._port = port

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*given: object, **named: object) -> Any:
            answers: list[object] = []

            def work() -> None:
                for one in (*given, *named.values()):
                    if isinstance(one, simulated_clock.SimulatedInterrupt):
                        one.watched_by()
                answers.append(getattr(self._port, name)(*given, **named))

            fiber = Fiber(self._scheduler, Process("contract"), name, work)
            fiber.start()
            while not fiber.over:
                self._scheduler.step()
            return answers[0]

        return call


def simulated(directory: Path, port: int) -> Host:
    scheduler = Scheduler(lambda _at, _what: None)
    machine = simulated_host.Machine("simulated", scheduler, random.Random(1))
    machine.falls_ill(remedies.BY_NAME["down"], simulated_host.Fate(cures=True))
    machine.fates["full"] = simulated_host.Fate(cures=True)
    machine.fates["leak"] = simulated_host.Fate(cures=False, fails="shrink")
    machine.fates["swapping"] = simulated_host.Fate(cures=False, hangs="drain")
    nowhere = simulated_host.Nowhere(machine)
    disk = simulated_disk.Disk("simulated", lambda _: None)
    file = simulated_journal.FILE
    return Host(
        directory=directory,
        clock=InFiber(scheduler, machine.clock),
        commands=InFiber(scheduler, simulated_host.Commands(machine)),
        facts=InFiber(scheduler, simulated_host.Facts(machine)),
        files=simulated_host.Files(machine),
        http=nowhere,
        interrupt=lambda: simulated_clock.SimulatedInterrupt(machine.clock, scheduler),
        logs=nowhere,
        processes=nowhere,
        services=InFiber(scheduler, simulated_host.Services(machine)),
        journal=lambda: simulated_journal.SimulatedJournal(disk),
        stored=lambda: disk.read(file),
        store=lambda data: disk.replace_log(file, data),
        later=lambda seconds, act, word: scheduler.after(seconds, "later", lambda: act(word)),
        hang=lambda _: machine.falls_ill(remedies.BY_NAME["hung"], simulated_host.Fate(cures=True)),
        programs={
            "works": (remedies.ACT, "clear"),
            "fails": (remedies.ACT, "shrink"),
            "hangs": (remedies.ACT, "drain"),
        },
        volume=Path("/srv"),
        port=port,
    )


MAKERS: Mapping[str, Callable[[Path, int], Host]] = {"local": local, "simulated": simulated}
WHOLE = ("local",)  # those that are a whole Unix


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Tell whether a real process is over within that time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def up(host: Host, name: str = "web", seconds: float = 10) -> bool:
    """Tell whether a service runs within that time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if host.services.state(name).status is services_port.Status.RUNNING:
            return True
        time.sleep(0.05)
    return False


def fill(host: Host, *paths: str, age: float = 10_000, size: int = 10) -> None:
    """Write files into the host's volume, as old as that."""
    for path in paths:
        place = host.volume / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x" * size)
        then = time.time() - age
        os.utime(place, (then, then))
