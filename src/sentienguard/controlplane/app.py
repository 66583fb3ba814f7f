"""Wire the control plane: the one place that names adapters.

Called by `python -m sentienguard.controlplane`. Order of starting: trust, stores, log, engine
(which recovers what a crash interrupted), loops, listeners; stopping goes the other way.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from sentienguard import __version__
from sentienguard.adapters.audit_files import reader
from sentienguard.adapters.audit_files.log import AuditFiles
from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.adapters.local_host.entropy import SystemEntropy
from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.adapters.sql_store import database
from sentienguard.controlplane import listeners, trust_store
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.api import agents as agents_api
from sentienguard.controlplane.api import people as people_api
from sentienguard.controlplane.baselines import Baselines
from sentienguard.controlplane.centre import Centre, Messages
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.deciding import Deciding
from sentienguard.controlplane.engine import Engine
from sentienguard.controlplane.incident_work import IncidentWork
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.ledger import Ledger
from sentienguard.controlplane.library import Library
from sentienguard.controlplane.live import Bells, Live
from sentienguard.controlplane.loops import housekeeping, learning
from sentienguard.controlplane.settings import Settings
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.ports.agent_store import AgentStore, NoSuchAgent
from sentienguard.stages.audit import ledger as audit_ledger
from sentienguard.stages.audit import verify
from sentienguard.stages.detect.settings import DetectSettings, Sensitivity
from sentienguard.trust.keys import VerifyKey

log = logging.getLogger(__name__)


class NotLoopback(errors.Rejected):
    """People would be served in clear text beyond this machine."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The bound sockets of the two listeners, and where to say that they are open."""

    people: socket.socket
    agents: socket.socket
    people_tls: listeners.TlsFiles | None
    announcement: Path

    @property
    def people_address(self) -> str:
        """Where people find it."""
        return _address("https" if self.people_tls else "http", self.people)

    @property
    def agents_address(self) -> str:
        """Where agents find it."""
        return _address("https", self.agents)

    def announce(self) -> None:
        """Write both addresses where `up` and the tests look for them."""
        self.announcement.parent.mkdir(parents=True, exist_ok=True)
        draft = self.announcement.with_suffix(".new")
        found = {"pid": os.getpid(), "people": self.people_address, "agents": self.agents_address}
        draft.write_text(json.dumps(found, indent=1))
        draft.replace(self.announcement)


@contextlib.contextmanager
def centre_in(directory: Path, settings: Settings, agents_address: str) -> Iterator[Centre]:
    """Open everything that lies in `directory`, and close it again."""
    clock, entropy = LocalClock(), SystemEntropy()
    trust = trust_store.load(directory, agents_address=agents_address, now=clock.now())
    stores = database.open_database(
        settings.database_url or f"sqlite:///{directory / 'sentienguard.db'}"
    )
    ledger = audit_ledger.Ledger(
        trust.root.log_origin, trust.log, agent_key=_agent_key(stores.agents)
    )
    audit_directory = directory / "audit"
    with (
        contextlib.closing(stores),
        contextlib.closing(BlockStore(directory / "metrics.db")) as metrics,
        AuditFiles(audit_directory, ledger) as audit,
    ):
        detect = DetectSettings(sensitivity=Sensitivity(settings.sensitivity))
        yield Centre(
            settings=settings,
            clock=clock,
            entropy=entropy,
            incidents=stores.incidents,
            episodes=stores.episodes,
            orders=stores.orders,
            approvals=stores.approvals,
            agents=stores.agents,
            users=stores.users,
            switches=stores.switches,
            metrics=metrics,
            audit=Ledger(audit, clock, entropy),
            log=audit,
            library=Library(trust),
            trust=trust,
            live=Live(),
            bells=Bells(),
            counters=Counters(),
            baselines=Baselines(metrics, detect),
            messages=Messages(),
            verify_log=lambda: verify.verify(
                reader.read_stored(audit_directory),
                verify.Trust(log_keys=[trust.log.public]),
                live=True,  # the log is being written meanwhile
            ),
        )


def serve(data: Path) -> None:
    """Run the control plane of this data directory until SIGTERM or SIGINT."""
    directory = data / "controlplane"
    settings = settings_module.load(directory)
    doors = Doors(
        people=_bind(settings.people_host, settings.people_port),
        agents=_bind(settings.agents_host, settings.agents_port),
        people_tls=_people_tls(settings),
        announcement=data / "run/controlplane.json",
    )
    with centre_in(directory, settings, doors.agents_address) as centre:
        intake = Intake(centre)
        engine = Engine(directory / "flow.db", IncidentWork(centre, Deciding(centre, intake)))
        engine.start()
        centre.messages.connect(engine)
        try:
            _begin_interrupted(centre)
            people = people_api.application(centre)
            agents = agents_api.application(centre, intake)
            asyncio.run(_listen(centre, people, agents, doors))
        finally:
            engine.stop()


def _begin_interrupted(centre: Centre) -> None:
    """Begin incidents that were opened a moment before a crash; begun ones are left as they are."""
    centre.audit.append(kind="log.started", env="", data={"version": __version__})
    for incident in centre.incidents.unfinished():
        centre.begin(incident.id)


async def _listen(centre: Centre, people_app: FastAPI, agents_app: FastAPI, doors: Doors) -> None:
    loop = asyncio.get_running_loop()
    centre.live.attach(loop)
    centre.bells.attach(loop)
    people = listeners.people_server(people_app, doors.people_tls)
    agents = listeners.agents_server(agents_app, centre.trust.tls)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, people, agents)
    tasks = [asyncio.create_task(each.run(centre)) for each in (learning, housekeeping)]
    # The sockets are bound: whoever comes from now on is answered, if a moment later.
    doors.announce()
    log.info("people: %s agents: %s", doors.people_address, doors.agents_address)
    try:
        await asyncio.gather(
            people.serve(sockets=[doors.people]), agents.serve(sockets=[doors.agents])
        )
    finally:
        doors.announcement.unlink(missing_ok=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _stop(*servers: uvicorn.Server) -> None:
    for server in servers:
        server.should_exit = True


def _agent_key(agents: AgentStore) -> audit_ledger.KeyOf:
    def key_of(name: str) -> VerifyKey | None:
        try:
            agent = agents.get(AgentId(name.removeprefix("agent:")))
        except NoSuchAgent:
            return None
        return VerifyKey.from_text(agent.executor_key)

    return key_of


def _bind(host: str, port: int) -> socket.socket:
    try:
        bound = socket.create_server((host, port), reuse_port=False, backlog=2048)
    except OSError as cause:
        message = (
            f"cannot listen on {host}:{port}: {cause.strerror}; stop what listens there, or set "
            "people_port or agents_port (0 takes a free one)"
        )
        raise errors.Unavailable(message) from cause
    bound.set_inheritable(False)
    return bound


def _address(scheme: str, bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"{scheme}://{host}:{port}"


def _people_tls(settings: Settings) -> listeners.TlsFiles | None:
    if settings.people_certificate:
        return listeners.TlsFiles(
            Path(settings.people_certificate), Path(settings.people_key), None
        )
    if settings.people_host not in {"127.0.0.1", "::1", "localhost"}:
        message = (
            f"people_host {settings.people_host}: clear text is served on loopback only; set "
            "people_certificate and people_key"
        )
        raise NotLoopback(message)
    return None
