"""Telemetry from outside: when it is answered, what is bounded, and what is made of it."""

import asyncio
import json
import math
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.controlplane import outside_watch, remote_write, series_limits
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.outside_watch import OutsideWatch
from sentienguard.controlplane.refusals import Refusals
from sentienguard.controlplane.series_limits import SeriesLimits
from sentienguard.controlplane.settings import Settings
from sentienguard.controlplane.telemetry_desk import TelemetryDesk
from sentienguard.controlplane.telemetry_door import TelemetryDoor
from sentienguard.model import errors
from sentienguard.model.anomaly import Anomaly
from sentienguard.model.incident import Status
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Moment
from sentienguard.ports.webhook_tokens import TokenUnknown, WebhookToken
from sentienguard.stages.observe.delta_sums import DeltaSums
from tests.support import remote_write_bodies as bodies

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
AT = int(NOW.timestamp() * 1000)
UP = {"__name__": "up", "instance": "web-1:9100"}


class World:
    """A door and a desk, a gate before every commit, and what was committed."""

    def __init__(self, **settings: Any) -> None:
        self.kept: list[Moment] = []
        self.noted: list[Moment] = []
        self.gate = threading.Event()
        self.gate.set()
        self.trouble: Exception | None = None
        self.now = 0.0
        self.counters = Counters()

        def by_secret(secret: str, purpose: str) -> WebhookToken:
            if (secret, purpose) != ("good", "prometheus"):
                raise TokenUnknown("no")
            return WebhookToken("tok_1", purpose, "drill", "admin@local", NOW)

        self.denied: list[Any] = []
        centre: Any = SimpleNamespace(
            settings=Settings(**settings),
            clock=SimpleNamespace(now=lambda: NOW, monotonic=lambda: self.now),
            counters=self.counters,
            webhook_tokens=SimpleNamespace(by_secret=by_secret),
            metrics=SimpleNamespace(append_all=self._append),
            refusals=Refusals(),
            audit=SimpleNamespace(append=lambda **entry: self.denied.append(entry["data"])),
        )
        self.desk = TelemetryDesk(centre, lambda _, moments: self.noted.extend(moments))
        self.door = TelemetryDoor(centre, remote_write.entrances(self.desk), self.desk.limits)
        self.desk.start()

    def close(self) -> None:
        self.gate.set()
        self.desk.stop()
        self.door.close()

    def _append(self, moments: Sequence[Moment]) -> None:
        assert self.gate.wait(10)
        if self.trouble:
            raise self.trouble
        self.kept += moments

    async def ask(self, body: bytes, token: str = "good") -> tuple[int, dict[bytes, bytes], bytes]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        async def behind(*_: Any) -> None:
            raise AssertionError("not for the application")

        scope = {
            "type": "http", "method": "POST", "path": remote_write.PATH, "query_string": b"",
            "headers": [(b"authorization", f"Bearer {token}".encode()),
                        (b"content-type", bodies.V2_TYPE.encode()),
                        (b"content-encoding", b"snappy")],
        }  # fmt: skip
        await self.door.before(behind)(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    def write(self, *series: Any) -> tuple[int, dict[bytes, bytes], bytes]:
        return asyncio.run(self.ask(bodies.snappy(bodies.v2(*series))))


@pytest.fixture
def world() -> Any:
    made = World()
    yield made
    made.close()


def test_no_answer_comes_before_the_commit(world: World) -> None:
    async def run() -> None:
        world.gate.clear()
        asked = asyncio.create_task(world.ask(bodies.snappy(bodies.v2((UP, [(AT, 1.0)])))))
        await asyncio.sleep(0.2)
        assert not asked.done()
        assert world.noted == []
        world.gate.set()
        status, headers, _ = await asked
        assert (status, headers[b"x-prometheus-remote-write-samples-written"]) == (204, b"1")
        assert world.kept == world.noted

    asyncio.run(run())


@pytest.mark.parametrize("kind", [errors.Unavailable, errors.Broken])
def test_what_could_not_be_kept_is_to_be_sent_again(world: World, kind: type[Exception]) -> None:
    world.trouble = kind("the disk is full")
    status, headers, said = world.write((UP, [(AT, 1.0)]))
    assert (status, b"disk" in said) == (503, False)
    assert headers[b"retry-after"]
    assert world.noted == []


def test_without_a_token_nothing_is_read(world: World) -> None:
    assert asyncio.run(world.ask(b"", token="bad"))[0] == 401


def test_the_rate_of_a_token_is_bounded_and_comes_back() -> None:
    world = World(readings_per_second=2)
    try:
        answers = [world.write((UP, [(AT, 1.0), (AT - 1, 1.0)]))[0] for _ in range(3)]
        assert answers == [204, 503, 503]
        world.now += 0.5
        assert world.write((UP, [(AT, 1.0)]))[0] == 204
    finally:
        world.close()


def test_what_is_refused_takes_nothing_with_it(world: World) -> None:
    far = ({**UP, "a": "far"}, [(AT + 10**9, 1.0), (AT, 7.0)])
    nan = ({**UP, "a": "nan"}, [(AT, math.nan), (AT, bodies.STALE)])
    status, headers, said = world.write(far, nan, (UP, [(AT, 1.0)]))
    assert (status, headers[b"x-prometheus-remote-write-samples-written"]) == (400, b"4")
    assert json.loads(said)["type"] == "urn:sentienguard:problem:partly-refused"
    [moment] = world.kept
    assert [value for _, value in moment.values] == [7.0, 1.0]
    shown = {kind: world.counters.get("outside_points_total", kind)
             for kind in ("written", "too_new", "nan", "stale")}  # fmt: skip
    assert shown == {"written": 2, "too_new": 1, "nan": 1, "stale": 1}


def series(number: int, host: str = "a") -> Series:
    return Series(host, f"m{number}", "", (("environment", "e"),))


def test_series_are_bounded_for_each_host_and_environment() -> None:
    limits = SeriesLimits(3, 5)
    assert [limits.admit("e", series(n), 1, 0.0) for n in range(4)][:3] == ["", "", ""]
    assert "series_per_host" in limits.admit("e", series(4), 7, 0.0)
    assert limits.admit("e", series(0), 1, 0.0) == "", "what is known goes on"
    assert [limits.admit("e", series(n, "b"), 1, 0.0) for n in range(2)] == ["", ""]
    assert "series_per_environment" in limits.admit("e", series(9, "c"), 1, 0.0)
    assert [(one.host, one.series, one.refused) for one in limits.places()] == [
        ("a", 3, 8), ("c", 0, 1), ("b", 2, 0),
    ]  # fmt: skip


def test_a_series_that_stayed_away_for_a_day_makes_room() -> None:
    limits = SeriesLimits(1, 10)
    assert limits.admit("e", series(0), 1, 0.0) == ""
    assert limits.admit("e", series(1), 1, series_limits.FORGOTTEN_S)
    assert limits.admit("e", series(1), 1, 2 * series_limits.FORGOTTEN_S) == ""


def test_an_explosion_of_hosts_is_bounded_too() -> None:
    limits = SeriesLimits(10, 5)
    for number in range(30_000):
        limits.admit("e", series(0, f"h{number}"), 1, 0.0)
    assert len(limits._refused) <= series_limits.MOST_REFUSED + 1
    assert len(limits._at_host) == 5
    assert sum(one.refused for one in limits.places()) > 0


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 10)), max_size=5), max_size=6))
def test_sums_only_grow_and_what_is_sent_again_adds_nothing(batches: Any) -> None:
    sums, again = DeltaSums(), DeltaSums()
    found = [sums.add(series(0), batch) for batch in batches]
    totals = [value for batch in found for _, value in batch]
    assert totals == sorted(totals)
    repeated = [again.add(series(0), batch) for batch in batches for _ in range(2)]
    assert [one for batch in repeated for one in batch] == [one for batch in found for one in batch]


class Watched:
    """A watch, and what came of it: one host with an agent, one without."""

    def __init__(self) -> None:
        self.opened: list[Anomaly] = []
        self.cleared: list[str] = []
        self.told: list[str] = []
        agent = SimpleNamespace(id="a-1", host="web-1", environment="drill")
        centre: Any = SimpleNamespace(
            agents=SimpleNamespace(list=lambda: [agent]),
            entropy=SimpleNamespace(bytes=bytes),
            counters=Counters(),
            incidents=SimpleNamespace(get=self._get),
            episodes=SimpleNamespace(clear=lambda name, at: self.cleared.append(name)),
            tell=lambda name, event, key: self.told.append(key),
        )
        intake: Any = SimpleNamespace(alerted=self._alerted)
        self.counters = centre.counters
        self.watch = OutsideWatch(centre, intake)
        self.random = np.random.default_rng(7)
        self.at = NOW

    def _alerted(self, _agent: Any, anomaly: Anomaly, name: str) -> str:
        self.opened.append(anomaly)
        return name

    def _get(self, name: str) -> Any:
        return SimpleNamespace(id=name, anomaly=self.opened[-1], status=Status.AWAITING_APPROVAL)

    def pass_by(self, periods: int, off: float = 0.0, host: str = "web-1", many: int = 20) -> None:
        for _ in range(periods):
            self.at += timedelta(seconds=outside_watch.PERIOD_S)
            values = [
                (series(n, host), 100 + off + float(self.random.normal())) for n in range(many)
            ]
            self.watch.note("drill", [Moment(self.at, values)])
            self.watch.judge(self.at)


def test_a_host_whose_series_deviate_together_is_one_incident_that_ends() -> None:
    watched = Watched()
    watched.pass_by(outside_watch.LEARNED + 200)
    assert watched.opened == [], "noise opens nothing"
    watched.pass_by(outside_watch.CONFIRMED - 1, off=30)
    assert watched.opened == [], "not confirmed yet"
    watched.pass_by(5, off=30)
    [anomaly] = watched.opened
    assert (anomaly.series.metric, anomaly.series.host) == (outside_watch.METRIC, "web-1")
    assert "20 series of other systems deviate together" in anomaly.reason
    watched.pass_by(outside_watch.CONFIRMED + 1)
    assert len(watched.cleared) == len(watched.told) == 1
    assert watched.counters.get("outside_deviations_total") == 1


def test_series_that_stop_while_their_host_goes_on_are_counted_once_and_open_nothing() -> None:
    watched = Watched()
    watched.pass_by(outside_watch.LEARNED + 50)
    watched.pass_by(outside_watch.STOPPED - 1, many=17)
    assert watched.counters.get("series_stopped_total", "outside") == 0
    watched.pass_by(outside_watch.STOPPED, many=17)
    assert watched.counters.get("series_stopped_total", "outside") == 3
    watched.pass_by(5)
    watched.pass_by(2 * outside_watch.STOPPED, many=19)
    assert watched.counters.get("series_stopped_total", "outside") == 4
    assert watched.opened == []


def test_nothing_is_judged_before_it_is_learned() -> None:
    watched = Watched()
    watched.pass_by(outside_watch.LEARNED - 10)
    watched.pass_by(9, off=50)
    assert watched.opened == []


def test_a_host_without_an_agent_is_counted_and_opens_nothing() -> None:
    watched = Watched()
    watched.pass_by(outside_watch.LEARNED + 200, host="db-9")
    watched.pass_by(10, off=30, host="db-9")
    assert watched.opened == []
    assert watched.counters.get("outside_deviations_total") == 1


def test_series_that_come_and_go_are_missing_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_watch, "FORGOTTEN", 5)
    watched = Watched()
    watched.pass_by(20, many=20)
    watched.pass_by(20, many=5)
    watched.pass_by(5, many=30)
    [host] = watched.watch._hosts.values()
    assert [len(cohort.series) for cohort in host.cohorts] == [20, 10]
    for _ in range(8):
        watched.watch.judge(watched.at)
    assert watched.watch._hosts == {}


def test_judging_costs_little_for_many_series() -> None:
    watched = Watched()
    began = time.perf_counter()
    watched.pass_by(5, many=5000)
    assert time.perf_counter() - began < 5


def test_which_series_stopped_and_since_when_is_said() -> None:
    watched = Watched()
    watched.pass_by(3)
    last = watched.at
    watched.pass_by(outside_watch.STOPPED - 1, many=17)
    assert not any(one.stopped for one in watched.watch.heard("drill", "web-1"))
    watched.pass_by(1, many=17)
    heard = watched.watch.heard("drill", "WEB-1")
    assert len(heard) == 20
    stopped = [one for one in heard if one.stopped]
    assert {one.series for one in stopped} == {series(n, "web-1") for n in (17, 18, 19)}
    assert {one.at for one in stopped} == {last}
    assert {one.at for one in heard if not one.stopped} == {watched.at}
    watched.pass_by(1)
    assert not any(one.stopped for one in watched.watch.heard("drill", "web-1"))
    assert watched.watch.heard("production", "web-1") == []
