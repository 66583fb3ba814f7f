"""Wire the control plane: the one place that names adapters.

Called by `python -m sentienguard.controlplane`. Order of starting: trust, stores, company (who else
uses the database), log, engine (which recovers what a crash interrupted), loops, listeners;
stopping goes the other way.
"""

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp

from sentienguard import __version__
from sentienguard.adapters.audit_files import export, reader
from sentienguard.adapters.audit_files.log import AuditFiles
from sentienguard.adapters.audit_shared import log as audit_shared
from sentienguard.adapters.audit_shared import memory
from sentienguard.adapters.evidence_files import store as evidence_files
from sentienguard.adapters.evidence_pdf.printer import PdfPrinter
from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.adapters.local_host.entropy import SystemEntropy
from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.adapters.sql_store import database, workflow_records
from sentienguard.controlplane import (
    alert_desk,
    app_adviser,
    app_anchors,
    app_clusters,
    app_context,
    app_keys,
    app_meanings,
    app_notices,
    app_secrets,
    app_senders,
    app_sign_on,
    app_sources,
    draft_desk,
    errands,
    evidence_desk,
    listeners,
    live,
    poll_desk,
    sample_desk,
    server_certificate,
    telemetry,
    trust_store,
    versions,
)
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.api import agents as agents_api
from sentienguard.controlplane.api import people as people_api
from sentienguard.controlplane.baselines import Baselines
from sentienguard.controlplane.centre import Centre, Company, Messages
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.draft_desk import DraftDesk
from sentienguard.controlplane.drill_reports import DrillReports
from sentienguard.controlplane.engine import ALONE, Engine
from sentienguard.controlplane.evidence_desk import EvidenceDesk, Press
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.library import Library
from sentienguard.controlplane.live import Bells, Live
from sentienguard.controlplane.loops import (
    anchoring,
    garbage,
    housekeeping,
    key_care,
    learning,
    patience,
    roll_call,
    telling,
)
from sentienguard.controlplane.membership import Duties, Membership, Starting
from sentienguard.controlplane.settings import Settings
from sentienguard.controlplane.tls_files import TlsFiles
from sentienguard.flow import answers
from sentienguard.flow.deciding import Deciding
from sentienguard.flow.incident_work import IncidentWork
from sentienguard.flow.ledger import Ledger
from sentienguard.flow.people_log import PeopleLog
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.ports.agent_store import AgentStore, NoSuchAgent
from sentienguard.ports.audit_log import StoredLog
from sentienguard.stages.audit import ledger as audit_ledger
from sentienguard.stages.audit import verify
from sentienguard.stages.detect.settings import DetectSettings, Sensitivity
from sentienguard.trust.keys import VerifyKey

log = logging.getLogger(__name__)
_AGENT = "agent:"  # before its id: the name of a host in the log
REPLICA_FILE = "replica"  # the name of this data directory among others; never copy it
SEEN_FILE = "audit-seen"  # the last checkpoint of a shared log that this control plane saw
TAKEN_OVER = 75  # exit status after another took our place: start again (EX_TEMPFAIL)


class NotLoopback(errors.Rejected):
    """People would be served in clear text beyond this machine."""


@dataclass(frozen=True, slots=True)
class Doors:
    """The bound sockets of the two listeners, and where to say that they are open."""

    people: socket.socket
    agents: socket.socket
    people_tls: TlsFiles | None
    announcement: Path
    agents_name: str | None = None  # by which agents call us; None: by the address that is bound

    @property
    def people_address(self) -> str:
        """Where people find it."""
        return _address("https" if self.people_tls else "http", self.people)

    @property
    def agents_address(self) -> str:
        """Where agents find it."""
        if self.agents_name is None:
            return _address("https", self.agents)
        name = f"[{self.agents_name}]" if ":" in self.agents_name else self.agents_name
        return f"https://{name}:{self.agents.getsockname()[1]}"

    def announce(self) -> None:
        """Write both addresses where `up` and the tests look for them."""
        self.announcement.parent.mkdir(parents=True, exist_ok=True)
        draft = self.announcement.with_suffix(".new")
        found = {"pid": os.getpid(), "people": self.people_address, "agents": self.agents_address}
        draft.write_text(json.dumps(found, indent=1))
        draft.replace(self.announcement)


@contextlib.contextmanager
def centre_in(directory: Path, settings: Settings, agents_address: str) -> Iterator[Centre]:
    """Open everything that lies in `directory` and in its database, and close it again."""
    clock, entropy = LocalClock(), SystemEntropy()
    trust = trust_store.load(directory, agents_address=agents_address, now=clock.now())
    with contextlib.ExitStack() as opened:
        stores = opened.enter_context(contextlib.closing(_database(directory, settings)))
        secrets = app_secrets.opened(directory, clock)
        company = opened.enter_context(_company(directory, settings, stores))
        metrics = opened.enter_context(contextlib.closing(BlockStore(directory / "metrics.db")))
        kept, read = _audit_log(directory, settings, stores, trust)
        audit = PeopleLog(opened.enter_context(kept), stores.people)
        detect = DetectSettings(sensitivity=Sensitivity(settings.sensitivity))
        pen = Ledger(audit, clock, entropy)
        press = Press(
            read=read,
            trust=verify.Trust(log_keys=trust.log.public),
            printer=PdfPrinter(),
            verifier=evidence_files.verifier(),
            archived=evidence_files.archived,
        )
        desk = EvidenceDesk(directory / "evidence", press, pen, clock, entropy)
        errand_desk = opened.enter_context(
            errands.opened(errands.Errands(directory / "errands", clock, entropy))
        )
        library = Library(trust)
        drafting = draft_desk.Parts(
            directory, stores.drafts, errand_desk, trust, library, pen, clock, entropy
        )
        yield Centre(
            settings=settings,
            clock=clock,
            entropy=entropy,
            incidents=stores.incidents,
            care=stores.care,
            figures=stores.figures,
            episodes=stores.episodes,
            spells=stores.spells,
            orders=stores.orders,
            approvals=stores.approvals,
            agents=stores.agents,
            users=stores.users,
            people=stores.people,
            sessions=stores.sessions,
            factors=stores.factors,
            emergencies=stores.emergencies,
            switches=stores.switches,
            alerts=stores.alerts,
            webhook_tokens=stores.webhook_tokens,
            topology=stores.topology,
            outside_logs=stores.outside_logs,
            changes=stores.changes,
            outbox=stores.outbox,
            chat=stores.chat,
            metrics=metrics,
            audit=pen,
            log=audit,
            library=library,
            trust=trust,
            live=Live(),
            bells=Bells(),
            counters=Counters(),
            baselines=Baselines(metrics, detect, stores.profiles if company else None),
            messages=Messages(),
            verify_log=lambda: verify.verify(
                read(),
                verify.Trust(log_keys=trust.log.public),
                live=True,  # the log is being written meanwhile
            ),
            meanings=app_meanings.open_meanings(directory, settings, stores, secrets),
            company=company,
            anchoring=app_anchors.open_anchoring(directory, settings, audit, pen, clock),
            evidence=opened.enter_context(evidence_desk.opened(desk)),
            errands=errand_desk,
            drills=DrillReports(directory.parent),
            keys=app_keys.care(directory, settings, stores),
            drafts=DraftDesk(drafting),
            pointing=app_adviser.pointing(settings, secrets, clock, pen),
            sealer=stores.data_keys,
        )


def _database(directory: Path, settings: Settings) -> database.Database:
    return app_keys.open_database(directory, settings, LocalClock())


@contextlib.contextmanager
def _company(
    directory: Path, settings: Settings, stores: database.Database
) -> Iterator[Company | None]:
    """Join whoever else uses the database; from then on only while nobody took our place."""
    if not stores.is_shared:
        yield None
        return
    name = _replica_name(directory)
    run = f"{name}.{SystemEntropy().bytes(6).hex()}"
    replicas, signals = stores.replicas(run), stores.signals(run)
    replicas.join(name, log=settings.audit_log)
    log.info("replica %s", run)
    beats = Starting(replicas)
    try:
        yield Company(replicas, signals, beats.stop)
    finally:
        beats.stop()
        signals.stop()
        with contextlib.suppress(errors.Unavailable, errors.Broken):
            replicas.leave()


def _replica_name(directory: Path) -> str:
    """Return the name of this data directory among others; it is made at the first start."""
    path = directory / REPLICA_FILE
    if not path.exists():
        path.write_text(SystemEntropy().bytes(6).hex(), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def _audit_log(
    directory: Path, settings: Settings, stores: database.Database, trust: trust_store.TrustStore
) -> tuple[AuditFiles | audit_shared.AuditShared, Callable[[], StoredLog]]:
    """Open the log where it lies; return it and what reads it as stored."""

    def rules() -> audit_ledger.Ledger:
        return audit_ledger.Ledger(
            trust.root.log_origin, trust.log, agent_key=_agent_key(stores.agents)
        )

    place = directory / "audit"
    if settings.audit_log == "files":
        log_files = AuditFiles(place, rules(), sealer=stores.data_keys)
        return log_files, lambda: reader.read_stored(place)
    if not stores.is_shared:
        message = (
            "audit_log is `database`, which needs PostgreSQL; set database_url to one, or "
            "audit_log to `files`"
        )
        raise settings_module.SettingWrong(message)
    if (place / "log.vkey").exists():
        message = (
            f"{place}: this control plane has its audit log in files; it cannot go on in the "
            "database, where it would begin again. Keep audit_log: files, or begin with a new "
            "data directory and new keys"
        )
        raise settings_module.SettingWrong(message)
    opened = audit_shared.AuditShared(stores.audit, rules, seen=memory.Seen(directory / SEEN_FILE))
    return opened, lambda: audit_shared.read_stored(stores.audit)


def export_audit(data: Path, target: Path) -> int:
    """Write the audit log of the database as files; return how many entries it has.

    Beside running control planes too: it only reads.
    """
    directory = data / "controlplane"
    settings = settings_module.load(directory)
    if settings.audit_log == "files":
        message = f"the audit log lies in files already: copy {directory / 'audit'}"
        raise errors.Rejected(message)
    with contextlib.closing(_database(directory, settings)) as stores:
        return export.write_stored(target, audit_shared.read_stored(stores.audit))


def serve(data: Path) -> None:
    """Run the control plane of this data directory until SIGTERM or SIGINT."""
    directory = data / "controlplane"
    settings = settings_module.load(directory)
    doors = Doors(
        people=_bind(settings.people_host, settings.people_port),
        agents=_bind(settings.agents_host, settings.agents_port),
        people_tls=_people_tls(settings),
        announcement=data / "run/controlplane.json",
        agents_name=server_certificate.called(settings),
    )
    server_certificate.keep_all(directory, settings, LocalClock().now())
    with centre_in(directory, settings, doors.agents_address) as centre:
        intake = Intake(centre)
        secrets = app_secrets.opened(directory, centre.clock)
        around = app_context.around(centre, intake, secrets)
        deciding = Deciding(
            centre,
            intake,
            versions=versions.deciding(),
            diagnosing=around.diagnosing,
            advising=app_adviser.advising(centre, secrets, around.contexts),
        )
        gc.freeze()  # what lives as long as we do is not searched for garbage: 40 ms a time
        # The library's vectors, where they are to be made, are not left to the first incident.
        threading.Thread(target=deciding.prepare, name="meanings", daemon=True).start()
        engine = _engine(directory, centre, IncidentWork(centre, deciding))
        engine.start()
        centre.messages.connect(engine)
        try:
            centre.audit.append(kind="log.started", env="", data={"version": __version__})
            with (
                _membership(centre, engine),
                alert_desk.opened(centre, intake, app_senders.google_keys(centre.settings)) as door,
                app_clusters.opened(centre, directory, door),
                telemetry.opened(centre, intake) as inflow,
                sample_desk.opened(centre, intake) as samples,
                poll_desk.opened(centre) as polls,
                app_notices.opened(
                    centre, directory, settings.public_url or doors.people_address
                ) as told,
            ):
                _begin_interrupted(centre)
                entry = app_sign_on.sign_on(centre, directory)
                people = people_api.application(centre, door, inflow, told=told, sign_on=entry)
                agents = agents_api.application(centre, samples, polls)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    own = (
                        garbage.run(),
                        roll_call.run(centre, intake),
                        telling.run(centre, told.desk),
                        *app_sources.loops(centre, directory, inflow),
                    )
                    runner.run(_listen(centre, people, agents, doors, own))
        finally:
            engine.stop()


def _engine(directory: Path, centre: Centre, work: IncidentWork) -> Engine:
    """Make the engine, in the database that several can use or in a file of ours."""
    if centre.company is None:
        file = directory / workflow_records.FILE
        return Engine(file, work, executor=ALONE, sealer=centre.sealer)
    replicas = centre.company.replicas
    return Engine(
        centre.settings.database_url,
        work,
        executor=replicas.id,
        require=replicas.require,
        sealer=centre.sealer,
    )


@contextlib.contextmanager
def _membership(centre: Centre, engine: Engine) -> Iterator[None]:
    """Live among the others while the block lasts."""
    if centre.company is None:
        yield
        return
    live.across(centre.company.signals, centre.live, centre.bells)
    duties = Duties(
        take_over=engine.take_over,
        resume=lambda: _begin_interrupted(centre),
        lost=lambda: os._exit(TAKEN_OVER),  # what is under way must not write one word more
    )
    membership = Membership(
        centre.company.replicas, centre.clock, duties, silence_s=centre.settings.takeover_s
    )
    membership.start()
    centre.company.ready()
    try:
        yield
    finally:
        membership.stop()


def _begin_interrupted(centre: Centre) -> None:
    """Finish what a crash cut off: incidents that were only opened, answers that were only kept."""
    for incident in centre.incidents.unfinished():
        centre.begin(incident.id)
    answers.finish(centre)


async def _listen(
    centre: Centre,
    people_app: FastAPI,
    agents_app: ASGIApp,
    doors: Doors,
    own: Sequence[Coroutine[Any, Any, None]],
) -> None:
    loop = asyncio.get_running_loop()
    centre.live.attach(loop)
    centre.bells.attach(loop)
    people = listeners.people_server(people_app, doors.people_tls, centre.live.end)
    agents = listeners.agents_server(agents_app, centre.trust.tls, centre.bells.end)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, people, agents)
    loops = (learning, housekeeping, patience, anchoring, key_care)
    tasks = [asyncio.create_task(each.run(centre)) for each in loops]
    tasks += [asyncio.create_task(each) for each in own]
    tasks.append(asyncio.create_task(_care_for_certificate(centre, agents)))
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


async def _care_for_certificate(centre: Centre, agents: uvicorn.Server) -> None:
    context = agents.config.ssl
    if context is not None:
        directory = centre.trust.tls.certificate.parent.parent
        await server_certificate.care(directory, centre.settings, context, centre.clock.now)


def _stop(*servers: uvicorn.Server) -> None:
    for server in servers:
        server.should_exit = True


def _agent_key(agents: AgentStore) -> audit_ledger.KeyOf:
    """Return what knows hosts by their one name, so that none is two witnesses.

    A host's key is its identity and never changes: each is read once.
    """
    known: dict[str, VerifyKey] = {}

    def key_of(name: str) -> VerifyKey | None:
        found = known.get(name)
        if found is None and name.startswith(_AGENT):
            try:
                agent = agents.get(AgentId(name.removeprefix(_AGENT)))
            except NoSuchAgent:
                return None
            found = known[name] = VerifyKey.from_text(agent.executor_key)
        return found

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


def _people_tls(settings: Settings) -> TlsFiles | None:
    if settings.people_certificate:
        return TlsFiles(Path(settings.people_certificate), Path(settings.people_key), None)
    if settings.people_host not in {"127.0.0.1", "::1", "localhost"}:
        message = (
            f"people_host {settings.people_host}: clear text is served on loopback only; set "
            "people_certificate and people_key"
        )
        raise NotLoopback(message)
    return None
