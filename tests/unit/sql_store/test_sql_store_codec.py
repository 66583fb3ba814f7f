"""Every stored noun reads back equal, or is refused before it is kept."""

import types
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.adapters.sql_store import codec
from sentienguard.model import access, anomaly, decision, errors, evidence, incident, order
from sentienguard.model import telemetry as tele


def _day(year: int) -> datetime:
    """The first of a year as hypothesis wants its bounds: without a zone."""
    return datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None)


TEXT = st.text(max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(-(2**63), 2**63 - 1)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIME = st.datetimes(min_value=_day(1900), max_value=_day(2200), timezones=ZONES)
TABLE = st.dictionaries(TEXT, TEXT, max_size=3)


def several(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


BASELINES = st.builds(
    anomaly.Baseline, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, COUNT, seasonal=st.booleans()
)
ANOMALIES = st.builds(
    anomaly.Anomaly,
    series=st.builds(tele.Series, TEXT, TEXT, TEXT),
    at=TIME,
    value=NUMBER,
    severity=st.sampled_from(anomaly.Severity),
    ground=st.sampled_from(anomaly.Ground),
    sigma=maybe(NUMBER),
    baseline=maybe(BASELINES),
    trend=maybe(st.builds(anomaly.Trend, NUMBER, maybe(NUMBER))),
    reason=TEXT,
)
EVIDENCE = st.builds(
    evidence.Evidence,
    incident=TEXT,
    taken_at=TIME,
    host=TEXT,
    environment=TEXT,
    tags=TABLE,
    anomaly=ANOMALIES,
    recent=several(st.tuples(TIME, NUMBER)),
    related=st.dictionaries(TEXT, NUMBER, max_size=3),
    top_processes=several(st.builds(tele.ProcessUse, COUNT, TEXT, NUMBER, COUNT)),
    top_paths=several(st.builds(tele.PathUse, TEXT, COUNT, NUMBER)),
    log_lines=several(st.builds(tele.LogLine, TIME, TEXT, TEXT)),
    similar=several(st.builds(evidence.PastIncident, TEXT, TIME, maybe(TEXT), maybe(TEXT))),
    text=TEXT,
)
ITEMS = several(st.builds(decision.ScoreItem, TEXT, NUMBER, TEXT))
DECISIONS = st.builds(
    decision.Decision,
    incident=TEXT,
    at=TIME,
    route=st.sampled_from(decision.Route),
    playbook=maybe(TEXT),
    version=maybe(TEXT),
    digest=maybe(TEXT),
    parameters=TABLE,
    confidence=maybe(st.builds(decision.Confidence, NUMBER, NUMBER, NUMBER, ITEMS)),
    candidates=several(st.builds(decision.Candidate, TEXT, TEXT, TEXT, NUMBER, ITEMS)),
    verdicts=several(st.builds(decision.Verdict, TEXT, st.sampled_from(decision.Route), TEXT)),
    evidence=EVIDENCE,
)
ORDERS = st.builds(
    order.Order,
    id=TEXT,
    incident=TEXT,
    agent=TEXT,
    environment=TEXT,
    playbook=TEXT,
    version=TEXT,
    digest=TEXT,
    parameters=TABLE,
    facts=TABLE,
    dry_run=st.booleans(),
    created_at=TIME,
    deadline_s=COUNT,
)
REPORTS = st.builds(
    order.ExecutionReport,
    order=TEXT,
    incident=TEXT,
    outcome=st.sampled_from(order.ExecutionOutcome),
    reason=TEXT,
    records=several(
        st.builds(
            order.StepRecord,
            st.sampled_from(order.Phase),
            TEXT,
            st.sampled_from(order.StepStatus),
            TEXT,
            TIME,
            COUNT,
            maybe(COUNT),
            TEXT,
            TEXT,
        )
    ),
    left_behind=several(TEXT),
    started_at=TIME,
    finished_at=TIME,
)
ROLES = st.dictionaries(TEXT, st.sampled_from(access.Role), max_size=3)

SIMPLE = anomaly.Anomaly(
    series=tele.Series("web-1", "system.cpu_percent"),
    at=datetime(2026, 2, 12, tzinfo=UTC),
    value=99.0,
    severity=anomaly.Severity.CRITICAL,
    ground=anomaly.Ground.LIMIT,
    sigma=None,
    baseline=None,
    trend=None,
    reason="",
)


@pytest.mark.property
@pytest.mark.parametrize(
    ("form", "nouns"),
    [
        (codec.ANOMALY, ANOMALIES),
        (codec.DECISION, DECISIONS),
        (codec.EARLIER, several(TEXT)),
        (codec.ORDER, ORDERS),
        (codec.REPORT, REPORTS),
        (codec.ROLES, ROLES),
        (codec.TAGS, TABLE),
    ],
    ids=["anomaly", "decision", "earlier", "order", "report", "roles", "tags"],
)
@given(data=st.data())
def test_a_noun_reads_back_equal(
    form: codec.Form[Any], nouns: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    noun = data.draw(nouns)
    text = form.encode(noun)
    assert form.decode(text) == noun
    assert "\x00" not in text  # PostgreSQL holds none


def test_members_of_enumerations_come_back_as_members() -> None:
    read = codec.ANOMALY.decode(codec.ANOMALY.encode(SIMPLE))
    assert type(read.severity) is anomaly.Severity
    assert type(codec.ROLES.decode('{"*":"observer"}')["*"]) is access.Role


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"value": float("nan")}, "cannot be kept|would not read back"),
        ({"value": float("-inf")}, "cannot be kept|would not read back"),
        ({"sigma": float("nan")}, "would not read back"),
        ({"sigma": float("inf")}, "would not read back"),
        ({"reason": "\ud800"}, "cannot be kept"),
        ({"reason": b"bytes"}, "would not read back"),
        ({"reason": None}, "cannot be kept"),
        ({"reason": object()}, "no place in a stored noun"),
        ({"severity": "terrible"}, "cannot be kept"),
    ],
)
def test_what_would_not_read_back_is_refused_before_it_is_kept(
    change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(errors.Rejected, match=complaint):
        codec.ANOMALY.encode(replace(SIMPLE, **change))


def test_views_of_mappings_and_floats_of_numpy_are_kept() -> None:
    tags = types.MappingProxyType({"role": "web"})
    assert codec.TAGS.decode(codec.TAGS.encode(tags)) == {"role": "web"}
    text = codec.ANOMALY.encode(replace(SIMPLE, value=np.float64(1.5)))
    assert codec.ANOMALY.decode(text).value == 1.5


def test_fields_of_a_newer_release_are_passed_over() -> None:
    text = codec.ANOMALY.encode(SIMPLE)
    assert codec.ANOMALY.decode(text.replace("{", '{"mood":"bad",', 1)) == SIMPLE


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"value": 1}', "{}"])
def test_a_text_that_is_no_such_noun_is_broken(text: str) -> None:
    with pytest.raises(errors.Broken, match="a stored anomaly cannot be read"):
        codec.ANOMALY.decode(text)


@pytest.mark.property
@given(at=TIME)
def test_times_are_exact_and_in_utc(at: datetime) -> None:
    read = codec.instant(codec.micros(at))
    assert read == at
    assert read.utcoffset() == timedelta(0)


@pytest.mark.property
@given(one=TIME, other=TIME)
def test_times_sort_as_their_numbers_do(one: datetime, other: datetime) -> None:
    assert (one < other) == (codec.micros(one) < codec.micros(other))


def test_a_time_without_a_zone_is_broken() -> None:
    with pytest.raises(errors.Broken, match="no time zone"):
        codec.micros(datetime(2026, 2, 12, tzinfo=UTC).replace(tzinfo=None))


def test_a_member_that_nobody_knows_is_broken() -> None:
    assert codec.member(incident.Status, "OPEN") is incident.Status.OPEN
    with pytest.raises(errors.Broken, match="'DANCING' where a Status is due"):
        codec.member(incident.Status, "DANCING")
