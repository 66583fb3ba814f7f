"""Slow climbs through the control plane: foretold once, decided for people, and not in the way.

The centre is the real one with its stores in files; its clock is the samples', its engine is not
there, so that a test closes incidents itself.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from sentienguard.controlplane.baselines import Baselines
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.intake import Intake
from sentienguard.model.anomaly import Ground, Severity
from sentienguard.model.decision import Route
from sentienguard.model.ids import fingerprint
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.model.telemetry import Sample
from sentienguard.stages.detect.settings import DetectSettings
from sentienguard.stages.observe import payload, wire
from tests.contract import stores_nouns as nouns
from tests.support import api_world, decide_cases, replay_centre

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
MEMORY = ("system.memory_percent", "")
STEP = timedelta(minutes=5)
A_DAY = 288  # samples
NUMBER = 7  # of the agent


class World:
    """A real centre, one host, and the time that its samples say."""

    def __init__(self, centre: Centre) -> None:
        self.real = centre
        self.now: datetime = centre.clock.now() - timedelta(days=9)
        clock: Any = SimpleNamespace(now=lambda: self.now, monotonic=lambda: 0.0)
        baselines = Baselines(centre.metrics, DetectSettings())
        self.centre = dataclasses.replace(centre, clock=clock, baselines=baselines)
        self.agent = dataclasses.replace(nouns.agent(NUMBER), host="leaky", environment="staging")
        centre.agents.add(self.agent)
        self.number, self.intake = 0, Intake(self.centre)

    def say(self, values: Sequence[float] | np.ndarray, *, learn_each: int = A_DAY) -> None:
        for value in values:
            self.number += 1
            self.now += STEP
            if self.number % learn_each == 0:
                self.centre.baselines.learn(self.agent.host, self.now)
            found = {MEMORY: float(value), ("system.cpu_percent", ""): 3.0}
            sample = Sample(
                self.agent.id, "leaky", "staging", self.agent.tags, self.number, self.now, found
            )
            agent = self.centre.agents.get(self.agent.id)
            assert self.intake.accept(agent, wire.encode(payload.encode(sample), self.number))

    def restart(self) -> None:
        self.intake = Intake(self.centre)

    def incidents(self) -> list[Incident]:
        since, mine = self.now - timedelta(days=30), fingerprint("leaky", *MEMORY)
        closed = self.centre.incidents.earlier(self.agent.id, mine, since=since)
        found = {one.id: one for one in (*closed, *self.centre.incidents.unfinished(self.agent.id))}
        assert all(one.fingerprint == mine for one in found.values())
        return sorted(found.values(), key=lambda one: one.opened_at)

    def close(self, incident: Incident) -> None:
        for status in (Status.ANALYZING, Status.CLOSED):
            ended = status is Status.CLOSED
            self.centre.incidents.move(
                incident.id, status, summary="people know", at=self.now if ended else None,
                outcome=Outcome.ESCALATED if ended else None,
            )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with api_world.centre(tmp_path / "data") as centre:
        yield World(centre)


def noise(days: float, mean: float = 40.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.5, round(days * A_DAY))


def leak(days: float = 0.5) -> np.ndarray:
    rows = round(days * A_DAY)
    return np.minimum(
        np.linspace(40, 100, rows) + np.random.default_rng(2).normal(0, 0.5, rows), 100
    )


def test_a_leak_is_foretold_once_across_restarts_and_what_comes_true_opens_anew(
    world: World,
) -> None:
    world.say(noise(2.2))
    rising = iter(leak())
    began = world.now
    while not world.incidents():
        world.say([next(rising)])
    world.restart()
    [first] = world.incidents()
    anomaly = first.anomaly
    assert (anomaly.ground, anomaly.severity) == (Ground.TREND, Severity.INFO)
    left = 12 - (anomaly.at - began) / timedelta(hours=1)
    assert left > 8
    assert anomaly.trend is not None
    assert anomaly.trend.soonest_hours is not None
    assert anomaly.trend.latest_hours is not None
    assert anomaly.trend.soonest_hours <= left <= anomaly.trend.latest_hours
    with api_world.client(world.real) as client:
        bearer = api_world.token(world.real, api_world.person("observer", "staging"))
        shown = story(client, bearer, first)
    assert (shown["ground"], shown["severity"]) == ("trend", "info")
    assert shown["trend"]["soonest_hours"] == pytest.approx(anomaly.trend.soonest_hours)
    world.close(first)
    world.say([next(rising) for _ in range(5)])
    assert world.incidents() == [world.centre.incidents.get(first.id)], "told once"
    world.say(list(rising))
    [_, second, *more] = world.incidents()
    assert not more
    assert not second.anomaly.is_forecast
    assert second.anomaly.value < 95, "before the limit"
    assert [one.incident for one in world.centre.episodes.standing(world.agent.id)] == [second.id]
    world.say(noise(0.02))
    assert not world.centre.episodes.standing(world.agent.id)


def test_a_forecast_that_is_open_is_one_incident_until_the_end(world: World) -> None:
    world.say(noise(2.2))
    world.say(leak())
    [only] = world.incidents()
    assert only.anomaly.is_forecast
    assert only.status is not Status.CLOSED


def test_a_slow_nightly_backup_opens_nothing_after_it_is_learned(world: World) -> None:
    for night in range(6):
        values = noise(1, 70.0, night)
        start = 24 + night % 3
        values[start : start + 24] += np.linspace(0, 22, 24)
        world.say(values, learn_each=12)
        known = len(world.centre.incidents.unfinished(world.agent.id))
        if night == 3:
            before = known
    assert known == before


def story(client: httpx.Client, bearer: str, incident: Incident) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {bearer}"}
    answer = client.get(f"/api/v1/incidents/{incident.id}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["anomaly"]
    return found


@pytest.mark.parametrize(
    ("severity", "rule"), [(Severity.INFO, Route.ESCALATE), (Severity.WARNING, Route.RUN)]
)
def test_a_forecast_is_for_people_and_a_near_end_is_for_remedies(
    tmp_path: Path, severity: Severity, rule: Route
) -> None:
    facts = replay_centre.Facts()
    with replay_centre.opened(tmp_path / "replay", facts) as centre:
        made = replay_centre.incident(1, "system.disk_usage_percent", "/var", facts)
        series = {"severity": severity, "ground": Ground.TREND}
        found = decide_cases.anomaly("system.disk_usage_percent", "/var", **series)
        wanted = dataclasses.replace(made, anomaly=found)
        replay_centre.decide(centre, wanted)
        decided = centre.incidents.decision(wanted.id)
        [verdict] = [one for one in decided.verdicts if one.rule == "forecast"]
        assert verdict.route is rule
        assert (decided.route is Route.ESCALATE) >= (rule is Route.ESCALATE)
        assert replay_centre.replay(centre, wanted).is_identical
