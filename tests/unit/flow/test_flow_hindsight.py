"""History is judged by the product's own parts, by the past alone, and nothing is passed over."""

import dataclasses

import numpy as np
import pytest

from sentienguard.flow import hindsight
from sentienguard.flow.hindsight import History, Knowledge
from sentienguard.model.decision import Route
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.detect.settings import DetectSettings, Sensitivity
from tests.support import decide_cases as cases
from tests.support import effort

STEP_S, START_S, DAY = 300, 1_770_000_000 // 86_400 * 86_400, 288
KNOWN = Knowledge(
    cases.LIBRARY,
    lambda _playbook: TrackRecord(proven_runs=20, proven_verified=20),
    DetectSettings(),
    DecideSettings(),
)
DISK = ("system.disk_usage_percent", "/var")
CPU = ("system.cpu_percent", "")
MEMORY = ("system.memory_percent", "")


def history(series, host="web-1", environment="production"):
    return History(host, environment, START_S, STEP_S, dict(sorted(series.items())))


def calm(days=10, seed=1):
    chance = np.random.default_rng(seed)
    times = np.arange(days * DAY)
    wave = np.sin(2 * np.pi * times / DAY)
    return {
        DISK: 42 + chance.normal(0, 0.1, len(times)),
        CPU: 25 + 10 * wave + chance.normal(0, 2, len(times)),
        MEMORY: 50 + 5 * wave + chance.normal(0, 8, len(times)),
        ("service.up", "web"): np.ones(len(times)),
        ("system.load_average_1m", ""): 1 + 0.3 * wave + chance.normal(0, 0.1, len(times)),
    }


def full(series, day=8, hours=5):
    start = day * DAY
    series[DISK][start : start + hours * 12] = 98.0
    return start


def raised(series, days=7, known=KNOWN):
    return hindsight.raised(history(series), START_S + days * 86_400, known)


def test_calm_days_raise_nothing():
    assert raised(calm()) == []


def test_a_full_disk_is_one_incident_with_its_end_and_both_decisions():
    series = calm()
    start = full(series)
    [found] = raised(series)
    assert found.incident.anomaly.series.metric == DISK[0]
    assert found.incident.opened_at == history(series).at(start)
    assert found.ended_at == history(series).at(start + 60 + 1)  # two calm readings
    assert found.first_day.route is Route.ASK
    assert found.earned.route is Route.RUN_AND_VERIFY
    assert found.earned.parameters == {"mount": "/var", "older_than": "7d"}


def test_what_stands_at_the_end_has_no_end():
    series = calm()
    series[DISK][-5:] = 98.0
    [found] = raised(series)
    assert found.ended_at is None


def test_two_views_of_one_cause_are_one_incident():
    series = calm()
    series[CPU][8 * DAY : 8 * DAY + 24] = 99.0
    series["system.load_average_1m", ""][8 * DAY : 8 * DAY + 24] = 30.0
    [found] = raised(series)
    assert found.incident.anomaly.series.metric in {CPU[0], "system.load_average_1m"}


def test_the_same_symptom_again_names_the_one_before():
    series = calm()
    full(series, day=8)
    full(series, day=9, hours=2)
    first, second = raised(series)
    assert second.incident.earlier == (first.incident.id,)
    assert [one.id for one in second.first_day.evidence.similar] == [first.incident.id]


def test_what_was_before_the_judged_days_is_left_out_and_learned_from():
    series = calm()
    full(series, day=3)
    assert raised(series) == []
    assert len(raised(series, days=2)) == 1


@pytest.mark.parametrize("cut", [8 * DAY + 30, 9 * DAY, 9 * DAY + 7])
def test_nothing_is_judged_by_what_came_later(cut):
    series = calm()
    full(series)
    later = {name: values.copy() for name, values in series.items()}
    for values in later.values():
        values[cut:] = 7.0
    known_until = history(series).at(cut)

    def until(found):
        return [
            dataclasses.replace(one, ended_at=None)
            for one in found
            if one.incident.opened_at < known_until
        ]

    assert until(raised(series))
    assert until(raised(series)) == until(raised(later))


@pytest.mark.parametrize("seed", range(effort.pick(6, thorough=200)))
def test_the_moments_that_are_passed_over_change_nothing(seed, monkeypatch):
    chance = np.random.default_rng(seed)
    series = calm(seed=seed)
    for values in series.values():
        for _ in range(4):
            start, length = chance.integers(0, len(values)), chance.integers(1, 40)
            values[start : start + length] = chance.choice([0.0, 50, 84, 96, 99, np.nan])
    for _ in range(12):  # near the bounds: a little off, and on the way up
        start = chance.integers(7 * DAY, 10 * DAY - 24)
        series[CPU][start : start + 6] += chance.uniform(5, 40)
        start = chance.integers(7 * DAY, 10 * DAY - 24)
        series["system.load_average_1m", ""][start : start + 6] += chance.uniform(1.2, 2.6)
    series["service.up", "web"][7 * DAY + 40 + seed : 7 * DAY + 43 + seed] = 0.0
    for day in (7, 8):
        start = day * DAY + chance.integers(0, DAY - 24)
        series[MEMORY][start : start + 12] = np.linspace(72, 96.5, 12)
    full(series)
    sensitivity = list(Sensitivity)[seed % 3]
    known = dataclasses.replace(KNOWN, detect=DetectSettings(sensitivity=sensitivity))
    found = raised(series, known=known)
    monkeypatch.setattr(hindsight, "_screen", lambda *_, span: np.ones(len(span), dtype=np.bool_))
    assert raised(series, known=known) == found
    assert found


def test_a_host_that_sent_nothing_for_a_day_is_judged_around_it():
    series = calm()
    for values in series.values():
        values[8 * DAY : 9 * DAY] = np.nan
    full(series, day=9, hours=2)
    assert len(raised(series)) == 1
    assert history(series).days_since(START_S + 7 * 86_400) == 2.0


def test_the_budget_of_a_host_counts_what_would_have_run():
    series = calm()
    for at in range(6):
        name = ("service.up", f"unit{at}")
        series[name] = np.ones(10 * DAY)
        series[name][8 * DAY + at : 8 * DAY + at + 3] = 0.0
    lines = DecideSettings(service_starts_per_hour=3)
    found = raised(series, known=dataclasses.replace(KNOWN, decide=lines))
    routes = [one.earned.route for one in found]
    assert routes == [*[Route.RUN_AND_VERIFY] * 3, *[Route.ASK] * 3]
