"""Dealing with alerts, on a real store in a file: a crash at any act, and doing it again."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.controlplane.alert_intake import AlertIntake, Backlog
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.settings import Settings
from sentienguard.flow import incident as flow
from sentienguard.model import errors, ids
from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.model.incident import Outcome, Status
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.alert_inbox import NewAlert, Result
from sentienguard.stages.observe import alert_batch
from tests.support import tables

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
WEB = Agent(ids.AgentId("agent-1"), "web-1", "drill", {}, "pin", "key", NOW)


class Crash(Exception):
    """The process is gone."""


@dataclass
class World:
    """A centre with a real store, whose every act can be the last one before a crash."""

    database: Database
    told: list[tuple[str, str]] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    reading: float | None = 85.0
    crash_at: int = 0  # number of the act that does not happen; 0: none
    acts: int = 0

    def act(self) -> None:
        self.acts += 1
        if 0 < self.crash_at <= self.acts:  # a dead process does nothing more
            raise Crash

    def intake(self) -> AlertIntake:
        """Return a new process's worker."""
        centre = cast("Any", SimpleNamespace(
            settings=Settings(),
            clock=SimpleNamespace(now=lambda: NOW, monotonic=itertools.count().__next__),
            entropy=SimpleNamespace(bytes=lambda count: b"\7" * count),
            agents=SimpleNamespace(list=lambda: [WEB]),
            incidents=_Counted(self.database.incidents, self.act, {"open", "move"}),
            episodes=_Counted(self.database.episodes, self.act, {"start", "clear"}),
            spells=self.database.spells,
            switches=self.database.switches,
            alerts=_Counted(self.database.alerts, self.act, {"dealt"}),
            metrics=SimpleNamespace(range=self._range),
            baselines=SimpleNamespace(of=lambda *_: None),
            counters=Counters(),
            live=SimpleNamespace(changed=lambda *_: None),
            begin=self._begin,
            tell=self._tell,
        ))  # fmt: skip
        return AlertIntake(centre, Intake(centre), Backlog())

    def _begin(self, incident: str) -> None:
        self.act()
        self.begun.append(incident)

    def _tell(self, incident: str, event: flow.Event, *, key: str) -> None:
        self.act()
        self.told.append((incident, key))

    def _range(self, *_: object) -> Any:
        return SimpleNamespace(values=np.array([] if self.reading is None else [self.reading]))

    def results(self) -> list[Result | None]:
        page = self.database.alerts.list(["drill"], before=None, limit=100)
        return [one.result for one in page.alerts][::-1]

    def incidents(self) -> list[Any]:
        from sentienguard.ports.incident_store import IncidentFilter

        return list(self.database.incidents.list(IncidentFilter(), cursor=None, limit=99).incidents)


class _Counted:
    """A store whose named methods are acts."""

    def __init__(self, store: object, act: Callable[[], None], names: set[str]) -> None:
        self._store, self._act, self._names = store, act, names

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in self._names:
            return found

        def counted(*arguments: Any, **named: Any) -> Any:
            self._act()
            return found(*arguments, **named)

        return counted


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = open_database(tables.in_file(tmp_path / "store.db"))
    yield World(database)
    database.close()


def alert(name: str = "Down", began_s: float = 0.0, *, ended: bool = False, **labels: str) -> Alert:
    status = AlertStatus.RESOLVED if ended else AlertStatus.FIRING
    return Alert(status, {"alertname": name, "instance": "web-1:9100", **labels},
                 NOW + timedelta(seconds=began_s))  # fmt: skip


DISK = {"sentienguard_metric": "system.disk_usage_percent", "sentienguard_subject": "/srv"}


def put(world: World, *alerts: Alert) -> None:
    world.database.alerts.put(
        [
            NewAlert("drill", one.fingerprint, one.starts_at, one.status, NOW,
                     alert_batch.encode(one))
            for one in alerts
        ]
    )  # fmt: skip


def move_on(world: World, *statuses: Status) -> None:
    [one] = [found for found in world.incidents() if found.status is not Status.CLOSED]
    for status in statuses:
        closed = status is Status.CLOSED
        world.database.incidents.move(
            one.id, status, summary="x",
            outcome=Outcome.ESCALATED if closed else None, at=NOW if closed else None,
        )  # fmt: skip


STORIES = {
    "one": [alert(**DISK)],
    "two of one symptom": [alert("A", **DISK), alert("B", **DISK)],
    "begin and end": [alert(), alert(ended=True)],
    "two symptoms": [alert("A"), alert("B")],
    "end of one of two": [alert("A", **DISK), alert("B", **DISK), alert("A", ended=True, **DISK)],
}


RESULTS = {
    "one": [Result.OPENED],
    "two of one symptom": [Result.OPENED, Result.FOLDED],
    "begin and end": [Result.OPENED, Result.RECOVERED],
    "two symptoms": [Result.OPENED, Result.OPENED],
    "end of one of two": [Result.OPENED, Result.FOLDED, Result.STILL_FIRING],
}


@pytest.mark.parametrize("story", STORIES)
def test_a_crash_at_any_act_changes_nothing_in_the_end(tmp_path: Path, story: str) -> None:
    ends = []
    for crash_at in range(30):
        database = open_database(tables.in_file(tmp_path / f"{crash_at}.db"))
        world = World(database, crash_at=crash_at)
        put(world, *STORIES[story])
        crashed = False
        try:
            world.intake().work()
        except Crash:
            crashed = True
        world.crash_at = 0
        while world.intake().work():
            pass
        standing = sorted(one.incident for one in database.episodes.standing(WEB.id))
        opened = sorted((one.id, one.anomaly.series.metric) for one in world.incidents())
        ends.append((world.results(), opened, standing, sorted(set(world.begun))))
        database.close()
        if crash_at and not crashed:
            break
    assert len(ends) > 3, "nothing could crash"
    assert all(end[1:] == ends[0][1:] for end in ends)
    assert {Result.OPENED} <= set(ends[0][0])
    assert ends[0][0] == RESULTS[story]
    # What was done right before the crash may be found done: never twice, never not at all.
    for results, *_ in ends:
        assert None not in results
        assert Result.FAILED not in results


def test_its_value_is_what_the_host_itself_read(world: World) -> None:
    put(world, alert(**DISK, severity="critical"))
    world.intake().work()
    [found] = world.incidents()
    assert found.anomaly.value == 85.0
    assert str(found.anomaly.series) == "web-1:system.disk_usage_percent[/srv]"
    assert found.anomaly.alert == ids.digest(
        world.database.alerts.list(["drill"], before=None, limit=1).alerts[0].alert.text.encode()
    )


def test_a_series_that_the_host_does_not_report_is_for_people(world: World) -> None:
    world.reading = None
    put(world, alert(**DISK))
    world.intake().work()
    [found] = world.incidents()
    assert (found.anomaly.series.metric, found.anomaly.series.subject) == ("alert.firing", "Down")


def test_the_symptom_of_an_object_beyond_the_host_stands_as_it_is_declared(world: World) -> None:
    world.reading = None
    declared = {
        "host": "web-1",
        "sentienguard_metric": "kubernetes.crash_loop",
        "sentienguard_subject": "shop/deployment/prod/web",
    }
    put(world, alert(**declared))
    world.intake().work()
    [found] = world.incidents()
    assert str(found.anomaly.series) == "web-1:kubernetes.crash_loop[shop/deployment/prod/web]"
    assert found.anomaly.value == 1.0


@pytest.mark.parametrize("status", [Status.AWAITING_APPROVAL, Status.VERIFYING])
def test_who_waits_hears_of_the_end_once_all_ended(world: World, status: Status) -> None:
    put(world, alert("A", **DISK), alert("B", **DISK))
    world.intake().work()
    path = [Status.ANALYZING, Status.AWAITING_APPROVAL]
    if status is Status.VERIFYING:
        path = [Status.ANALYZING, Status.MITIGATING, Status.VERIFYING]
    move_on(world, *path)
    put(world, alert("A", ended=True, **DISK))
    world.intake().work()
    assert world.told == []
    assert world.database.episodes.standing(WEB.id)
    put(world, alert("B", ended=True, **DISK))
    world.intake().work()
    [incident] = world.incidents()
    assert world.told == [(incident.id, f"recovered/{status.value}")]
    assert world.database.episodes.standing(WEB.id) == ()
    assert world.results()[2:] == [Result.STILL_FIRING, Result.RECOVERED]


def test_a_closed_incident_is_not_opened_again_while_its_alert_stands(world: World) -> None:
    put(world, alert("A", **DISK))
    world.intake().work()
    move_on(world, Status.ANALYZING, Status.CLOSED)
    put(world, alert("B", **DISK))  # another alert of the symptom that nobody could mend
    world.intake().work()
    assert world.results() == [Result.OPENED, Result.FOLDED]
    put(world, alert("A", began_s=60, **DISK))  # it ended meanwhile, and we were not told
    world.intake().work()
    assert world.results()[2] is Result.OPENED
    newest = max(world.incidents(), key=lambda one: one.anomaly.at)
    assert len(world.incidents()) == 2
    assert any(one.earlier for one in world.incidents()), newest


def test_what_cannot_be_read_back_holds_nobody_up(world: World) -> None:
    broken = alert("Broken")
    put(world, broken, alert("Fine"))
    kept = world.database.alerts.waiting(10)[0]
    with world.database._connections.write() as transaction:
        transaction.connection.exec_driver_sql(
            "UPDATE alerts SET alert = '{' WHERE id = ?", (kept.number,)
        )
    world.intake().work()
    assert world.results() == [Result.FAILED, Result.OPENED]


def test_a_store_that_is_away_is_waited_for_and_the_order_stays(world: World) -> None:
    put(world, alert("A"), alert("B"))
    worker = world.intake()

    def away(*_: object, **__: object) -> None:
        raise errors.Unavailable("the database restarts")

    worker._intake.alerted = away
    with pytest.raises(errors.Unavailable):
        worker.work()
    assert world.results() == [None, None]
    world.intake().work()
    assert world.results() == [Result.OPENED, Result.OPENED]


def test_two_hosts_of_one_name_are_neither(world: World) -> None:
    worker = world.intake()
    twin = replace(WEB, id=ids.AgentId("agent-2"))
    worker._centre.agents.list = lambda: [WEB, twin]
    put(world, alert("A"), Alert(AlertStatus.FIRING, {"agent": twin.id}, NOW))
    worker.work()
    assert world.results() == [Result.UNKNOWN_HOST, Result.OPENED]
