"""Polls of many hosts with one look: what each is answered is what it would be answered alone."""

import asyncio
import dataclasses
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.controlplane import poll_desk
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.poll_desk import PollDesk
from sentienguard.flow import dispatch
from sentienguard.flow.dispatch import Answer, Poll
from sentienguard.model import errors
from sentienguard.ports.agent_store import Agent, NoSuchAgent
from sentienguard.ports.audit_log import EntryRefused
from tests.contract import stores_nouns as nouns
from tests.unit.flow.test_flow_dispatch import Log

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
PATIENCE_S = 60
LOG: Any = Log()  # type: ignore[no-untyped-call]  # of five entries; its module has no types
NOTE = LOG.checkpoint()
HOSTS = 6


class World:
    """A database of hosts and orders, and the desk before it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.looks: Counter[str] = Counter()
        self.sealing = threading.Event()  # who seals waits for it
        self.sealing.set()
        self.reached = threading.Event()  # an order is about to be sealed
        self.agents = [nouns.agent(number) for number in range(HOSTS)]
        for one in self.agents:
            database.agents.add(one)
        centre: Any = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOW, monotonic=lambda: 0.0),
            agents=self._counted(database.agents),
            orders=self._counted(database.orders),
            approvals=database.approvals,
            switches=database.switches,
            trust=SimpleNamespace(seal_order=self._seal, seal_stop=self._seal_stop),
            log=SimpleNamespace(
                checkpoint=lambda: NOTE,
                consistency=LOG.consistency,
                add_cosignature=self._cosigned,
            ),
            audit=SimpleNamespace(once_all=lambda _kind, _key, facts: [None for _ in facts]),
            counters=Counters(),
            anchoring=None,
        )
        self.centre = centre
        self.desk = PollDesk(centre)

    def _counted(self, store: object) -> Any:
        looks = self.looks

        class Counted:
            def __getattr__(self, name: str) -> Any:
                looks[name] += 1
                return getattr(store, name)

        return Counted()

    def _seal(self, wanted: Any, nonce: str, *_: object) -> dict[str, Any]:
        self.reached.set()
        assert self.sealing.wait(PATIENCE_S)
        return {"order": wanted.id, "nonce": nonce}

    def _seal_stop(self, wanted: Any, nonce: str, seq: int, by: str) -> dict[str, Any]:
        del seq
        return {"stop": wanted.id, "nonce": nonce, "by": by}

    def _cosigned(self, note: str) -> None:
        if note != NOTE:
            raise EntryRefused("no note of ours")

    def ordered(self, *numbers: int) -> None:
        for number in numbers:
            order = nouns.order(number, agent=self.agents[number].id)
            self.database.orders.release(order, at=NOW)

    def together(self, asked: Sequence[tuple[Agent | str, Poll]]) -> list[Any]:
        """Ask all before any is answered; return each one's answer, or why there is none."""

        async def all_at_once() -> list[Any]:
            sent = [
                asyncio.ensure_future(
                    self.desk.first(who if isinstance(who, str) else who.tls_pin, poll)
                )
                for who, poll in asked
            ]
            await asyncio.sleep(0)  # all of them wait by now
            self.desk.start()
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.gather(*sent, return_exceptions=True)

        return asyncio.run(all_at_once())


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tables once; each test has a copy."""
    path = tmp_path_factory.mktemp("empty") / "store.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def world(tmp_path: Path, empty: Path) -> Iterator[World]:
    shutil.copy(empty, tmp_path / "store.db")
    database = open_database(f"sqlite:///{tmp_path / 'store.db'}")
    made = World(database)
    yield made
    made.sealing.set()
    made.desk.stop()
    database.close()


def a_poll(nonce: str = "ab", *, busy: str | None = None, cosigned: str | None = None) -> Poll:
    return Poll(nonce=nonce, busy=busy, tree_size=3, cosigned=cosigned)


def test_each_is_answered_what_it_would_be_alone(world: World) -> None:
    world.ordered(1, 2, 3)
    running, stopped = (nouns.order(number, agent=world.agents[number].id) for number in (2, 3))
    for one in (running, stopped):
        world.database.orders.delivered([one.id], at=NOW)
        world.database.orders.admitted(one.id)
    world.database.orders.request_stop(stopped.id, by="anna")
    polls = [
        a_poll("n0"),
        a_poll("n1"),
        a_poll("n2", busy=running.id),
        a_poll("n3", busy=stopped.id),
        a_poll("n4", busy="ord_that_nobody_knows"),
        a_poll("n5", cosigned=NOTE),
    ]
    found = world.together(list(zip(world.agents, polls, strict=True)))
    alone = dispatch.Dispatch(world.centre)
    known = [world.database.agents.get(one.id) for one in world.agents]
    assert [answer for _, answer in found] == [
        alone.answer(agent, poll) for agent, poll in zip(known, polls, strict=True)
    ]
    given = [answer.order or answer.stop for _, answer in found]
    assert [one and one["nonce"] for one in given] == [None, "n1", None, "n3", None, None]
    assert all(answer.checkpoint == NOTE and answer.consistency for _, answer in found)
    assert [one.last_seen for one in known] == [NOW] * HOSTS
    assert [agent.id for agent, _ in found] == [one.id for one in world.agents]


def test_one_look_is_for_all_that_ask_together(world: World) -> None:
    found = world.together([(one, a_poll()) for one in world.agents])
    assert all(isinstance(answer, Answer) and not answer.has_work for _, answer in found)
    assert world.looks == Counter(by_pins=1, seen_all=1, expecting=1)


def test_orders_of_many_are_brought_with_few_looks_at_what_holds_for_all(world: World) -> None:
    world.ordered(*range(HOSTS))
    frozen = world.database.switches.freeze
    looks: list[None] = []
    world.centre.switches = SimpleNamespace(
        freeze=lambda: looks.append(None) or frozen(),  # type: ignore[func-returns-value]  # it counts
        windows=world.database.switches.windows,
    )
    found = world.together([(one, a_poll(f"n{n}")) for n, one in enumerate(world.agents)])
    assert [answer.order["nonce"] for _, answer in found] == [f"n{n}" for n in range(HOSTS)]
    assert len(looks) == 1


def test_whose_order_cannot_be_sealed_takes_no_other_with_it(world: World) -> None:
    world.ordered(0, 1, 2)
    seal = world.centre.trust.seal_order

    def some(wanted: Any, nonce: str, *more: object) -> dict[str, Any]:
        if nonce == "n1":
            raise errors.Unavailable("the dispatch key is away")
        made: dict[str, Any] = seal(wanted, nonce, *more)
        return made

    world.centre.trust.seal_order = some
    found = world.together([(one, a_poll(f"n{n}")) for n, one in enumerate(world.agents[:3])])
    assert isinstance(found[1], errors.Unavailable)
    assert [found[n][1].order["nonce"] for n in (0, 2)] == ["n0", "n2"]


def test_who_cannot_be_answered_takes_no_other_with_it(world: World) -> None:
    agents = world.agents
    found = world.together(
        [(agents[0], a_poll()), ("ff" * 32, a_poll()), (agents[1], a_poll(cosigned="forged"))]
    )
    assert isinstance(found[0], tuple)
    assert [type(one) for one in found[1:]] == [NoSuchAgent, EntryRefused]


def test_for_whom_there_is_nothing_never_waits_for_an_order_of_another(world: World) -> None:
    world.ordered(1)
    world.sealing.clear()
    world.desk.start()

    async def run() -> tuple[Answer, Answer]:
        async with asyncio.timeout(PATIENCE_S):
            busy = asyncio.ensure_future(world.desk.first(world.agents[1].tls_pin, a_poll()))
            assert await asyncio.to_thread(world.reached.wait, PATIENCE_S)
            _, calm = await world.desk.first(world.agents[0].tls_pin, a_poll())
            assert not busy.done()
            world.sealing.set()
            return calm, (await busy)[1]

    calm, given = asyncio.run(run())
    assert not calm.has_work
    assert given.order is not None


def test_a_second_look_finds_what_came_meanwhile(world: World) -> None:
    world.desk.start()

    async def run() -> tuple[Answer, Answer]:
        async with asyncio.timeout(PATIENCE_S):
            agent, before = await world.desk.first(world.agents[1].tls_pin, a_poll())
            await asyncio.to_thread(world.ordered, 1)
            return before, await world.desk.again(agent, a_poll())

    before, after = asyncio.run(run())
    assert (before.order, after.order and after.order["nonce"]) == (None, "ab")


def test_whose_bell_did_not_ring_is_answered_without_a_look(world: World) -> None:
    world.desk.start()

    async def run() -> tuple[Answer, Answer]:
        async with asyncio.timeout(PATIENCE_S):
            agent, _ = await world.desk.first(world.agents[1].tls_pin, a_poll())
            world.looks.clear()
            again = await world.desk.nothing(a_poll())
            assert not world.looks
            return again, await world.desk.again(agent, a_poll())

    without, looked = asyncio.run(run())
    assert without == looked
    assert without.checkpoint == NOTE


def test_that_an_agent_spoke_is_kept_where_it_is_news(world: World) -> None:
    """Every host polls and samples within half a minute: once is enough."""
    seen = {0: None, 1: NOW - timedelta(seconds=5), 2: NOW - poll_desk.SEEN_AGAIN}
    for number, at in seen.items():
        if at is not None:
            world.database.agents.seen(world.agents[number].id, at=at)
    polls = [a_poll(), a_poll(), a_poll()]
    world.together(list(zip(world.agents[:3], polls, strict=True)))
    known = [world.database.agents.get(one.id).last_seen for one in world.agents[:3]]
    assert known == [NOW, seen[1], NOW]


def test_a_new_root_is_news_however_soon(world: World) -> None:
    agent = world.agents[0]
    world.database.agents.seen(agent.id, at=NOW - timedelta(seconds=1))
    world.together([(agent, dataclasses.replace(a_poll(), root_version=7))])
    assert world.database.agents.get(agent.id).root_version == 7


def test_nobody_is_answered_while_the_database_is_away(world: World) -> None:
    def away(_: object) -> None:
        raise errors.Unavailable("the database is away")

    world.centre.orders = SimpleNamespace(expecting=away)
    found = world.together([(one, a_poll()) for one in world.agents])
    assert {type(one) for one in found} == {errors.Unavailable}


def test_what_is_damaged_of_one_host_takes_no_other_with_it(world: World) -> None:
    world.ordered(0, 1, 2)
    damaged = world.agents[1].id
    standing = world.database.orders.standing

    def some(agents: Any) -> Any:
        if damaged in agents:
            raise errors.Broken("a stored order cannot be read")
        return standing(agents)

    world.database.orders.standing = some  # type: ignore[method-assign]  # one row is damaged
    found = world.together([(one, a_poll(f"n{n}")) for n, one in enumerate(world.agents[:3])])
    assert isinstance(found[1], errors.Broken)
    assert [found[n][1].order["nonce"] for n in (0, 2)] == ["n0", "n2"]


def test_while_the_database_is_away_it_is_asked_once_for_all(world: World) -> None:
    world.ordered(*range(HOSTS))
    asked: list[object] = []

    def away(agents: object) -> None:
        asked.append(agents)
        raise errors.Unavailable("the database is away")

    world.database.orders.standing = away  # type: ignore[assignment,method-assign]  # as it is then
    found = world.together([(one, a_poll()) for one in world.agents])
    assert {type(one) for one in found} == {errors.Unavailable}
    assert len(asked) == 1
