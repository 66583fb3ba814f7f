"""Samples of many hosts in one commit: what each gets is what it would get alone."""

import asyncio
import contextlib
import itertools
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.sample_desk import SampleDesk
from sentienguard.controlplane.settings import Settings
from sentienguard.model import errors, ids
from sentienguard.model.incident import Status
from sentienguard.model.telemetry import Sample, Series
from sentienguard.ports.agent_store import Agent, NoSuchAgent
from sentienguard.stages.observe import payload, wire

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
DISK = ("system.disk_usage_percent", "/srv")
SWAP = ("system.swap_percent", "")  # which is believed at its third reading in a row
HOSTS, ROUNDS = 4, 24
FULL = {1: range(6, 9), 2: range(10, 13)}  # host -> rounds in which its disk is full
PATIENCE_S = 60


class Fails:
    """Passes calls on, but for one call of one name."""

    def __init__(self, target: object, name: str) -> None:
        self._target, self._name = target, name
        self.failed = True

    def __getattr__(self, name: str) -> Any:
        if name == self._name and not self.failed:
            self.failed = True

            def away(*_: object, **__: object) -> None:
                raise errors.Unavailable("the disk is full")

            return away
        return getattr(self._target, name)


class World:
    """Hosts, real stores in files, and the desk before them."""

    def __init__(self, directory: Path, empty: Path) -> None:
        directory.mkdir()
        shutil.copy(empty, directory / "store.db")
        self.database: Database = open_database(f"sqlite:///{directory / 'store.db'}")
        self.metrics = BlockStore(directory / "metrics.db")
        self.now, self.begun, self.told = NOW, list[str](), list[str]()
        self.reached = threading.Event()  # an incident is about to begin
        self.hold = threading.Event()  # who begins an incident waits for it
        self.hold.set()
        self.agents = [
            Agent(ids.AgentId(f"8f14e45f-ceea-467f-a1d1-{number:012}"), f"web-{number}", "drill",
                  {}, f"{number:064x}", "key", NOW)
            for number in range(HOSTS)
        ]  # fmt: skip
        for agent in self.agents:
            self.database.agents.add(agent)
        numbers = itertools.count()
        self.parts: dict[str, Any] = {
            "agents": Fails(self.database.agents, ""),
            "episodes": Fails(self.database.episodes, ""),
            "incidents": Fails(self.database.incidents, ""),
            "metrics": Fails(self.metrics, ""),
        }
        self.counters = Counters()
        centre: Any = SimpleNamespace(
            settings=Settings(),
            clock=SimpleNamespace(now=lambda: self.now, monotonic=lambda: 0.0),
            entropy=SimpleNamespace(bytes=lambda count: next(numbers).to_bytes(count, "big")),
            spells=self.database.spells,
            switches=self.database.switches,
            baselines=SimpleNamespace(lookup=lambda *_: lambda _: None),
            counters=self.counters,
            live=SimpleNamespace(changed=lambda *_: None),
            begin=self._begin,
            tell=lambda incident, *_, **__: self.told.append(incident),
            **self.parts,
        )
        self.intake = Intake(centre)
        self.desk = SampleDesk(centre, self.intake)

    def _begin(self, incident: str) -> None:
        self.reached.set()
        assert self.hold.wait(PATIENCE_S)
        self.begun.append(incident)

    def fail_once(self, store: str, call: str) -> None:
        self.parts[store]._name = call
        self.parts[store].failed = False

    def frame(self, host: int, number: int, percent: float, swap: float = 2.0) -> bytes:
        agent = self.agents[host]
        at = NOW + timedelta(seconds=30 * number)
        values = {DISK: percent, SWAP: swap}
        sample = Sample(agent.id, agent.host, "drill", {}, number, at, values)
        return wire.encode(payload.encode(sample), number)

    def together(self, *frames: tuple[str, bytes]) -> list[object]:
        """Send all before any is taken; return each one's answer, or why there is none."""

        async def all_at_once() -> list[object]:
            sent = [asyncio.ensure_future(self.desk.take(*one)) for one in frames]
            await asyncio.sleep(0)  # all of them wait by now
            if self.desk._keeper._thread.ident is None:
                self.desk.start()
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.gather(*sent, return_exceptions=True)

        return asyncio.run(all_at_once())

    def alone(self, host: int, frame: bytes) -> bool:
        return self.intake.accept(self.database.agents.get(self.agents[host].id), frame)

    def left(self) -> dict[str, Any]:
        """Return everything durable, but for ids and times of our own clock."""
        end = NOW + timedelta(days=1)
        readings = [self.metrics.range(Series(one.host, *DISK), NOW, end) for one in self.agents]
        opened = self.database.incidents.unfinished()
        return {
            "readings": [(one.times_ms.tolist(), one.values.tolist()) for one in readings],
            "numbers": [self.database.agents.get(one.id).last_seq for one in self.agents],
            "states": [self.database.episodes.detector_state(one.id) for one in self.agents],
            "lanes": [self.database.episodes.learned(one.id) for one in self.agents],
            "incidents": sorted((one.host, one.anomaly.at) for one in opened),
            "standing": [len(self.database.episodes.standing(one.id)) for one in self.agents],
            "accepted": self.counters.get("samples_total", "accepted"),
        }

    def close(self) -> None:
        self.hold.set()
        with contextlib.suppress(RuntimeError):  # it was never started
            self.desk.stop()
        self.database.close()
        self.metrics.close()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the tables once; each test has a copy."""
    path = tmp_path_factory.mktemp("empty") / "store.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def world(tmp_path: Path, empty: Path) -> Iterator[World]:
    made = World(tmp_path / "one", empty)
    yield made
    made.close()


def percent(host: int, number: int) -> float:
    return 98.0 if number in FULL.get(host, ()) else 40.0 + host + number % 3


def test_what_many_leave_together_is_what_they_leave_one_by_one(
    world: World, tmp_path: Path, empty: Path
) -> None:
    other = World(tmp_path / "other", empty)
    try:
        for number in range(1, ROUNDS):
            world.now = other.now = NOW + timedelta(seconds=30 * number)
            frames = [world.frame(host, number, percent(host, number)) for host in range(HOSTS)]
            pins = [one.tls_pin for one in world.agents]
            assert world.together(*zip(pins, frames, strict=True)) == [True] * HOSTS
            assert [other.alone(host, one) for host, one in enumerate(frames)] == [True] * HOSTS
        assert world.left() == other.left()
        assert [host for host, _ in world.left()["incidents"]] == ["web-1", "web-2"]
        assert any(world.left()["lanes"])
        assert set(world.begun) == {one.id for one in world.database.incidents.unfinished()}
    finally:
        other.close()


@pytest.mark.parametrize(
    ("store", "call", "disk"),
    [
        ("agents", "by_pins", 40.0),
        ("metrics", "append_all", 40.0),
        ("incidents", "agents_in", 40.0),
        ("episodes", "save_states", 40.0),
        ("agents", "seen_all", 40.0),
        ("incidents", "open", 98.0),
        ("episodes", "start", 98.0),
        ("episodes", "save_detector_state", 98.0),
        ("agents", "seen", 98.0),
    ],
)
def test_nothing_is_acknowledged_that_could_not_be_kept_and_all_is_made_good(
    world: World, store: str, call: str, disk: float
) -> None:
    pin, quiet = (world.agents[host].tls_pin for host in (1, 0))
    first = [(quiet, world.frame(0, 1, 40.0)), (pin, world.frame(1, 1, 40.0))]
    assert world.together(*first) == [True, True]
    world.fail_once(store, call)
    [answer] = world.together((pin, world.frame(1, 2, disk, swap=95.0)))
    assert isinstance(answer, errors.Unavailable)
    assert world.parts[store].failed
    assert world.database.agents.get(world.agents[1].id).last_seq == 1
    assert world.together((pin, world.frame(1, 2, disk, swap=95.0))) == [True]
    assert world.together((pin, world.frame(1, 2, disk, swap=95.0))) == [False]
    left = world.left()
    assert left["numbers"][1] == 2
    assert left["incidents"] == ([("web-1", NOW + timedelta(minutes=1))] if disk > 90 else [])
    assert left["standing"][1] == (disk > 90)


def test_a_frame_that_is_refused_takes_no_other_with_it(world: World) -> None:
    pins = [one.tls_pin for one in world.agents]
    text = payload.encode(Sample(world.agents[2].id, "web-2", "drill", {}, 5, NOW, {DISK: 40.0}))
    answers = world.together(
        (pins[0], world.frame(0, 1, 40.0)),
        (pins[1], b"no frame at all, or one that was cut"),
        (pins[2], wire.encode(text, 5, base_seq=4, base_text=text)),
        (pins[3], world.frame(0, 2, 40.0)),  # it says that it is another
        ("ff" * 32, world.frame(0, 3, 40.0)),
    )
    kinds = [type(one) if isinstance(one, Exception) else one for one in answers]
    assert kinds[:3] == [True, wire.Malformed, wire.UnknownBase]
    assert issubclass(kinds[3], errors.Rejected)  # type: ignore[arg-type]  # it is a class
    assert kinds[4] is NoSuchAgent
    assert world.left()["numbers"] == [1, 0, 0, 0]


def test_two_samples_of_one_host_that_come_together_are_both_taken(world: World) -> None:
    pin = world.agents[0].tls_pin
    frames = [(pin, world.frame(0, number, 40.0)) for number in (1, 2, 2)]
    assert sorted(map(bool, world.together(*frames))) == [False, True, True]
    assert world.left()["numbers"][0] == 2
    assert len(world.left()["readings"][0][0]) == 2


def test_who_is_calm_never_waits_for_an_incident(world: World) -> None:
    pins = [one.tls_pin for one in world.agents]
    world.together(*((pin, world.frame(host, 1, 40.0)) for host, pin in enumerate(pins)))
    world.hold.clear()

    async def run() -> tuple[bool, bool]:
        bad = asyncio.ensure_future(world.desk.take(pins[1], world.frame(1, 2, 98.0)))
        async with asyncio.timeout(PATIENCE_S):
            assert await asyncio.to_thread(world.reached.wait, PATIENCE_S)
            calm = await world.desk.take(pins[0], world.frame(0, 2, 40.0))
            assert not bad.done()
            world.hold.set()
            return calm, await bad

    assert asyncio.run(run()) == (True, True)


def test_who_hangs_up_leaves_the_desk_to_others(world: World) -> None:
    pin = world.agents[1].tls_pin
    world.together((pin, world.frame(1, 1, 40.0)))
    world.hold.clear()

    async def run() -> bool:
        bad = asyncio.ensure_future(world.desk.take(pin, world.frame(1, 2, 98.0)))
        async with asyncio.timeout(PATIENCE_S):
            assert await asyncio.to_thread(world.reached.wait, PATIENCE_S)
            bad.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await bad
            world.hold.set()
            return await world.desk.take(pin, world.frame(1, 3, 98.0))

    assert asyncio.run(run())
    assert world.left()["numbers"][1] == 3
    assert len(world.left()["incidents"]) == 1


def test_who_waits_for_recovery_hears_of_it_from_a_calm_sample(world: World) -> None:
    pin = world.agents[1].tls_pin
    for number, disk in enumerate([40.0, 98.0, 40.0, 40.0, 40.0, 40.0], start=1):
        world.together((pin, world.frame(1, number, disk)))
    [incident] = world.database.incidents.unfinished()
    for status in (Status.ANALYZING, Status.AWAITING_APPROVAL):
        world.database.incidents.move(incident.id, status, summary="who knows")
    assert not world.told
    world.together((pin, world.frame(1, 7, 40.0)))
    assert world.told == [incident.id]
