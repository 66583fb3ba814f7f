"""The centre's orders in memory: released, delivered, ended, and each agent's numbers.

Called by `centre`; `permitted` reads the rows. `database` has the rules of all stores.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from sentienguard.model import target
from sentienguard.model.ids import AgentId, Digest, IncidentId, OrderId
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionReport, Order, OrderStatus
from sentienguard.ports import order_store
from sentienguard.simulation.stores.database import Database, unwatched

S = OrderStatus


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
        self.inserted: Callable[[Order], None] = unwatched

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
