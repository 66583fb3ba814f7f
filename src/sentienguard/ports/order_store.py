"""Keep orders from release to report. The row is what makes a release happen once.

Called by controlplane (engine, agent api). Offered by adapters.sql_store.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sentienguard.model import errors
from sentienguard.model.ids import AgentId, Digest, OrderId
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionOutcome, ExecutionReport, Order, OrderStatus
from sentienguard.model.target import TargetKind

ANY_KIND: Final = TargetKind("")  # nobody said what the target was: it is taken for any


class NoSuchOrder(errors.Rejected):
    """No order has this id."""


class NoRoom(errors.Rejected):
    """The environment has started as many orders as its budget has; nothing was kept."""

    @classmethod
    def of(cls, order: Order, started: int, within: "Budget") -> "NoRoom":
        """Say what is used up."""
        return cls(
            f"{order.environment} has started {started} of {within.most} orders since "
            f"{within.since:%H:%M} UTC, so {order.playbook} for {order.incident} was not released; "
            "look why so much is wrong at once, then act by hand or raise fleet_budget_per_hour"
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """How many orders one environment may start from a moment on."""

    most: int
    since: datetime


@dataclass(frozen=True, slots=True)
class KeptOrder:
    """An order and where it is in its life."""

    order: Order
    status: OrderStatus
    released_at: datetime
    delivered_at: datetime | None
    refused_because: str | None
    report: ExecutionReport | None
    stop_requested_by: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How one order ended, and its incident with it."""

    agent: AgentId
    execution: ExecutionOutcome
    incident: Outcome | None  # None: the incident is not closed yet
    counts: bool | None = None  # whether its recovery counts for the playbook; None: not judged
    kind: TargetKind = ANY_KIND  # of target that it worked on


class OrderStore(Protocol):
    """Orders by id and by agent."""

    def release(self, order: Order, *, at: datetime, within: Budget | None = None) -> bool:
        """Keep an order for delivery; False where it was kept before (nothing is written).

        Counts against `within` and keeps in one transaction: releases at once, in several
        processes too, never pass it. Raises NoRoom where it is used up.
        """

    def get(self, order: OrderId) -> KeptOrder:
        """Return one. Raises NoSuchOrder."""

    def waiting(self, agent: AgentId) -> Sequence[KeptOrder]:
        """Return what this agent should be given, oldest first: RELEASED or DELIVERED."""

    def under_way(self, agent: AgentId) -> Sequence[KeptOrder]:
        """Return what this agent was given and has not ended, oldest first."""

    def standing(self, agents: Collection[AgentId]) -> Mapping[AgentId, Sequence[KeptOrder]]:
        """Return what is waiting or under way for each of these agents, oldest first.

        Agents without any are left out. For a few hundred at a time.
        """

    def expecting(self, agents: Collection[AgentId]) -> frozenset[AgentId]:
        """Return which of these agents have an order that is waiting or under way.

        For a few hundred at a time.
        """

    def delivered(self, orders: Collection[OrderId], *, at: datetime) -> frozenset[OrderId]:
        """Mark as handed over, in one commit; return which of them were.

        Left out is what was withdrawn or is past that already. Raises NoSuchOrder where one is
        unknown; then none is marked.
        """

    def withdraw(self, order: OrderId) -> bool:
        """Take back an order that was never delivered; False where it is too late for that."""

    def admitted(self, order: OrderId) -> None:
        """Mark that the host began."""

    def refused(self, order: OrderId, *, because: str) -> None:
        """Mark that the host will never run it."""

    def finished(self, report: ExecutionReport) -> None:
        """Keep the host's report; a second one for the same order changes nothing."""

    def ended(self, playbook: Digest, environment: str) -> Sequence[Ended]:
        """Return how this playbook's orders ended there, newest first, at most 500."""

    def request_stop(self, order: OrderId, *, by: str) -> bool:
        """Ask for a stop in mid-flight; False where the order has ended already."""

    def next_seq(self, agent: AgentId) -> int:
        """Return the next sequence number for a message to this agent; never the same twice."""

    def next_seqs(self, agents: Sequence[AgentId]) -> Sequence[int]:
        """Return a number for a message to each of these agents, in one commit; as `next_seq`.

        An agent that is named twice gets two.
        """

    def begun_on(self, agent: AgentId, *, since: datetime) -> Sequence[KeptOrder]:
        """Return what this agent was given since then and says that it began, oldest first.

        Dry runs are among them; what it refused is not.
        """

    def started_on(self, agent: AgentId, *, since: datetime) -> int:
        """Count orders released to this agent since then, for the budget of its service."""

    def started_since(self, since: datetime, *, environment: str) -> int:
        """Count orders released in this environment since then, for the blast-radius budget."""
