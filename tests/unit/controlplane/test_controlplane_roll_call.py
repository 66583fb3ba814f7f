"""Who is told of silent hosts, how often, and what a crash or a second control plane changes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.roll_call import MANY_SILENT, SILENT, RollCall, stopped
from sentienguard.controlplane.settings import Settings
from sentienguard.flow import incident as flow
from sentienguard.model import errors
from sentienguard.model.anomaly import Ground
from sentienguard.model.ids import AgentId
from sentienguard.model.incident import Outcome, Status
from sentienguard.model.telemetry import Sample, Series
from sentienguard.model.window import Comparison, Matcher, Purpose, Window, WindowId
from sentienguard.ports.agent_store import Agent
from sentienguard.stages.observe import payload, wire
from tests.support import tables

START = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)


class World:
    """Hosts that speak or not, time that obeys, and control planes over one real database."""

    def __init__(self, database: Database, hosts: int = 1) -> None:
        self.database, self.now_s, self.wall = database, 0.0, START
        self.counters, self.told = Counters(), list[tuple[str, object]]()
        self.trouble: Exception | None = None
        self.sampled: dict[str, list[int]] = {}  # host -> when, in milliseconds
        self.agents = [AgentId(f"8f14e45f-ceea-467f-a1d1-{number:012}") for number in range(hosts)]
        self.numbers = dict.fromkeys(self.agents, 0)
        for number, agent in enumerate(self.agents):
            database.agents.add(
                Agent(agent, f"web-{number:02}", "drill", {}, f"pin {agent}", "key", START)
            )
        self.speak(*self.agents)
        self.roll = self.start()

    def start(self) -> RollCall:
        centre: Any = SimpleNamespace(
            settings=Settings(),
            clock=SimpleNamespace(now=lambda: self.wall, monotonic=lambda: self.now_s),
            entropy=SimpleNamespace(bytes=lambda count: b"\0" * count),
            incidents=self.database.incidents,
            episodes=self.database.episodes,
            spells=self.database.spells,
            agents=SimpleNamespace(list=self._listed, seen=self.database.agents.seen),
            switches=self.database.switches,
            metrics=SimpleNamespace(latest=self._latest, range=self._range, append=lambda *_: None),
            baselines=SimpleNamespace(lookup=lambda *_: lambda _: None),
            counters=self.counters,
            live=SimpleNamespace(changed=lambda *_: None),
            begin=lambda _: None,
            tell=lambda incident, event, key: self.told.append((incident, event)),
        )
        self.intake = Intake(centre)
        return RollCall(centre, self.intake)

    def sample(self, agent: AgentId) -> None:
        """Let an agent's sample come in as samples do."""
        known = self.database.agents.get(agent)
        number = self.numbers[agent] = self.numbers[agent] + 1
        values = {("system.cpu_percent", ""): 3.0}
        said = Sample(agent, known.host, "drill", {}, number, self.wall, values)
        assert self.intake.accept(known, wire.encode(payload.encode(said), number))

    def _listed(self) -> Any:
        if self.trouble:
            raise self.trouble
        return self.database.agents.list()

    def _latest(self, host: str) -> dict[Series, tuple[datetime, float]]:
        times = self.sampled.get(host, [])
        at = datetime.fromtimestamp(times[-1] / 1000, UTC) if times else START
        return {Series(host, "system.cpu_percent"): (at, 1.0)} if times else {}

    def _range(self, series: Series, *_: object) -> Any:
        return SimpleNamespace(times_ms=np.array(self.sampled.get(series.host, [])))

    def speak(self, *agents: AgentId) -> None:
        for agent in agents:
            self.numbers[agent] += 1
            self.database.agents.seen(agent, at=self.wall, seq=self.numbers[agent])

    def go_on(self, seconds: float, *speaking: AgentId, rolls: Any = ()) -> None:
        """Let time pass in looks of five seconds; these agents speak before each."""
        for _ in range(int(seconds / 5)):
            self.now_s += 5
            self.wall += timedelta(seconds=5)
            self.speak(*speaking)
            for roll in rolls or [self.roll]:
                roll.look()

    def incidents(self, metric: str | None = None) -> list[Any]:
        found = self.database.incidents.unfinished()
        return [one for one in found if metric in {None, one.anomaly.series.metric}]

    def standing(self) -> int:
        return sum(len(self.database.episodes.standing(agent)) for agent in self.agents)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tables.in_file(tmp_path / "store.db"))
    yield opened
    opened.close()


def test_a_silent_host_is_one_incident_for_people(database: Database) -> None:
    world = World(database)
    world.go_on(150)
    assert world.incidents() == []
    world.go_on(3600)
    (found,) = world.incidents()
    assert (found.anomaly.series, found.anomaly.ground) == (
        Series("web-00", SILENT), Ground.SILENCE,
    )  # fmt: skip
    assert "no sample of web-00 since 2026-02-12 11:26:00Z" in found.anomaly.reason
    assert world.counters.get("hosts_silent_total") == 1


def test_its_episode_ends_when_a_sample_comes_and_the_next_silence_is_told_anew(
    database: Database,
) -> None:
    world = World(database)
    world.go_on(200)
    (first,) = world.incidents()
    database.incidents.move(first.id, Status.ANALYZING, summary="looked at")
    database.incidents.move(first.id, Status.AWAITING_APPROVAL, summary="asked")
    world.go_on(10, *world.agents)
    assert world.standing() == 0
    assert world.told == [(first.id, flow.Recovered(world.wall - timedelta(seconds=5)))]
    database.incidents.move(
        first.id, Status.CLOSED, summary="back", outcome=Outcome.SELF_RECOVERED, at=world.wall
    )
    world.go_on(200)
    assert world.standing() == 1
    assert [one.id for one in world.incidents()] != [first.id]


def test_many_that_fall_silent_together_are_one_incident_and_end_together(
    database: Database,
) -> None:
    world = World(database, hosts=8)
    lost = world.agents[2:7]
    world.go_on(60, *world.agents)
    world.go_on(400, *world.agents[:2], world.agents[7])
    (found,) = world.incidents()
    assert (found.anomaly.series, found.anomaly.value) == (Series("web-02", MANY_SILENT), 5.0)
    assert "5 hosts of drill fell silent together, web-02, web-03" in found.anomaly.reason
    world.go_on(30, *(one for one in world.agents if one != lost[-1]))
    assert world.standing() == 1
    world.go_on(10, *world.agents)
    assert world.standing() == 0


def test_a_sample_of_one_of_them_ends_nothing_for_the_others(database: Database) -> None:
    world = World(database, hosts=3)
    world.go_on(200)
    (found,) = world.incidents()
    database.incidents.move(found.id, Status.ANALYZING, summary="looked at")
    database.incidents.move(found.id, Status.AWAITING_APPROVAL, summary="asked")
    world.sample(found.agent)
    world.go_on(5)
    assert (world.told, world.standing()) == ([], 1)
    for agent in world.agents:
        world.sample(agent)
    world.go_on(5)
    assert (len(world.told), world.standing()) == (1, 0)


def test_one_of_them_that_falls_silent_again_is_told_of_by_itself(database: Database) -> None:
    world = World(database, hosts=4)
    world.go_on(200, world.agents[3])
    world.go_on(30, world.agents[0], world.agents[3])
    world.go_on(200, world.agents[3])
    assert [one.anomaly.series.host for one in world.incidents(SILENT)] == ["web-00"]
    assert len(world.incidents()) == 2


def test_who_is_missed_is_known_after_a_restart(database: Database) -> None:
    world = World(database, hosts=2)
    world.go_on(200, world.agents[1])
    world.roll = world.start()
    world.go_on(600, world.agents[1])
    assert len(world.incidents()) == 1
    world.roll = world.start()
    world.go_on(5, *world.agents)
    assert world.standing() == 0


def test_a_host_that_spoke_while_we_were_down_is_noticed_at_the_first_look(
    database: Database,
) -> None:
    world = World(database)
    world.go_on(200)
    world.speak(*world.agents)
    world.roll = world.start()
    world.go_on(5)
    assert world.standing() == 0


def test_a_start_a_pause_and_a_database_that_was_away_start_patience_again(
    database: Database,
) -> None:
    world = World(database)
    for again in range(4):
        world.go_on(140)
        match again:
            case 0:
                world.roll = world.start()
            case 1:
                world.now_s += 3600
            case _:
                world.roll.forget()
    assert world.incidents() == []
    world.go_on(155)
    assert len(world.incidents()) == 1


def test_a_jump_of_the_wall_clock_means_nothing(database: Database) -> None:
    world = World(database)
    for years in (1, -2, 1):
        world.wall += timedelta(days=365 * years)
        world.go_on(60, *world.agents)
    assert world.incidents() == []


def test_a_host_with_a_longer_interval_of_its_own_has_its_patience(database: Database) -> None:
    world = World(database)
    world.sampled["web-00"] = [at * 300_000 for at in range(20)]
    world.go_on(1495)
    assert world.incidents() == []
    world.go_on(10)
    assert len(world.incidents()) == 1


@pytest.mark.parametrize(
    "minutes", [[0, 5], [0, 9, 9.5, 10, 10.5, 11, 30, 30.5, 50]], ids=["few", "after silences"]
)
def test_earlier_silences_make_no_interval(database: Database, minutes: list[float]) -> None:
    world = World(database)
    world.sampled["web-00"] = [int(at * 60_000) for at in minutes]
    world.go_on(200)
    assert len(world.incidents()) == 1


@pytest.mark.parametrize("starts_later", [False, True])
def test_two_control_planes_tell_once(database: Database, starts_later: bool) -> None:
    world = World(database, hosts=4)
    if starts_later:
        world.go_on(100, world.agents[3])
    rolls = [world.roll, world.start()]
    world.go_on(400, world.agents[3], rolls=rolls)
    assert [one.anomaly.series.metric for one in world.incidents()] == [MANY_SILENT]
    assert world.counters.get("hosts_silent_total") == 3


@pytest.mark.parametrize("call", ["open", "start", "save_missed"])
def test_a_crash_in_between_opens_the_same_incident(
    database: Database, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    world = World(database)
    world.go_on(145)

    def away(*_: object, **__: object) -> None:
        raise errors.Unavailable("the disk is full")

    store = database.incidents if call == "open" else database.episodes
    with monkeypatch.context() as broken:
        broken.setattr(store, call, away)
        for _ in range(2):
            with pytest.raises(errors.Unavailable):
                world.go_on(10)
    world.roll = world.start()
    world.go_on(200)
    assert (len(world.incidents()), world.standing()) == (1, 1)
    world.go_on(5, *world.agents)
    assert world.standing() == 0


def test_what_a_silence_covers_is_told_when_it_has_ended(database: Database) -> None:
    world = World(database)
    database.switches.add_window(
        Window(
            id=WindowId("sil_1"),
            purpose=Purpose.SILENCE,
            matchers=(Matcher("host", Comparison.EQUAL, "web-00"),),
            starts_at=START,
            ends_at=START + timedelta(minutes=10),
            by="ana@example.org",
            comment="moved to another rack",
        )
    )
    world.go_on(590)
    assert world.incidents() == []
    world.go_on(20)
    assert len(world.incidents()) == 1


def test_a_series_that_stops_while_its_host_goes_on_is_noted_and_pages_nobody() -> None:
    host = [Series("web-1", "system.disk_usage_percent", mount) for mount in ("/", "/mnt", "/old")]
    at = [START, START - timedelta(seconds=121), START - timedelta(days=3)]
    latest = {series: (moment, 1.0) for series, moment in zip(host, at, strict=True)}
    assert stopped(latest, timedelta(seconds=120)) == {host[1], host[2]}
    assert stopped({}, timedelta(seconds=120)) == frozenset()
