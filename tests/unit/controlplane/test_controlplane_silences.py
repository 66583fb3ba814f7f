"""What a silence does to samples and to alerts from outside, on a real store in a file."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.controlplane.alert_intake import AlertIntake, Backlog
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.settings import Settings
from sentienguard.model import ids
from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.model.incident import Incident
from sentienguard.model.telemetry import Sample
from sentienguard.model.window import Comparison, Matcher, Purpose, Window, WindowId
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.alert_inbox import NewAlert, Result
from sentienguard.ports.incident_store import IncidentFilter
from sentienguard.stages.observe import alert_batch, payload, wire
from tests.support import tables

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
WEB = Agent(
    ids.AgentId("8f14e45f-ceea-467f-a1d1-2b7a5f0c9e11"),
    "web-1",
    "drill",
    {"role": "db"},
    "pin",
    "key",
    NOW,
)
DISK, CPU = "system.disk_usage_percent", "system.cpu_percent"


class World:
    """A centre that takes samples of one host and alerts about it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.seq = 0
        self.numbers = itertools.count()
        self.kept: list[Any] = []
        database.agents.add(WEB)
        self.centre: Any = SimpleNamespace(
            settings=Settings(),
            clock=SimpleNamespace(now=lambda: self.now, monotonic=itertools.count().__next__),
            entropy=SimpleNamespace(bytes=lambda count: self.seq.to_bytes(count, "big")),
            agents=database.agents,
            incidents=database.incidents,
            episodes=database.episodes,
            spells=database.spells,
            alerts=database.alerts,
            switches=database.switches,
            metrics=SimpleNamespace(append=lambda *given: self.kept.append(given), range=_nothing),
            baselines=SimpleNamespace(lookup=lambda *_: lambda _: None, of=lambda *_: None),
            counters=Counters(),
            live=SimpleNamespace(changed=lambda *_: None),
            begin=lambda _: None,
            tell=lambda *_, **__: None,
        )
        self.restart()

    def restart(self) -> None:
        """Begin with what is in the store."""
        self.intake = Intake(self.centre)
        self.alerts = AlertIntake(self.centre, self.intake, Backlog())

    def send(self, *, disk: float = 40.0, minutes: float = 1) -> None:
        self.now += timedelta(minutes=minutes)
        self.seq += 1
        sample = Sample(WEB.id, "web-1", "drill", WEB.tags, self.seq, self.now,
                        {(DISK, "/srv"): disk})  # fmt: skip
        agent = self.database.agents.get(WEB.id)
        self.intake.accept(agent, wire.encode(payload.encode(sample), self.seq))

    def alert(self, name: str = "Down", *, ended: bool = False) -> Result | None:
        """Take an alert in, deal with what waits, and return what became of it."""
        status = AlertStatus.RESOLVED if ended else AlertStatus.FIRING
        alert = Alert(status, {"alertname": name, "instance": "web-1:9100"}, NOW)
        text = alert_batch.encode(alert)
        self.database.alerts.put(
            [NewAlert("drill", alert.fingerprint, NOW, status, self.now, text)]
        )
        self.alerts.work()
        return self.results()[-1]

    def results(self) -> list[Result | None]:
        page = self.database.alerts.list(["drill"], before=None, limit=100)
        return [one.result for one in page.alerts][::-1]

    def silence(self, *matchers: Matcher, minutes: float = 60) -> Window:
        made = Window(
            WindowId(f"sil_{next(self.numbers)}"), Purpose.SILENCE, matchers, self.now,
            self.now + timedelta(minutes=minutes), "anna", "moving disks",
        )  # fmt: skip
        self.database.switches.add_window(made)
        return made

    def incidents(self) -> list[Incident]:
        page = self.database.incidents.list(IncidentFilter(), cursor=None, limit=99)
        return list(page.incidents)


def _nothing(*_: object) -> Any:
    return SimpleNamespace(times_ms=np.array([]), values=np.array([]))


def equal(label: str, value: str) -> Matcher:
    return Matcher(label, Comparison.EQUAL, value)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = open_database(tables.in_file(tmp_path / "store.db"))
    yield World(database)
    database.close()


MATCHERS = [
    ([equal("host", "web-1")], False),
    ([equal("tag.role", "db"), equal("metric", DISK)], False),
    ([equal("subject", "/srv"), equal("severity", "critical")], False),
    ([equal("environment", "drill"), equal("host", "web-1")], False),
    ([equal("host", "web-2")], True),
    ([equal("host", "web-1"), equal("metric", CPU)], True),
    ([Matcher("tag.role", Comparison.DIFFERS, "db")], True),
]


@pytest.mark.parametrize(("matchers", "opens"), MATCHERS)
def test_a_silenced_symptom_opens_nothing_and_the_rest_does(world, matchers, *, opens) -> None:
    world.silence(*matchers)
    world.send(disk=98.0)
    world.send(disk=98.0)
    assert len(world.incidents()) == opens
    assert len(world.kept) == 2, "its readings are kept"
    assert world.centre.counters.get("anomalies_silenced_total") == (0 if opens else 2)


def test_what_still_stands_opens_when_the_silence_ends(world) -> None:
    world.silence(equal("host", "web-1"), minutes=10)
    world.send(disk=98.0, minutes=5)
    assert world.incidents() == []
    world.send(disk=98.5, minutes=6)
    [found] = world.incidents()
    assert found.anomaly.value == 98.5
    world.send(disk=98.5)
    assert len(world.incidents()) == 1


def test_what_has_gone_by_then_opens_nothing(world) -> None:
    world.silence(equal("host", "web-1"), minutes=10)
    world.send(disk=98.0, minutes=5)
    world.send(disk=40.0, minutes=6)
    world.send(disk=40.0)
    assert world.incidents() == []


def test_a_silence_that_people_end_early_ends_at_once(world) -> None:
    made = world.silence(equal("host", "web-1"))
    world.send(disk=98.0)
    world.database.switches.end_window(made.id, at=world.now)
    world.send(disk=98.0)
    assert len(world.incidents()) == 1


def test_a_restart_in_a_silence_forgets_nothing(world) -> None:
    world.silence(equal("host", "web-1"), minutes=10)
    world.send(disk=98.0, minutes=5)
    world.restart()
    world.send(disk=98.0, minutes=2)
    assert world.incidents() == []
    world.restart()
    world.send(disk=98.0, minutes=6)
    assert len(world.incidents()) == 1


def test_an_incident_that_is_open_already_goes_on_and_ends(world) -> None:
    world.send(disk=98.0)
    [found] = world.incidents()
    world.silence(equal("host", "web-1"))
    world.database.episodes.save_detector_state(WEB.id, "")
    world.restart()  # it has forgotten what it reported, and reports it again
    for _ in range(3):
        world.send(disk=98.0)
    assert [one.incident for one in world.database.episodes.standing(WEB.id)] == [found.id]
    for _ in range(5):
        world.send(disk=40.0)
    assert world.database.episodes.standing(WEB.id) == ()
    assert world.incidents() == [found]


def test_an_alert_under_a_silence_is_kept_and_opens_when_it_ends(world) -> None:
    made = world.silence(equal("host", "web-1"), minutes=10)
    assert world.alert() is Result.SILENCED
    assert world.alerts.look_again() == 0
    world.now = made.ends_at
    world.restart()
    assert world.alerts.look_again() == 1
    assert world.results() == [Result.OPENED]
    assert len(world.incidents()) == 1
    assert world.alerts.look_again() == 0


def test_an_alert_that_ended_under_a_silence_opens_nothing_later(world) -> None:
    made = world.silence(equal("host", "web-1"), minutes=10)
    assert world.alert("A") is Result.SILENCED
    assert world.alert("B") is Result.SILENCED
    assert world.alert("A", ended=True) is Result.NOTHING_OPEN
    world.now = made.ends_at
    assert world.alerts.look_again() == 1
    assert world.results() == [Result.SILENCED, Result.OPENED, Result.NOTHING_OPEN]


def test_more_silenced_alerts_than_are_read_at_a_time_are_all_looked_at(world, monkeypatch) -> None:
    monkeypatch.setattr("sentienguard.controlplane.alert_intake.BATCH", 2)
    made = world.silence(equal("subject", "E"), minutes=10)
    world.silence(equal("host", "web-1"), minutes=10)
    for name in "ABCDE":
        assert world.alert(name) is Result.SILENCED
    world.now = made.ends_at
    world.database.switches.add_window(replace(
        made, id=WindowId("sil_again"), starts_at=world.now, matchers=(equal("subject", "A"),),
        ends_at=world.now + timedelta(minutes=9),
    ))  # fmt: skip
    assert world.alerts.look_again() == 4
    assert world.results() == [Result.SILENCED, *[Result.OPENED] * 4]
