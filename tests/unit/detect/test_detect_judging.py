"""One sample at a time: limits from the first, confirmation, hysteresis, trends, folding."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.anomaly import Anomaly, Baseline, Ground, Severity
from sentienguard.model.ids import AgentId, IncidentId
from sentienguard.model.incident import Incident
from sentienguard.model.telemetry import Sample, Series
from sentienguard.stages.detect import correlate, grounds, kinds, limits, recurrence, trend
from sentienguard.stages.detect.detector import Detector
from sentienguard.stages.detect.deviations import Deviating
from sentienguard.stages.detect.ramps import Ramping
from sentienguard.stages.detect.settings import DetectSettings, Sensitivity

START = datetime(2026, 2, 12, 11, tzinfo=UTC)
SETTINGS = DetectSettings()
DISK = ("system.disk_usage_percent", "/var")
CPU = ("system.cpu_percent", "")


def nothing(_):
    return None


def empty(_):
    return ()


def sample(number, values, step_s=30):
    return Sample(
        AgentId("a"),
        "web-01",
        "production",
        {},
        number,
        START + timedelta(seconds=step_s * number),
        values,
    )


def play(readings, baselines=nothing, recent=empty, settings=SETTINGS, step_s=30):
    """Judge one reading table after the other; return what each changed."""
    detector = Detector(settings)
    return [
        detector.judge(sample(number, values, step_s), baselines, recent)
        for number, values in enumerate(readings)
    ]


def pattern(judgements):
    """One letter for each sample: A reported, C cleared, s standing, . nothing."""
    return "".join(
        "A" if one.anomalies else "C" if one.cleared else "s" if one.standing else "."
        for one in judgements
    )


@pytest.mark.parametrize(
    ("series", "readings", "expected"),
    [
        (DISK, [96], "A"),
        (DISK, [94.9], "."),
        (DISK, [96, 97, 94, 92, 91, 96], "Assssss"[:6]),  # flapping above the clear level
        (DISK, [96, 80, 80, 96], "AsCA"),
        (DISK, [96, 80, 96, 80, 80], "AsssC"),  # calm must last
        (DISK, [3, 1, 0], "..."),  # a low disk is no anomaly
        (("system.inode_usage_percent", "/"), [99], "A"),
        (("system.memory_percent", ""), [98, 98], ".A"),
        (("system.memory_percent", ""), [98, 50, 98], "..."),
        (("service.up", "web"), [0], "A"),
        (("service.healthy", "web"), [0, 0, 0, 1, 1], ".AssC"),
        (("service.healthy", "web"), [0, 1, 0, 1], "...."),
        (("system.zombies", ""), [50, 51, 40, 20, 20], ".AssC"),
        (CPU, [99, 99, 99], "..A"),
        (DISK, [float("nan"), float("inf"), 96], "..A"),
    ],
)
def test_limits_judge_from_the_first_sample(series, readings, expected):
    assert pattern(play([{series: value} for value in readings])) == expected


def test_a_busy_minute_is_no_fault_however_often_it_is_sampled():
    assert pattern(play([{CPU: 99.0}] * 31, step_s=2)) == "." * 30 + "A"


def test_a_stopped_service_is_not_reported_as_hung_as_well():
    down = {("service.up", "web"): 0, ("service.healthy", "web"): 0}
    judgements = play([down, down, down])
    assert [len(one.anomalies) for one in judgements] == [1, 0, 0]
    assert judgements[0].anomalies[0].series.metric == "service.up"


def test_a_hung_service_that_then_stops_is_not_recovered():
    hung = {("service.up", "web"): 1, ("service.healthy", "web"): 0}
    down = {("service.up", "web"): 0, ("service.healthy", "web"): 0}
    judgements = play([hung, hung, down, down, down])
    assert not any(one.cleared for one in judgements)
    assert len(judgements[-1].standing) == 2


NORMAL = Baseline(20.0, 5.0, 20.0, 28.0, 31.0, 2000, seasonal=True)


@pytest.mark.parametrize(
    ("sensitivity", "value", "expected"),
    [
        (Sensitivity.MEDIUM, 41, Severity.WARNING),  # 4.2 sigma
        (Sensitivity.MEDIUM, 60, Severity.CRITICAL),
        (Sensitivity.MEDIUM, 34.9, None),
        (Sensitivity.LOW, 41, None),
        (Sensitivity.MEDIUM, 0, None),  # a quiet processor is no anomaly
        (Sensitivity.MEDIUM, 39, None),  # 3.8 sigma, and nobody is harmed at 39 %
    ],
)
def test_deviations_count_by_sensitivity_direction_and_matter(sensitivity, value, expected):
    judgements = play(
        [{CPU: value}] * 3, lambda _: NORMAL, settings=DetectSettings(sensitivity=sensitivity)
    )
    found = [one for judgement in judgements for one in judgement.anomalies]
    assert [one.severity for one in found] == ([expected] if expected else [])
    if found:
        assert found[0].ground is Ground.BASELINE
        assert found[0].sigma == pytest.approx((value - 20) / 5)
        assert "standard deviations" in found[0].reason


def test_getting_worse_is_reported_once_more():
    values = [45, 45, 45, 45, 70, 70, 70]
    judgements = play([{CPU: value} for value in values], lambda _: NORMAL)
    reported = [one.anomalies[0].severity for one in judgements if one.anomalies]
    assert reported[0] is Severity.CRITICAL
    assert len(reported) == 1
    near = Baseline(30.0, 5.0, 30.0, 38.0, 41.0, 2000, seasonal=True)
    judgements = play([{CPU: value} for value in [46, 46, 46, 60, 60]], lambda _: near)
    assert pattern(judgements) == "..AAs"


def test_a_deviation_that_outlives_a_full_disk_does_not_keep_it_standing_nor_begin_anew():
    usual = Baseline(40.0, 2.0, 40.0, 43.0, 44.0, 2000, seasonal=True)
    values = [40, 99, 70, 70, 70, 70, 40, 40, 70]
    judgements = play([{DISK: value} for value in values], lambda _: usual)
    assert pattern(judgements) == ".AsC....A"


def rising(minutes, start, per_hour, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(
        (START + timedelta(minutes=m), start + per_hour * m / 60 + float(rng.normal(0, noise)))
        for m in range(minutes)
    )


def test_a_disk_at_85_percent_that_grows_by_ten_an_hour_warns_an_hour_and_a_half_before():
    points = rising(60, 75.1, 10)
    detector = Detector(SETTINGS)
    at_85 = Sample(AgentId("a"), "h", "e", {}, 1, START + timedelta(minutes=60), {DISK: 85.1})
    judged = detector.judge(at_85, nothing, lambda _: points)
    (found,) = judged.anomalies
    assert (found.ground, found.severity) == (Ground.TREND, Severity.WARNING)
    assert found.trend.per_hour == pytest.approx(10, rel=0.01)
    assert found.trend.hours_to_exhaustion == pytest.approx(1.49, abs=0.02)
    assert "full in 89 min (89 min to 89 min)" in found.reason


def test_the_interval_of_the_time_left_holds_the_truth_and_is_wider_on_noise():
    widths = []
    for noise in (0.05, 0.5):
        found = trend.estimate(rising(60, 75, 10, noise=noise), 100.0, SETTINGS)
        assert found.soonest_hours <= found.hours_to_exhaustion <= found.latest_hours
        assert found.soonest_hours <= 1.5 <= found.latest_hours
        widths.append(found.latest_hours - found.soonest_hours)
    assert widths[0] < widths[1]


def test_a_level_that_this_time_of_day_is_used_to_is_no_trend_and_a_higher_one_is():
    points = rising(60, 78.1, 10)
    at_88 = Sample(AgentId("a"), "h", "e", {}, 1, START + timedelta(minutes=60), {DISK: 88.1})
    usual = Baseline(80.0, 6.0, 80.0, 88.0, 88.0, 2000, seasonal=True)
    for p99, seasonal, expected in (
        (88.0, True, []),
        (86.0, True, [Ground.TREND]),
        (88.0, False, [Ground.TREND]),
    ):
        known = replace(usual, p99=p99, seasonal=seasonal)
        judged = Detector(SETTINGS).judge(at_88, lambda _, one=known: one, lambda _: points)
        assert [one.ground for one in judged.anomalies] == expected


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_not_on_its_way_anywhere(seed):
    points = rising(60, 88, 0, noise=2.0, seed=seed)
    assert trend.estimate(points, 100.0, SETTINGS).hours_to_exhaustion is None


@pytest.mark.parametrize("when", [10, 30, 50])
def test_a_jump_is_no_trend(when):
    points = tuple(
        (at, 86.0 if index > when else 70.0) for index, (at, _) in enumerate(rising(60, 0, 0))
    )
    assert trend.estimate(points, 100.0, SETTINGS).hours_to_exhaustion is None


def test_a_rise_that_goes_back_again_and_again_is_no_trend():
    # Sorted, these would be a clean rise; a fifth of all pairs fall.
    points = tuple(
        (at, 80 + 0.1 * index + (4 if index % 4 == 0 else 0))
        for index, (at, _) in enumerate(rising(32, 0, 0))
    )
    assert trend.estimate(points, 100.0, SETTINGS).per_hour > 0
    assert trend.estimate(points, 100.0, SETTINGS).hours_to_exhaustion is None


def test_wild_readings_do_not_hide_one():
    wild = tuple(
        (at, 10.0 if index % 9 == 4 else value)
        for index, (at, value) in enumerate(rising(60, 75, 10))
    )
    assert trend.estimate(wild, 100.0, SETTINGS).per_hour == pytest.approx(10, rel=0.2)


@pytest.mark.parametrize("points", [(), rising(7, 50, 10), rising(60, 50, 10)[:3]])
def test_too_few_readings_have_no_trend(points):
    assert trend.estimate(points, 100.0, SETTINGS) is None


readings = st.lists(
    st.fixed_dictionaries(
        {
            DISK: st.sampled_from([50.0, 80.0, 92.0, 96.0, 99.0]),
            CPU: st.sampled_from([10.0, 45.0, 99.0]),
            ("service.up", "web"): st.sampled_from([0.0, 1.0]),
            ("service.healthy", "web"): st.sampled_from([0.0, 1.0]),
        }
    ),
    max_size=25,
)


@pytest.mark.property
@given(readings, st.integers(0, 25))
def test_a_restored_detector_goes_on_as_if_never_stopped(tables, cut):
    whole, first = Detector(SETTINGS), Detector(SETTINGS)
    for number, values in enumerate(tables):
        if number == cut:
            stored = json.loads(json.dumps(first.state()))
            first = Detector(SETTINGS)
            first.restore(stored)
        args = (sample(number, values), lambda _: NORMAL, empty)
        assert first.judge(*args) == whole.judge(*args)
    assert first.state() == whole.state()


@pytest.mark.property
@given(readings)
def test_what_is_reported_stands_until_it_is_cleared(tables):
    standing = set()
    for judgement in play(tables, lambda _: NORMAL):
        assert set(judgement.cleared) <= standing
        standing |= {one.fingerprint for one in judgement.anomalies}
        standing -= set(judgement.cleared)
        assert standing == set(judgement.standing)


def test_a_sample_that_is_judged_again_changes_nothing():
    detector = Detector(SETTINGS)
    hung = sample(0, {("service.healthy", "web"): 0})
    assert not detector.judge(hung, nothing, empty).anomalies
    assert not detector.judge(hung, nothing, empty).anomalies
    assert not detector.judge(hung, nothing, empty).standing


def test_a_host_that_is_gone_is_forgotten():
    detector = Detector(SETTINGS)
    detector.judge(sample(0, {DISK: 99}), nothing, empty)
    detector.forget("web-01")
    assert detector.standing("web-01") == ()


def anomaly(metric, subject="", severity=Severity.CRITICAL, ground=Ground.LIMIT, host="web-01"):
    return Anomaly(Series(host, metric, subject), START, 1, severity, ground, None, None, None, "r")


@pytest.mark.parametrize(
    ("anomalies", "expected"),
    [
        ([("service.healthy", "web"), ("service.up", "web")], ["service.up"]),
        ([("service.up", "web"), ("service.up", "db")], ["service.up", "service.up"]),
        ([("system.load_average_1m",), CPU], ["system.cpu_percent"]),
        ([DISK, ("system.disk_usage_percent", "/srv")], [DISK[0], DISK[0]]),
        ([("queue.depth",), ("queue.age",)], ["queue.depth", "queue.age"]),
        ([], []),
    ],
)
def test_anomalies_of_one_cause_are_one_incident(anomalies, expected):
    groups = correlate.fold(anomaly(*one) for one in anomalies)
    assert [group.lead.series.metric for group in groups] == expected


def test_a_trend_and_a_limit_of_one_series_are_one_and_hosts_are_kept_apart():
    trending = anomaly(*DISK, severity=Severity.WARNING, ground=Ground.TREND)
    (group,) = correlate.fold([trending, anomaly(*DISK)])
    assert (group.lead.ground, group.others) == (Ground.LIMIT, (trending,))
    assert len(correlate.fold([anomaly(*DISK), anomaly(*DISK, host="web-02")])) == 2


def past(days, number, of):
    return Incident(
        IncidentId(f"inc_{number}"), AgentId("a"), "web-01", "production", {}, of.fingerprint, of,
        START - timedelta(days=days),
    )  # fmt: skip


def test_only_the_same_symptom_of_the_last_thirty_days_is_a_recurrence():
    same, other = anomaly(*DISK), anomaly(*CPU)
    history = [
        past(31, 1, same),
        past(14, 2, same),
        past(1, 3, other),
        past(7, 4, same),
        past(0, 5, same),
    ]
    found = recurrence.earlier(same.fingerprint, history, START)
    assert [one.id for one in found.earlier] == ["inc_4", "inc_2"]
    assert found.is_pattern
    assert found.typical_gap == timedelta(days=7)
    assert not recurrence.earlier(other.fingerprint, history, START).is_pattern


def test_a_disk_that_was_unmounted_is_over_after_an_hour_and_not_before():
    full, without = {DISK: 99.0, CPU: 5.0}, {CPU: 5.0}
    an_hour = 3600 // 30
    said = pattern(play([full] * 5 + [without] * (an_hour - 1)))
    assert set(said[5:]) == {"s"}
    said = pattern(play([full] * 5 + [without] * an_hour + [full] * 5))
    assert said[5 + an_hour - 1] == "C"
    assert "A" in said[5 + an_hour :]  # mounted again and still full: told anew


def test_a_clock_that_jumps_makes_nothing_gone():
    detector = Detector(SETTINGS)
    for number in range(5):
        detector.judge(sample(number, {DISK: 99.0, CPU: 5.0}), nothing, empty)
    found = detector.judge(sample(1_000_000, {CPU: 5.0}), nothing, empty)
    assert (found.cleared, len(found.standing)) == ((), 1)


def test_a_reading_that_another_explains_is_not_away():
    down = {("service.up", "web"): 0.0, ("service.healthy", "web"): 0.0}
    sick = {("service.up", "web"): 1.0, ("service.healthy", "web"): 0.0}
    said = play([sick] * 10 + [down] * 130)
    assert not any(one.cleared for one in said)


def test_what_stays_away_is_counted_on_after_a_restart():
    detector = Detector(SETTINGS)
    for number in range(5):
        detector.judge(sample(number, {DISK: 99.0, CPU: 5.0}), nothing, empty)
    for number in range(5, 123):
        detector.judge(sample(number, {CPU: 5.0}), nothing, empty)
    again = Detector(SETTINGS)
    again.restore(json.loads(json.dumps(detector.state())))
    over = [again.judge(sample(number, {CPU: 5.0}), nothing, empty) for number in (123, 124, 125)]
    assert sum(len(one.cleared) for one in over) == 1


METRICS = st.sampled_from(
    sorted(
        {*limits.LIMITS, *list(kinds.KINDS)[:30], "a.b", "a.b_percent", "a.c_total", "a.d_ratio"}
    )
)
LEVELS = st.floats(0, 110) | st.sampled_from([0.0, 1.0, 50.0, 85.0, 95.0, 1e9])
READINGS = st.dictionaries(st.tuples(METRICS, st.sampled_from(["", "/x"])), LEVELS, max_size=6)
MEANS = st.one_of(
    st.none(),
    st.builds(
        Baseline, LEVELS, st.floats(0.01, 20), LEVELS, LEVELS, LEVELS, st.just(99), st.booleans()
    ),
)
LANE = st.none() | st.builds(Deviating, st.floats(0, 9), st.floats(-60, 60))
TRENDS = st.sampled_from([0.0, 4.0, 40.0])  # growth in an hour
HOURS = st.sampled_from([0.1, 1.0, 30.0, 1000.0])
RAMPS = st.none() | st.builds(Ramping, LEVELS, HOURS, HOURS, HOURS, LEVELS, st.booleans())


@given(
    st.lists(READINGS, min_size=1, max_size=8),
    MEANS,
    st.tuples(LANE, RAMPS),
    TRENDS,
    st.sampled_from(Sensitivity),
)
def test_the_quick_look_passes_over_nothing_that_a_ground_would_not(
    tables, mean, lanes, growth, sensitivity
):
    def rising(series):
        at = START + timedelta(seconds=30)
        return tuple((at - timedelta(minutes=number), 90 - growth * number / 60)
                     for number in range(59, 0, -1))  # fmt: skip

    deviating, ramping = lanes

    def judged():
        judge = Detector(DetectSettings(sensitivity=sensitivity))
        for number, values in enumerate(tables):
            ramps = {} if ramping is None else dict.fromkeys(values, ramping)
            yield judge.judge(
                sample(number, values), lambda _: mean, rising, lambda _: deviating, ramps
            )
            yield judge.state()

    def slowly(reading):
        return all(finding.severity is None for finding in reading.findings())

    quick = list(judged())
    with mock.patch.object(grounds, "quiet", return_value=(math.inf, -math.inf)):
        assert list(judged()) == quick
        with mock.patch.object(grounds.Reading, "is_normal", slowly):
            assert list(judged()) == quick
