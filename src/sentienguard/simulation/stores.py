"""The centre's database: orders, incidents, approvals, agents, switches and episodes in memory.

Called by `centre`. What the ports promise of each is kept: a method is one transaction, durable
when it returns. A crash falls before the transaction or after it, never into it; that the real
stores keep this is for their own contract and fault suites. While the database is away, every
method raises DatabaseAway.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from sentienguard.model import errors, target
from sentienguard.model.approval import Agreement, Approval, ApprovalStatus
from sentienguard.model.decision import Decision
from sentienguard.model.ids import (
    AgentId,
    ApprovalId,
    Digest,
    Fingerprint,
    IncidentId,
    OrderId,
    PlaybookName,
)
from sentienguard.model.incident import NEXT, Incident, Outcome, Status
from sentienguard.model.order import ExecutionReport, Order, OrderStatus
from sentienguard.model.window import Purpose, Window, WindowId
from sentienguard.ports import approval_store, incident_store, order_store
from sentienguard.ports.agent_store import Agent, NoSuchAgent
from sentienguard.ports.episode_store import Episode
from sentienguard.ports.switches import Freeze, NoSuchWindow

Point = Callable[[str], None]
S = OrderStatus


class DatabaseAway(errors.Unavailable):
    """The database cannot be reached just now; nothing was read or written."""


class Database:
    """What all stores share: whether it answers, and where a crash may fall."""

    def __init__(self, point: Point) -> None:
        """`point` may raise Crash."""
        self.away = False
        self._point = point

    def read(self) -> None:
        """Stand before every look. Raises DatabaseAway."""
        if self.away:
            raise DatabaseAway("the database is away")

    def write(self, what: str) -> None:
        """Stand before every change. Raises DatabaseAway, Crash."""
        self.read()
        self._point(f"centre stores {what}")

    def wrote(self, what: str) -> None:
        """Stand behind every change. Raises Crash."""
        self._point(f"centre stored {what}")


def _unwatched(_: object) -> None:
    """Tell nobody."""


class Orders:
    """A ports.order_store.OrderStore."""

    def __init__(
        self, database: Database, outcome_of: Callable[[IncidentId], Outcome | None]
    ) -> None:
        """`outcome_of` joins the incidents' table."""
        self._database = database
        self._outcome_of = outcome_of
        self.rows: dict[OrderId, order_store.KeptOrder] = {}
        self._of_agent: dict[AgentId, list[OrderId]] = {}
        self.numbers: dict[AgentId, int] = {}
        self.counts: dict[OrderId, bool] = {}  # what was judged of recoveries
        self.inserted: Callable[[Order], None] = _unwatched

    def release(
        self, order: Order, *, at: datetime, within: order_store.Budget | None = None
    ) -> bool:
        """Keep an order for delivery; False where it was kept before. Raises NoRoom."""
        self._database.write("order")
        new = order.id not in self.rows
        if new and within is not None:
            started = self.started_since(within.since, environment=order.environment)
            if started >= within.most:
                raise order_store.NoRoom.of(order, started, within)
        if new:
            self.insert(order, at)
        self._database.wrote("order")
        return new

    def insert(self, order: Order, at: datetime) -> None:
        """Write the row."""
        self.inserted(order)
        self.rows[order.id] = order_store.KeptOrder(order, S.RELEASED, at, None, None, None, None)
        self._of_agent.setdefault(order.agent, []).append(order.id)

    def get(self, order: OrderId) -> order_store.KeptOrder:
        """Return one. Raises NoSuchOrder."""
        self._database.read()
        found = self.rows.get(order)
        if found is None:
            raise order_store.NoSuchOrder(f"no order {order}")
        return found

    def waiting(self, agent: AgentId) -> Sequence[order_store.KeptOrder]:
        """Return what this agent should be given, oldest first."""
        return self._in(agent, {S.RELEASED, S.DELIVERED})

    def under_way(self, agent: AgentId) -> Sequence[order_store.KeptOrder]:
        """Return what this agent was given and has not ended, oldest first."""
        return self._in(agent, {S.DELIVERED, S.ADMITTED})

    def standing(
        self, agents: Collection[AgentId]
    ) -> Mapping[AgentId, Sequence[order_store.KeptOrder]]:
        """Return what is waiting or under way for each of these agents, oldest first."""
        states = {S.RELEASED, S.DELIVERED, S.ADMITTED}
        found = {agent: self._in(agent, states) for agent in agents}
        return {agent: kept for agent, kept in found.items() if kept}

    def expecting(self, agents: Collection[AgentId]) -> frozenset[AgentId]:
        """Return which of these agents have an order that is waiting or under way."""
        states = {S.RELEASED, S.DELIVERED, S.ADMITTED}
        return frozenset(one for one in agents if self._in(one, states))

    def delivered(self, orders: Collection[OrderId], *, at: datetime) -> frozenset[OrderId]:
        """Mark as handed over; a crash comes before or after them all."""
        self._database.write("delivery")
        found = {order: self.get(order) for order in orders}
        marked = frozenset(
            order for order, one in found.items() if one.status in {S.RELEASED, S.DELIVERED}
        )
        for order in marked:
            first = found[order].delivered_at or at
            self.rows[order] = dataclasses.replace(
                found[order], status=S.DELIVERED, delivered_at=first
            )
        self._database.wrote("delivery")
        return marked

    def withdraw(self, order: OrderId) -> bool:
        """Take back an order that was never delivered."""
        return self._change("withdrawal", order, {S.RELEASED, S.WITHDRAWN}, S.WITHDRAWN)

    def admitted(self, order: OrderId) -> None:
        """Mark that the host began."""
        self._change("admission", order, {S.RELEASED, S.DELIVERED, S.WITHDRAWN}, S.ADMITTED)

    def refused(self, order: OrderId, *, because: str) -> None:
        """Mark that the host will never run it."""
        self._change("refusal", order, {S.RELEASED, S.DELIVERED, S.WITHDRAWN}, S.REFUSED)
        if self.rows[order].status is S.REFUSED:
            self.rows[order] = dataclasses.replace(self.rows[order], refused_because=because)

    def finished(self, report: ExecutionReport) -> None:
        """Keep the host's report, the first one."""
        self._database.write("report")
        found = self.get(report.order)
        if found.report is None:
            self.rows[report.order] = dataclasses.replace(found, status=S.FINISHED, report=report)
        self._database.wrote("report")

    def ended(self, playbook: Digest, environment: str) -> Sequence[order_store.Ended]:
        """Return how this playbook's orders ended there, newest first."""
        self._database.read()
        rows = [
            one
            for one in self.rows.values()
            if one.report is not None
            and (one.order.digest, one.order.environment) == (playbook, environment)
        ]
        rows.sort(key=lambda one: one.released_at, reverse=True)
        return [
            order_store.Ended(
                one.order.agent,
                one.report.outcome,
                self._outcome_of(one.order.incident),
                self.counts.get(one.order.id),
                target.of_facts(one.order.facts),
            )
            for one in rows
            if one.report is not None
        ]

    def request_stop(self, order: OrderId, *, by: str) -> bool:
        """Ask for a stop in mid-flight."""
        self._database.write("stop")
        found = self.get(order)
        if found.status not in {S.RELEASED, S.DELIVERED, S.ADMITTED}:
            return False
        asked = found.stop_requested_by or by
        self.rows[order] = dataclasses.replace(found, stop_requested_by=asked)
        return True

    def next_seq(self, agent: AgentId) -> int:
        """Return the next sequence number for a message to this agent."""
        (number,) = self.next_seqs([agent])
        return number

    def next_seqs(self, agents: Sequence[AgentId]) -> Sequence[int]:
        """Return a number for a message to each of these agents."""
        self._database.write("number")
        found = []
        for agent in agents:
            self.numbers[agent] = self.numbers.get(agent, 0) + 1
            found.append(self.numbers[agent])
        return found

    def begun_on(self, agent: AgentId, *, since: datetime) -> Sequence[order_store.KeptOrder]:
        """Return what this agent was given since then and says that it began, oldest first."""
        found = self._in(agent, {S.ADMITTED, S.FINISHED})
        return [one for one in found if (one.delivered_at or one.released_at) >= since]

    def started_on(self, agent: AgentId, *, since: datetime) -> int:
        """Count orders released to this agent since then."""
        return sum(self.rows[one].released_at >= since for one in self._of_agent.get(agent, ()))

    def started_since(self, since: datetime, *, environment: str) -> int:
        """Count orders released in this environment since then."""
        self._database.read()
        return sum(
            one.released_at >= since and one.order.environment == environment
            for one in self.rows.values()
        )

    def _in(self, agent: AgentId, states: set[S]) -> Sequence[order_store.KeptOrder]:
        self._database.read()
        found = [self.rows[one] for one in self._of_agent.get(agent, ())]
        return [one for one in found if one.status in states]

    def _change(self, what: str, order: OrderId, states: set[S], to: S) -> bool:
        self._database.write(what)
        found = self.get(order)
        fits = found.status in states
        if fits:
            self.rows[order] = dataclasses.replace(found, status=to)
        self._database.wrote(what)
        return fits


class Incidents:
    """The part of ports.incident_store.IncidentStore that the centre's work asks for."""

    def __init__(self, database: Database) -> None:
        """Begin empty."""
        self._database = database
        self.rows: dict[IncidentId, Incident] = {}
        self.open_rows: dict[IncidentId, Incident] = {}
        self._decisions: dict[IncidentId, Decision] = {}

    def open(self, incident: Incident) -> Incident:
        """Keep a new incident, unless one with its agent and fingerprint is open."""
        self._database.write("incident")
        standing = self.open_for(incident.agent, incident.fingerprint)
        if standing is None:
            self.rows[incident.id] = self.open_rows[incident.id] = incident
        self._database.wrote("incident")
        return standing or incident

    def get(self, incident: IncidentId) -> Incident:
        """Return one. Raises NoSuchIncident."""
        self._database.read()
        found = self.rows.get(incident)
        if found is None:
            raise incident_store.NoSuchIncident(f"no incident {incident}")
        return found

    def move(
        self,
        incident: IncidentId,
        status: Status,
        *,
        summary: str,
        outcome: Outcome | None = None,
        at: datetime | None = None,
    ) -> Incident:
        """Move to a status. Raises NoSuchIncident, WrongTransition."""
        self._database.write("move")
        found = self.get(incident)
        if found.status is not status:
            if status not in NEXT[found.status]:
                raise incident_store.WrongTransition(f"{incident}: {found.status} to {status}")
            moved = dataclasses.replace(
                found, status=status, summary=summary, outcome=outcome, closed_at=at
            )
            self.rows[incident] = self.open_rows[incident] = moved
            if status is Status.CLOSED:
                del self.open_rows[incident]
        self._database.wrote("move")
        return self.rows[incident]

    def unfinished(self, agent: AgentId | None = None) -> Sequence[Incident]:
        """Return all that are not closed, oldest first."""
        self._database.read()
        return [one for one in self.open_rows.values() if agent in {None, one.agent}]

    def open_for(self, agent: AgentId, fingerprint: Fingerprint) -> Incident | None:
        """Return the one that is open for this symptom at this place."""
        self._database.read()
        wanted = (agent, fingerprint)
        found = (one for one in self.open_rows.values() if (one.agent, one.fingerprint) == wanted)
        return next(found, None)

    def earlier(
        self, agent: AgentId, fingerprint: Fingerprint, *, since: datetime
    ) -> Sequence[Incident]:
        """Return closed ones with this fingerprint opened since then, newest first."""
        self._database.read()
        wanted = (agent, fingerprint)
        found = [
            one
            for one in self.rows.values()
            if (one.agent, one.fingerprint) == wanted
            and one.status is Status.CLOSED
            and one.opened_at >= since
        ]
        return sorted(found, key=lambda one: one.opened_at, reverse=True)

    def put_decision(self, decision: Decision) -> None:
        """Keep the decision of an incident, the first one."""
        self._database.write("decision")
        self._decisions.setdefault(decision.incident, decision)
        self._database.wrote("decision")

    def put_further(self, decision: Decision, *, after: PlaybookName) -> None:
        """Keep a decision in the place of the one that was about `after`."""
        self._database.write("decision")
        kept = self._decisions.get(decision.incident)
        if kept is not None and kept.playbook == after:
            self._decisions[decision.incident] = decision
        self._database.wrote("decision")

    def decision(self, incident: IncidentId) -> Decision | None:
        """Return the decision of an incident, where one was made."""
        self._database.read()
        return self._decisions.get(incident)


class Approvals:
    """A ports.approval_store.ApprovalStore."""

    def __init__(self, database: Database) -> None:
        """Begin empty."""
        self._database = database
        self.rows: dict[ApprovalId, Approval] = {}
        self.yeses: dict[tuple[ApprovalId, str], Agreement] = {}
        self.decided: Callable[[Approval], None] = _unwatched

    def open(self, approval: Approval) -> None:
        """Keep a question; the same id again changes nothing."""
        self._database.write("question")
        self.rows.setdefault(approval.id, approval)
        self._database.wrote("question")

    def get(self, approval: ApprovalId) -> Approval:
        """Return one. Raises NoSuchApproval."""
        self._database.read()
        found = self.rows.get(approval)
        if found is None:
            raise approval_store.NoSuchApproval(f"no question {approval}")
        return found

    def of(self, incident: IncidentId) -> Approval | None:
        """Return the question of an incident, where one was asked."""
        self._database.read()
        return next((one for one in self.rows.values() if one.incident == incident), None)

    def agree(self, agreement: Agreement) -> None:
        """Keep a yes. Raises NoSuchApproval, AlreadyDecided."""
        self._database.write("agreement")
        found = self.get(agreement.approval)
        if found.status is not ApprovalStatus.PENDING or self.late(found, agreement.at):
            raise approval_store.AlreadyDecided(f"{found.id} is {found.status}")
        self.yeses[found.id, agreement.by] = agreement
        self._database.wrote("agreement")

    def agreements(self, approval: ApprovalId) -> Sequence[Agreement]:
        """Return who said yes, in their order."""
        self._database.read()
        return [one for one in self.yeses.values() if one.approval == approval]

    def agreements_of(
        self, approvals: Collection[ApprovalId]
    ) -> Mapping[ApprovalId, Sequence[Agreement]]:
        """Return the same of several questions."""
        found = {approval: self.agreements(approval) for approval in approvals}
        return {approval: agreed for approval, agreed in found.items() if agreed}

    def decide(
        self, approval: ApprovalId, status: ApprovalStatus, *, by: str, at: datetime, note: str
    ) -> Approval:
        """Answer a pending question, once. Raises NoSuchApproval, AlreadyDecided."""
        self._database.write("answer")
        found = self.get(approval)
        person = status in {ApprovalStatus.APPROVED, ApprovalStatus.DENIED}
        if found.status is not ApprovalStatus.PENDING or (person and self.late(found, at)):
            raise approval_store.AlreadyDecided(f"{approval} is {found.status}")
        decided = dataclasses.replace(found, status=status, decided_by=by, decided_at=at, note=note)
        self.rows[approval] = decided
        self.decided(decided)
        self._database.wrote("answer")
        return decided

    def late(self, approval: Approval, at: datetime) -> bool:
        """Tell whether a person's answer comes too late."""
        return at > approval.expires_at

    def list(self, status: ApprovalStatus | None, *, within: Collection[str]) -> Sequence[Approval]:
        """List newest first."""
        self._database.read()
        found = [one for one in reversed(self.rows.values()) if status in {None, one.status}]
        return [one for one in found if one.environment in within]


class Agents:
    """The part of ports.agent_store.AgentStore that the centre's work asks for."""

    def __init__(self, database: Database) -> None:
        """Begin empty."""
        self._database = database
        self.rows: dict[AgentId, Agent] = {}

    def add(self, agent: Agent) -> None:
        """Keep a new agent."""
        self.rows[agent.id] = agent

    def list(self) -> Sequence[Agent]:
        """Return all."""
        return tuple(self.rows.values())

    def get(self, agent: AgentId) -> Agent:
        """Return one. Raises NoSuchAgent."""
        self._database.read()
        found = self.rows.get(agent)
        if found is None:
            raise NoSuchAgent(f"no agent {agent}")
        return found

    def by_pins(self, tls_pins: Collection[str]) -> Mapping[str, Agent]:
        """Return those whose certificates have these keys, by key; nobody who was struck off."""
        self._database.read()
        found = (one for one in self.rows.values() if one.struck_off is None)
        return {one.tls_pin: one for one in found if one.tls_pin in tls_pins}

    def events_through(self, agent: AgentId, through: int) -> None:
        """Remember how far its events are durable."""
        self._database.write("events through")
        found = self.rows[agent]
        self.rows[agent] = dataclasses.replace(
            found, events_through=max(found.events_through, through)
        )


class KillSwitch:
    """A ports.switches.Switches."""

    def __init__(self, database: Database) -> None:
        """Begin with everything on."""
        self._database = database
        self._freeze: Freeze | None = None
        self._windows: dict[WindowId, Window] = {}

    @property
    def frozen_in_truth(self) -> bool:
        """Tell whether the freeze stands, whoever can read it now."""
        return self._freeze is not None

    def freeze(self) -> Freeze | None:
        """Return the freeze that stands, if one does."""
        self._database.read()
        return self._freeze

    def set_freeze(self, freeze: Freeze | None) -> None:
        """Set or clear the kill switch."""
        self._database.write("freeze")
        self._freeze = freeze

    def add_window(self, window: Window) -> None:
        """Keep a window; the same id again changes nothing."""
        self._database.write("window")
        self._windows.setdefault(window.id, window)

    def window(self, window: WindowId) -> Window:
        """Return one, also after its end. Raises NoSuchWindow."""
        self._database.read()
        if window not in self._windows:
            message = f"no silence or maintenance is called {window!r}"
            raise NoSuchWindow(message)
        return self._windows[window]

    def windows(
        self, purpose: Purpose, *, at: datetime, ended_too: bool = False
    ) -> Sequence[Window]:
        """Return those that have not ended by then, by when they begin; or all, newest first."""
        self._database.read()
        found = sorted(
            (one for one in self._windows.values() if one.purpose is purpose),
            key=lambda one: (one.starts_at, one.id),
        )
        if ended_too:
            return tuple(reversed(found))
        return tuple(one for one in found if one.ends_at > at)

    def end_window(self, window: WindowId, *, at: datetime) -> Window:
        """End one then, if it would end later, and return it as it is. Raises NoSuchWindow."""
        found = self.window(window)
        if found.ends_at > at:
            self._database.write("window")
            self._windows[window] = dataclasses.replace(found, ends_at=at)
        return self._windows[window]


class Episodes:
    """The part of ports.episode_store.EpisodeStore that the centre's work asks for."""

    def __init__(self, database: Database) -> None:
        """Begin empty."""
        self._database = database
        self._standing: dict[IncidentId, Episode] = {}
        self.begun: dict[IncidentId, datetime] = {}
        self.ended: dict[IncidentId, datetime] = {}

    def start(self, episode: Episode) -> None:
        """Keep a new one; the same incident again changes nothing."""
        self._database.write("episode")
        self._standing.setdefault(episode.incident, episode)
        self.begun.setdefault(episode.incident, episode.started_at)

    def clear(self, incident: IncidentId, *, at: datetime) -> None:
        """Mark that the symptom is gone."""
        self._database.write("episode's end")
        if self._standing.pop(incident, None) is not None:
            self.ended[incident] = at

    def standing(self, agent: AgentId) -> Sequence[Episode]:
        """Return this agent's that have not cleared."""
        self._database.read()
        return [one for one in self._standing.values() if one.agent == agent]

    def sample_of(self, incident: IncidentId) -> str | None:
        """Return nothing: the pretend world sends no samples' texts."""
        del incident
        return None
