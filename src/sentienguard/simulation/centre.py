"""The control plane of the pretend world: flow's real work over simulated stores, log and engine.

Called by `world`. `Site` is what survives a crash: disk, database, flows, clock. `Centre` is one
run of the process; it offers flow.centre.Centre to flow's dispatch, receipts, incident_work and
deciding, and does by itself only what is thin in the product too: which handler takes what.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

from sentienguard.flow import answers, crediting, deciding, dispatch, incident_work, receipts
from sentienguard.flow import centre as flow_centre
from sentienguard.flow import incident as flow
from sentienguard.flow import ledger as pens
from sentienguard.model import ids
from sentienguard.model.anomaly import Anomaly, Ground, Severity
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.incident import Incident, Status
from sentienguard.model.order import Order
from sentienguard.model.telemetry import Series
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.episode_store import Episode
from sentienguard.simulation import audit_store, flows, remedies, spells, watch
from sentienguard.simulation import clock as clocks
from sentienguard.simulation import disk as disks
from sentienguard.simulation import host as pretend
from sentienguard.simulation.link import Respond
from sentienguard.simulation.scheduler import Process, Scheduler
from sentienguard.simulation.stores.agents import Agents
from sentienguard.simulation.stores.approvals import Approvals
from sentienguard.simulation.stores.database import Database
from sentienguard.simulation.stores.episodes import Episodes
from sentienguard.simulation.stores.incidents import Incidents
from sentienguard.simulation.stores.orders import Orders
from sentienguard.simulation.stores.switches import KillSwitch
from sentienguard.stages.audit import ledger as ledgers
from sentienguard.trust import keys
from sentienguard.trust import order as orders
from sentienguard.trust.log_keys import LogSigners

if TYPE_CHECKING:
    from sentienguard.ports import audit_log

HOLD_S: Final = 25.0  # that a poll without an answer is held
PUBLISH_S: Final = 0.25
FUTURE_TOLERANCE: Final = timedelta(minutes=5)
AWAITS_RECOVERY: Final = frozenset({Status.AWAITING_APPROVAL, Status.VERIFYING})


class Site:
    """What the centre has, whether its process runs or not."""

    def __init__(
        self, scheduler: Scheduler, point: Callable[[str], None], observer: watch.Watch
    ) -> None:
        """Begin with an empty database and an empty log."""
        self.scheduler = scheduler
        self.watch = observer
        self.performed = observer.performed  # people listen here, too
        self.clock = clocks.SimulatedClock(scheduler)
        self.disk = disks.Disk("centre", point)
        self.database = Database(point)
        self.incidents = Incidents(self.database)
        self.orders = Orders(self.database, self._outcome)
        self.orders.inserted = observer.released
        self.approvals = Approvals(self.database)
        self.approvals.decided = observer.answered
        self.agents = Agents(self.database)
        self.switches = KillSwitch(self.database)
        self.episodes = Episodes(self.database)
        self.spells = spells.Spells(self.database, self.episodes, self.incidents, self.orders)
        self.flows: dict[ids.IncidentId, flows.Record] = {}
        self.judged_at: dict[ids.AgentId, datetime] = {}

    def _outcome(self, incident: ids.IncidentId) -> Any:
        found = self.incidents.rows.get(incident)
        return None if found is None else found.outcome

    def agent_key(self, name: str) -> keys.VerifyKey | None:
        """Return the executor key of an agent's source name."""
        found = self.agents.rows.get(ids.AgentId(name.removeprefix("agent:")))
        return None if found is None else keys.VerifyKey.from_text(found.executor_key)


@dataclass(slots=True)
class Parked:
    """A poll that waits for something."""

    agent: Agent
    poll: dispatch.Poll
    respond: Respond


class Centre:
    """One run of the control plane."""

    def __init__(self, site: Site, chance: random.Random, ring: Callable[[str], None]) -> None:
        """Open what is kept and go on. Raises AuditBroken, Unavailable, Crash."""
        self.site = site
        self.process = Process("centre")
        self._ring = ring
        self._parked: dict[ids.AgentId, list[Parked]] = {}
        self._due = False
        self.settings = remedies.SETTINGS
        self.clock = site.clock
        self.entropy = pretend.Sequence16(chance)
        self.incidents, self.episodes = site.incidents, site.episodes
        self.orders, self.approvals = site.orders, site.approvals
        self.spells = site.spells
        self.agents, self.switches = site.agents, site.switches
        self.library, self.trust = Library(), Seals()
        self.meanings = None  # matching goes by words alone
        self.environments = remedies.ENVIRONMENTS
        self.live = self.metrics = Nobody()
        self.counters = Counts()
        self.bells = SimpleNamespace(ring=self._rung)
        rules = ledgers.Ledger(
            remedies.ORIGIN, LogSigners.of(remedies.signed().log), agent_key=site.agent_key
        )
        self.log = audit_store.SimulatedLog(
            site.disk,
            rules,
            acknowledged=site.watch.acknowledged,
            due=self._publish_soon,
            signed=site.watch.signed,
        )
        self.audit = pens.Ledger(cast("audit_log.AuditLog", self.log), self.clock, self.entropy)
        self.dispatch = dispatch.Dispatch(self.offered)
        self.receipts = receipts.Receipts(self.offered)
        judging = deciding.Deciding(self.offered, Nobody())
        work = incident_work.IncidentWork(self.offered, judging)
        self.engine = flows.Engine(
            site.flows,
            work,
            site.database,
            site.scheduler,
            self.process,
            site.performed,
            site.watch.decided,
        )

    def start(self) -> None:
        """Do what controlplane.app does before it listens."""
        self.engine.recover()
        self.audit.append(kind="log.started", env="", data={"version": "simulated"})
        for incident in self.incidents.unfinished():
            self.begin(incident.id)
        answers.finish(self.offered)

    @property
    def offered(self) -> flow_centre.Centre:
        """This as flow sees it: the stores have the methods that its work calls, and no other."""
        return cast("flow_centre.Centre", self)

    # --- what flow's work asks for -------------------------------------------------------------

    def begin(self, incident: ids.IncidentId) -> None:
        """Start the life of an incident."""
        self.engine.begin(incident)

    def tell(self, incident: ids.IncidentId, event: flow.Event, *, key: str) -> None:
        """Tell an incident what happened."""
        self.engine.tell(incident, event, key=key)

    # --- what agents ask for -------------------------------------------------------------------

    def poll(self, agent: ids.AgentId, asked: dispatch.Poll, respond: Respond) -> None:
        """Answer a poll, at once or when there is something or when it has waited enough."""
        known = self.agents.get(agent)
        self.dispatch.witnessed(asked)
        answer = self._answered(known, asked)
        if answer.has_work:
            respond(answer)
            return
        parked = Parked(known, asked, respond)
        self._parked.setdefault(agent, []).append(parked)
        self.site.scheduler.after(
            HOLD_S,
            f"centre held a poll of {known.host}",
            lambda: self._release(parked),
            self.process,
        )

    def events(self, agent: ids.AgentId, sent: Sequence[receipts.Event], respond: Respond) -> None:
        """Take signed events."""
        respond(self.receipts.take(self.agents.get(agent), sent))

    def sample(
        self, agent: ids.AgentId, standing: Sequence[str], at: datetime, respond: Respond
    ) -> None:
        """Judge a sample as controlplane.intake does, the detector left out."""
        known, now = self.agents.get(agent), self.clock.now()
        if at <= now + FUTURE_TOLERANCE and at >= self.site.judged_at.get(agent, at):
            self.site.judged_at[agent] = at
            self._judge(known, standing, at)
        respond("kept")

    def config(self, respond: Respond) -> None:
        """Hand out what the offline keys signed."""
        signed = remedies.signed()
        respond((signed.root_envelope, signed.offered[-1], signed.playbooks))

    # --- what people ask for -------------------------------------------------------------------

    def answer(self, approval: ids.ApprovalId, *, approved: bool, by: str) -> None:
        """Take a person's answer."""
        status = ApprovalStatus.APPROVED if approved else ApprovalStatus.DENIED
        asked = self.approvals.get(approval)
        answers.answer(
            self.offered, asked, status, by=by, note="", about={"role": "simulated"},
            judge=lambda _: "",  # nobody's role is ever taken here
        )  # fmt: skip

    def stop(self, order: ids.OrderId, *, by: str) -> None:
        """Ask for a stop of an order."""
        if self.orders.request_stop(order, by=by):
            self._rung(self.orders.get(order).order.agent)

    # --- its own -------------------------------------------------------------------------------

    def _answered(self, agent: Agent, asked: dispatch.Poll) -> dispatch.Answer:
        answer = self.dispatch.answer(agent, asked)
        if answer.order is not None:
            name = orders.claimed_order(answer.order).order.id
            self.site.watch.dispatched(name, frozen=self.site.switches.frozen_in_truth)
        return answer

    def _release(self, parked: Parked) -> None:
        waiting = self._parked.get(parked.agent.id, [])
        if parked in waiting:
            waiting.remove(parked)
            self._second_look(parked)

    def _second_look(self, parked: Parked) -> None:
        try:
            answer = self._answered(parked.agent, parked.poll)
        except Exception:  # noqa: BLE001 - as an HTTP server: this request fails, others go on
            return
        parked.respond(answer)

    def _rung(self, agent: str) -> None:
        def wakes() -> None:
            for parked in self._parked.pop(ids.AgentId(agent), []):
                self._second_look(parked)

        self.site.scheduler.after(0.01, f"bell of {agent}", wakes, self.process)
        self._ring(agent)

    def _publish_soon(self) -> None:
        if not self._due:
            self._due = True
            self.site.scheduler.after(PUBLISH_S, "centre publishes", self._publish, self.process)

    def _publish(self) -> None:
        self._due = False
        if not self.log.broken:
            try:
                self.log.publish()
            except Exception:  # noqa: BLE001 - it is read-only now, which everybody finds out
                return

    def _judge(self, agent: Agent, standing: Sequence[str], at: datetime) -> None:
        known = {one.fingerprint: one for one in self.episodes.standing(agent.id)}
        shown = {}
        for name in standing:
            anomaly = _anomaly(agent.host, remedies.BY_NAME[name], at)
            shown[anomaly.fingerprint] = anomaly
            if anomaly.fingerprint not in known:
                self._open(agent, anomaly)
        for fingerprint, episode in known.items():
            if fingerprint not in shown:
                self.episodes.clear(episode.incident, at=at)
                crediting.ended(self.offered, episode.incident, at)
        for incident in self.incidents.unfinished(agent.id):
            if incident.status in AWAITS_RECOVERY and incident.fingerprint not in shown:
                key = f"recovered/{incident.status.value}"
                self.tell(incident.id, flow.Recovered(at), key=key)

    def _open(self, agent: Agent, anomaly: Anomaly) -> None:
        now = self.clock.now()
        opened = self.incidents.open(
            Incident(
                id=ids.incident_id(now, self.entropy.bytes(4)),
                agent=agent.id,
                host=agent.host,
                environment=agent.environment,
                tags={},
                fingerprint=anomaly.fingerprint,
                anomaly=anomaly,
                opened_at=now,
            )
        )
        self.episodes.start(Episode(opened.id, agent.id, anomaly.fingerprint, anomaly.at, ""))
        self.begin(opened.id)


def _anomaly(host: str, ill: remedies.Ill, at: datetime) -> Anomaly:
    value = 0.0 if isinstance(ill.bad, str) else ill.bad
    series = Series(host, ill.metric, ill.subject)
    reason = f"{ill.metric} says that something is {ill.name}"
    return Anomaly(series, at, value, Severity.CRITICAL, Ground.LIMIT, None, None, None, reason)


class Seals:
    """The dispatch key; the root of simulations names no approvers."""

    approvers_needed = 0

    def seal_order(
        self,
        wanted: Order,
        nonce: str,
        seq: int,
        approvals: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Sign an order for one poll of its agent."""
        signed = orders.SignedOrder(wanted, nonce, seq, tuple(approvals))
        return orders.seal_order(signed, remedies.signed().dispatch)

    def seal_stop(self, wanted: Order, nonce: str, seq: int, by: str) -> dict[str, Any]:
        """Sign a stop for one poll of its agent."""
        stop = orders.SignedStop(wanted.id, wanted.agent, nonce, seq, by)
        return orders.seal_stop(stop, remedies.signed().dispatch)


class Library:
    """The playbooks of the catalogue."""

    def playbooks(self) -> tuple[Any, ...]:
        """Return all."""
        return remedies.signed().parsed

    def stored(self) -> dict[Any, bytes]:
        """Return the bytes of each that were signed."""
        return dict(remedies.signed().playbooks)

    def named(self, name: str) -> Any:
        """Return the one of this name."""
        return SimpleNamespace(playbook=remedies.signed().of(name))

    def proving(self) -> dict[Any, Any]:
        """Return the signed proving records by digest."""
        return {one.digest: one for one in remedies.signed().proving}


class Counts:
    """Counts what the centre counts."""

    def __init__(self) -> None:
        """Start at zero."""
        self.counted: Counter[str] = Counter()

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Count."""
        self.counted[f"{name} {label}".strip()] += amount


class Nobody:
    """Nobody looks and no readings are kept: what happens must not depend on either."""

    def changed(self, kind: flow_centre.ChangeKind, name: str, at: datetime) -> None:
        """Tell nobody."""

    def range(self, *_: object) -> Any:
        """Return no readings."""
        return SimpleNamespace(times_ms=(), values=())

    def recent_samples(self, agent: ids.AgentId) -> Sequence[Any]:
        """Return no samples."""
        del agent
        return ()
