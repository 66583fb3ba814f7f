"""Keep orders from release to report.

Called through ports.order_store. Rules:

1. The primary key makes a release happen once; message numbers rise in one statement.
2. The centre may take an order back only before it was delivered. What a host says of an order
   outranks what the centre believed: it is kept even for an order that was withdrawn.
3. Nothing goes back: each statement names the states that it may leave.
4. A budget is counted in the transaction that keeps the order. SQLite lets one writer in; on
   PostgreSQL, where two transactions would not see each other's rows, releases take turns.
5. What a host reports (outputs of steps) and why it refused is sealed. How an order ended, which is
   asked in SQL, stands beside it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, TextClause, bindparam, text

from sentienguard.adapters.sql_store import codec, grouping
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import REFUSAL, REPORT
from sentienguard.model import errors, target
from sentienguard.model.ids import AgentId, Digest, OrderId
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionOutcome, ExecutionReport, Order, OrderStatus
from sentienguard.ports.order_store import Budget, Ended, KeptOrder, NoRoom, NoSuchOrder

# Keep an order for delivery, unless it was kept before.
RELEASE = text("""
    INSERT INTO orders
        (id, incident, agent, environment, playbook, order_json, status, released_us)
    VALUES
        (:id, :incident, :agent, :environment, :playbook, :order_json, 'released', :released_us)
    ON CONFLICT (id) DO NOTHING
""")

# Releases under a budget take turns until their transaction ends; the number is ours.
IN_TURN = text("SELECT pg_advisory_xact_lock(7311806257201923)")

# One order by its id.
GET = text("SELECT * FROM orders WHERE id = :id")

# What an agent should be given, oldest first.
WAITING = text("""
    SELECT * FROM orders
    WHERE agent = :agent AND status IN ('released', 'delivered')
    ORDER BY released_us, id
""")

# What an agent was given and has not ended, oldest first.
UNDER_WAY = text("""
    SELECT * FROM orders
    WHERE agent = :agent AND status IN ('delivered', 'admitted')
    ORDER BY released_us, id
""")

# Both, of several agents.
STANDING = text("""
    SELECT * FROM orders
    WHERE agent IN :agents AND status IN ('released', 'delivered', 'admitted')
    ORDER BY released_us, id
""").bindparams(bindparam("agents", expanding=True))

# Which agents have any of both.
EXPECTING = text("""
    SELECT DISTINCT agent FROM orders
    WHERE agent IN :agents AND status IN ('released', 'delivered', 'admitted')
""").bindparams(bindparam("agents", expanding=True))

# Mark as handed over; the first time counts, an agent that lost it gets it again.
DELIVERED = text("""
    UPDATE orders SET status = 'delivered', delivered_us = COALESCE(delivered_us, :at_us)
    WHERE id = :id AND status IN ('released', 'delivered')
""")

# Take back what was never delivered; again is as good as once.
WITHDRAW = text("""
    UPDATE orders SET status = 'withdrawn' WHERE id = :id AND status IN ('released', 'withdrawn')
""")

# The host began.
ADMITTED = text("""
    UPDATE orders SET status = 'admitted'
    WHERE id = :id AND status IN ('released', 'delivered', 'withdrawn')
""")

# The host will never run it.
REFUSED = text("""
    UPDATE orders SET status = 'refused', refused_because = :because
    WHERE id = :id AND status IN ('released', 'delivered', 'withdrawn')
""")

# Keep the host's report, the first one.
FINISHED = text("""
    UPDATE orders SET status = 'finished', report = :report, ended = :ended
    WHERE id = :id AND report IS NULL
""")

# Ask for a stop of what has not ended; the first person stays named.
REQUEST_STOP = text("""
    UPDATE orders SET stop_requested_by = COALESCE(stop_requested_by, :asked_by)
    WHERE id = :id AND status IN ('released', 'delivered', 'admitted')
""")

# Count up the message number of an agent and return it; the row's lock keeps two callers apart.
NEXT_SEQ = text("""
    INSERT INTO order_numbers (agent, last) VALUES (:agent, 1)
    ON CONFLICT (agent) DO UPDATE SET last = order_numbers.last + 1
    RETURNING last
""")

# What an agent was given since then and said that it began, oldest first.
BEGUN_ON = text("""
    SELECT * FROM orders
    WHERE agent = :agent AND status IN ('admitted', 'finished')
        AND COALESCE(delivered_us, released_us) >= :since_us
    ORDER BY COALESCE(delivered_us, released_us), id
""")

# Orders released to an agent since then, whatever became of them.
STARTED_ON = text("""
    SELECT COUNT(*) AS started FROM orders WHERE agent = :agent AND released_us >= :since_us
""")

# Orders released in an environment since then, whatever became of them.
STARTED_SINCE = text("""
    SELECT COUNT(*) AS started FROM orders
    WHERE environment = :environment AND released_us >= :since_us
""")


# How the orders of a playbook ended in an environment, newest first.
ENDED = text("""
    SELECT orders.agent, orders.ended, orders.counts, orders.order_json, incidents.outcome
    FROM orders LEFT JOIN incidents ON incidents.id = orders.incident
    WHERE orders.playbook = :playbook AND orders.environment = :environment
        AND orders.ended IS NOT NULL
    ORDER BY orders.released_us DESC, orders.id
    LIMIT 500
""")


class SqlOrderStore:
    """Orders in the relational store; see ports.order_store for what each method promises."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def release(self, order: Order, *, at: datetime, within: Budget | None = None) -> bool:
        """Keep an order for delivery; False where it was kept before (nothing is written).

        Raises NoRoom where `within` is used up.
        """
        order_json = codec.ORDER.encode(order)
        with self._connections.write() as transaction:
            if within is not None and not self._room(transaction, order, within):
                return False
            written = transaction.change(
                RELEASE,
                id=order.id,
                incident=order.incident,
                playbook=order.digest,
                agent=order.agent,
                environment=order.environment,
                order_json=order_json,
                released_us=codec.micros(at),
            )
        return written == 1

    def get(self, order: OrderId) -> KeptOrder:
        """Return one. Raises NoSuchOrder."""
        with self._connections.read() as transaction:
            return self._get(transaction, order)

    def waiting(self, agent: AgentId) -> Sequence[KeptOrder]:
        """Return what this agent should be given, oldest first: RELEASED or DELIVERED."""
        with self._connections.read() as transaction:
            return tuple(self._kept(row) for row in transaction.rows(WAITING, agent=agent))

    def under_way(self, agent: AgentId) -> Sequence[KeptOrder]:
        """Return what this agent was given and has not ended, oldest first."""
        with self._connections.read() as transaction:
            return tuple(self._kept(row) for row in transaction.rows(UNDER_WAY, agent=agent))

    def standing(self, agents: Collection[AgentId]) -> Mapping[AgentId, Sequence[KeptOrder]]:
        """Return what is waiting or under way for each of these agents, oldest first."""
        if not agents:
            return {}
        with self._connections.read() as transaction:
            rows = transaction.rows(STANDING, agents=list(agents))
        return grouping.grouped(rows, lambda row: AgentId(row.agent), self._kept)

    def expecting(self, agents: Collection[AgentId]) -> frozenset[AgentId]:
        """Return which of these agents have an order that is waiting or under way."""
        if not agents:
            return frozenset()
        with self._connections.read() as transaction:
            rows = transaction.rows(EXPECTING, agents=list(agents))
        return frozenset(AgentId(row.agent) for row in rows)

    def delivered(self, orders: Collection[OrderId], *, at: datetime) -> frozenset[OrderId]:
        """Mark as handed over; a second handing over counts too, whose time is not kept."""
        at_us = codec.micros(at)
        marked: set[OrderId] = set()
        with self._connections.write() as transaction:
            for order in sorted(orders):  # in one order, so that none deadlocks
                if transaction.change(DELIVERED, id=order, at_us=at_us):
                    marked.add(order)
                else:
                    self._get(transaction, order)
        return frozenset(marked)

    def withdraw(self, order: OrderId) -> bool:
        """Take back an order that was never delivered; False where it is too late for that."""
        return self._change(WITHDRAW, order)

    def admitted(self, order: OrderId) -> None:
        """Mark that the host began."""
        self._change(ADMITTED, order)

    def refused(self, order: OrderId, *, because: str) -> None:
        """Mark that the host will never run it."""
        self._change(REFUSED, order, because=self._keys.seal_text(because, REFUSAL, order))

    def finished(self, report: ExecutionReport) -> None:
        """Keep the host's report; a second one for the same order changes nothing."""
        sealed = self._keys.seal_text(codec.REPORT.encode(report), REPORT, report.order)
        self._change(FINISHED, report.order, report=sealed, ended=report.outcome.value)

    def ended(self, playbook: Digest, environment: str) -> Sequence[Ended]:
        """Return how this playbook's orders ended there, newest first, at most 500."""
        with self._connections.read() as transaction:
            rows = transaction.rows(ENDED, playbook=playbook, environment=environment)
        return tuple(
            Ended(
                agent=AgentId(row.agent),
                execution=codec.member(ExecutionOutcome, row.ended),
                incident=None if row.outcome is None else codec.member(Outcome, row.outcome),
                counts=None if row.counts is None else bool(row.counts),
                kind=target.of_facts(codec.ORDER.decode(row.order_json).facts),
            )
            for row in rows
        )

    def request_stop(self, order: OrderId, *, by: str) -> bool:
        """Ask for a stop in mid-flight; False where the order has ended already."""
        return self._change(REQUEST_STOP, order, asked_by=by)

    def next_seq(self, agent: AgentId) -> int:
        """Return the next sequence number for a message to this agent; never the same twice."""
        (number,) = self.next_seqs([agent])
        return number

    def next_seqs(self, agents: Sequence[AgentId]) -> Sequence[int]:
        """Return a number for a message to each of these agents, in one commit."""
        numbers: dict[int, int] = {}  # by place in `agents`
        with self._connections.write() as transaction:
            for place in sorted(range(len(agents)), key=agents.__getitem__):  # none deadlocks
                row = transaction.row(NEXT_SEQ, agent=agents[place])
                if row is None:
                    raise errors.Broken(
                        f"agent {agents[place]}: the database counted up and returned no number"
                    )
                numbers[place] = int(row.last)
        return [numbers[place] for place in range(len(agents))]

    def begun_on(self, agent: AgentId, *, since: datetime) -> Sequence[KeptOrder]:
        """Return what this agent was given since then and says that it began, oldest first."""
        with self._connections.read() as transaction:
            rows = transaction.rows(BEGUN_ON, agent=agent, since_us=codec.micros(since))
            return tuple(self._kept(row) for row in rows)

    def started_on(self, agent: AgentId, *, since: datetime) -> int:
        """Count orders released to this agent since then, withdrawn ones and dry runs too."""
        return self._count(STARTED_ON, agent=agent, since_us=codec.micros(since))

    def started_since(self, since: datetime, *, environment: str) -> int:
        """Count orders released in this environment since then, withdrawn ones and dry runs too."""
        return self._count(STARTED_SINCE, environment=environment, since_us=codec.micros(since))

    def _room(self, transaction: Transaction, order: Order, within: Budget) -> bool:  # rule 4
        """Take the turn; False where the order was kept before. Raises NoRoom."""
        if self._connections.dialect == "postgresql":
            transaction.row(IN_TURN)
        if transaction.row(GET, id=order.id) is not None:
            return False
        since_us = codec.micros(within.since)
        (row,) = transaction.rows(STARTED_SINCE, environment=order.environment, since_us=since_us)
        if row.started >= within.most:
            raise NoRoom.of(order, row.started, within)
        return True

    def _count(self, statement: TextClause, **values: str | int) -> int:
        """Return the number that a statement counted."""
        with self._connections.read() as transaction:
            (row,) = transaction.rows(statement, **values)
        return int(row.started)

    def _change(self, statement: TextClause, order: OrderId, **values: str | int) -> bool:
        """Run a change and tell whether the order was where it may happen. Raises NoSuchOrder."""
        with self._connections.write() as transaction:
            if transaction.change(statement, id=order, **values):
                return True
            self._get(transaction, order)
            return False

    def _get(self, transaction: Transaction, order: OrderId) -> KeptOrder:
        """Return one inside a transaction. Raises NoSuchOrder."""
        row = transaction.row(GET, id=order)
        if row is None:
            raise NoSuchOrder(f"no order is called {order!r}; its incident names the order it has")
        return self._kept(row)

    def _kept(self, row: Row[Any]) -> KeptOrder:
        """Read a row."""
        refused, report = row.refused_because, row.report
        return KeptOrder(
            order=codec.ORDER.decode(row.order_json),
            status=codec.member(OrderStatus, row.status),
            released_at=codec.instant(row.released_us),
            delivered_at=codec.instant_or_none(row.delivered_us),
            refused_because=refused and self._keys.readable_text(refused, REFUSAL, row.id),
            report=report and codec.REPORT.decode(self._keys.unseal_text(report, REPORT, row.id)),
            stop_requested_by=row.stop_requested_by,
        )
