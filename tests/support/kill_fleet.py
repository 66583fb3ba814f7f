"""An installation to be killed: one control plane, several hosts, each a collector and an executor.

Called by tests.support.kill_harness. Made of the same parts as `sentienguard up --drills`, but
without its supervisor: whoever kills a process starts it again at once. Every host is confined to
a sandbox of its own. Everything is stopped at the end, whatever happened.
"""

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentienguard.adapters.sql_store import database
from sentienguard.agent import enroll, lean, private_files
from sentienguard.agent import settings as agent_settings
from sentienguard.cli import client
from sentienguard.cli.installation import ports, processes, sandbox
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import evaluation
from sentienguard.model import ids
from sentienguard.model.access import Role
from sentienguard.playbook import parse
from sentienguard.trust import catalogue
from tests.support import kill_processes, kill_remedies

ENVIRONMENT = "drill"
ADMINISTRATOR, PASSWORD = "admin", "killed and killed again"
INTERVAL_S = 0.25
POLL_S = 5
READY_S = 60.0
VOLUME_BYTES = 8 << 20
LAUNCHER = Path(__file__).with_name("kill_launcher.py")
BUDGETS = {"service_budget_per_hour": 100_000, "fleet_budget_per_hour": 100_000}


@dataclass(frozen=True, slots=True)
class Wish:
    """What to start."""

    directory: Path
    hosts: int = 3
    database_url: str = ""  # empty: SQLite
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the control plane
    bug: str = ""  # planted by kill_launcher; empty: the product as it is


@dataclass(frozen=True)
class Host:
    """One host of the fleet."""

    name: str
    agent: str
    directory: Path
    sandbox: sandbox.Sandbox
    tally: Path  # directory of its tally
    collector: kill_processes.Process
    executor: kill_processes.Process

    @property
    def volume(self) -> str:
        """Return the volume that can be full."""
        return str(self.sandbox.volume)


@dataclass
class Fleet:
    """Everything that runs; `running` makes one."""

    places: Places
    centre: kill_processes.Process
    people_port: int
    hosts: list[Host]
    ready_at: float = 0.0  # monotonic time at which the control plane was of use last

    def processes(self) -> list[kill_processes.Process]:
        """Return everything that may be killed."""
        return [self.centre, *(one for host in self.hosts for one in _both(host))]

    def of_use_since(self) -> float:
        """Return since when the control plane is of use; now, where that was not seen yet."""
        return self.ready_at if self.ready_at > self.centre.began else time.monotonic()

    def host_of(self, process: kill_processes.Process) -> Host | None:
        """Return whose process it is; None for the control plane."""
        return next((host for host in self.hosts if process in _both(host)), None)

    def client(self) -> client.Client:
        """Return a client of the public API, not logged in yet."""
        return client.Client(f"http://{ports.LOOPBACK}:{self.people_port}")

    def log_directory(self) -> Path:
        """Return where the audit log lies."""
        return self.places.centre / "audit"

    def said(self) -> str:
        """Return the end of what each process wrote, for the message of a failed run."""
        files = sorted(self.places.logs.glob("*.log"))
        return "\n".join(f"{file}:\n{processes.tail(file)}" for file in files)


def _both(host: Host) -> tuple[kill_processes.Process, kill_processes.Process]:
    return host.collector, host.executor


@contextlib.contextmanager
def running(wish: Wish) -> Iterator[Fleet]:
    """Start a fleet below `wish.directory`, and stop all of it at the end."""
    with contextlib.ExitStack() as ending:
        fleet = _centre(wish)
        ending.callback(fleet.centre.stop)
        fleet.centre.start()
        _until_of_use(fleet, fleet.centre)
        with fleet.client() as asked:
            asked.login(ADMINISTRATOR, PASSWORD)
            for number in range(wish.hosts):
                fleet.hosts.append(_host(wish, fleet, asked, number, ending))
        for host in fleet.hosts:
            for process in _both(host):
                ending.callback(process.stop)
                process.start()
        for process in fleet.processes():
            _until_of_use(fleet, process)
        yield fleet


def _until_of_use(fleet: Fleet, process: kill_processes.Process) -> None:
    until = time.monotonic() + READY_S
    while not process.answers(process):
        if process.ended_by_itself() or time.monotonic() > until:
            raise AssertionError(f"the {process.name} did not start\n{fleet.said()}")
        time.sleep(kill_processes.LOOK_S)
    fleet.ready_at = time.monotonic()


def _centre(wish: Wish) -> Fleet:
    places = Places(wish.directory / "data")
    places.make()
    tally = wish.directory / "tally"
    kill_remedies.write_program(tally)
    people_port, agents_port = ports.free(), ports.free()
    values: dict[str, Any] = {
        "people_port": people_port,
        "agents_port": agents_port,
        "interval_s": INTERVAL_S,
        **BUDGETS,
        **wish.settings,
    }
    if wish.database_url:
        # The log stays in files, where a bystander reads it meanwhile; the one in a database is
        # killed in tests/replicas.
        values["database_url"] = wish.database_url
    ports.write_settings(places.centre, values)
    playbooks = kill_remedies.all_of(tally)
    evaluation.prepare(places.centre, places.offline, playbooks, now=datetime.now(UTC))
    for name, stored in playbooks.items():
        read = parse.load(stored, origin=name)
        # Proven by declaration: what is judged here is what becomes of it, not whether it may run.
        proven = (catalogue.Proven("declared", 1000, 1000),)
        record = catalogue.ProvingRecord(read.name, read.version, read.digest, proven)
        evaluation.sign_proving(places.centre, places.offline, record)
    url = wish.database_url or f"sqlite:///{places.centre / 'sentienguard.db'}"
    with contextlib.closing(database.open_database(url)) as stores:
        stores.users.add(ADMINISTRATOR, PASSWORD, {"*": Role.ADMINISTRATOR})
    argv = ["-m", "sentienguard.controlplane", "--data", str(places.data)]
    if wish.bug:
        argv = [str(LAUNCHER), wish.bug, "centre", str(places.data)]
    process = kill_processes.Process(
        name="control plane",
        argv=[sys.executable, *argv],
        log=places.log("controlplane"),
        answers=kill_processes.centre_is_ready(people_port),
    )
    return Fleet(places, process, people_port, [])


def _host(
    wish: Wish, fleet: Fleet, asked: client.Client, number: int, ending: contextlib.ExitStack
) -> Host:
    name = f"host-{number}"
    directory = wish.directory / name
    broken = _sandbox(wish.directory / f"{name}-sandbox")
    for service in broken.services.values():
        service.calm()
        service.start()
        ending.callback(service.stop)
    tally = _tally(wish.directory / "tally" / f"tally-{number}")
    agent = _enrol(asked, name, directory, broken, tally)
    places = agent_settings.Places(directory)

    def process(role: str, **more: Any) -> kill_processes.Process:
        argv = lean.command(role, directory)
        if wish.bug:
            argv = [sys.executable, str(LAUNCHER), wish.bug, role, str(directory)]
        return kill_processes.Process(
            name=f"{role} of {name}",
            argv=argv,
            log=fleet.places.log(f"{name}-{role}"),
            environment=lean.environment(),
            **more,
        )

    return Host(
        name=name,
        agent=agent,
        directory=directory,
        sandbox=broken,
        tally=tally,
        collector=process(
            "collector",
            answers=kill_processes.sample_is_accepted(directory),
            before_start=kill_processes.note_first_number(directory),
        ),
        executor=process("executor", answers=kill_processes.executor_is_ready(places.directory)),
    )


def _sandbox(directory: Path) -> sandbox.Sandbox:
    """Make the services and a volume that is a directory with a budget: nothing to unmount."""
    services = {
        name: sandbox.Service(name, directory / name, ports.free()) for name in sandbox.NAMES
    }
    made = sandbox.Sandbox(directory, mounted=False, services=services)
    made.volume.mkdir(parents=True)
    return made


def _tally(directory: Path) -> Path:
    """Make a service that runs as long as we do, and the file with the lines of its remedy."""
    directory.mkdir(parents=True)
    (directory / "lines").touch()
    for name in ("alive", "service.pid"):
        (directory / name).write_text(f"{os.getpid()}\n", "ascii")
    return directory


def _enrol(
    asked: client.Client,
    name: str,
    directory: Path,
    broken: sandbox.Sandbox,
    tally: Path,
) -> str:
    token = asked.post("/tokens", {"environment": ENVIRONMENT, "host": None})
    counted = agent_settings.Service(
        tally.name, (sys.executable, "-V"), str(tally / "service.pid"), None, None, None
    )
    wish = enroll.Wish(
        directory=directory,
        server=token["server"],
        token=token["token"],
        pins=(token["pin"],),
        root_digest=ids.Digest(token["root_digest"]),
        host=name,
        environment=ENVIRONMENT,
        interval_s=INTERVAL_S,
        volumes=(agent_settings.Volume(str(broken.volume), VOLUME_BYTES),),
        services={**broken.declared_services(sys.executable), tally.name: counted},
    )
    enrolled = enroll.enrol(wish, now=datetime.now(UTC))
    limits = dataclasses.replace(enrolled.limits, poll_s=POLL_S, config_s=10)
    mended = dataclasses.replace(enrolled, confined=True, limits=limits)
    private_files.write(directory / agent_settings.FILE, agent_settings.render(mended))
    return str(json.loads((directory / agent_settings.FILE).read_bytes())["agent_id"])
