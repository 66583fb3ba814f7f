"""The webhook of Alertmanager: what is read, what is refused, and that what is kept reads back."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.stages.observe import alert_batch, alertmanager
from tests.support import webhooks

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LABELS = st.dictionaries(TEXT, TEXT, min_size=1, max_size=8)
ALERTS = st.builds(
    Alert,
    status=st.sampled_from(AlertStatus),
    labels=LABELS,
    starts_at=st.datetimes(timezones=st.just(UTC)),
    annotations=st.dictionaries(st.sampled_from(alert_batch.KEPT_ANNOTATIONS), TEXT),
)


def parse(*alerts: object, **fields: object) -> alert_batch.Batch:
    return alertmanager.parse(json.dumps(webhooks.body(*alerts, **fields)).encode())


def test_the_body_that_alertmanager_writes_is_read() -> None:
    [found] = parse(webhooks.alert(instance="db-1:9100")).alerts
    assert found.name == "DiskFull"
    assert found.labels["instance"] == "db-1:9100"
    assert found.annotations == {"summary": "the disk is full"}
    assert found.starts_at == datetime(2026, 11, 20, 21, 25, 22, 724220, tzinfo=UTC)


def test_a_time_of_another_zone_is_the_same_time() -> None:
    one = {**webhooks.alert(), "startsAt": "2026-11-20T22:25:22+01:00"}
    assert parse(one).alerts[0].starts_at == datetime(2026, 11, 20, 21, 25, 22, tzinfo=UTC)


@given(ALERTS)
def test_what_is_kept_reads_back_equal(given_alert: Alert) -> None:
    assert alert_batch.decode(alert_batch.encode(given_alert)) == given_alert


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    with pytest.raises(alert_batch.Malformed):
        alertmanager.parse(noise)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON | ALERTS.map(lambda one: json.loads(alert_batch.encode(one))), max_size=5))
def test_whatever_stands_among_good_alerts_the_good_ones_are_taken(rest: list[object]) -> None:
    good = [webhooks.alert(instance="first"), webhooks.alert(instance="last")]
    found = parse(good[0], *rest, good[1])
    assert [found.alerts[0].labels["instance"], found.alerts[-1].labels["instance"]] == [
        "first", "last",
    ]  # fmt: skip
    assert len(found.alerts) + found.refused == len(rest) + 2
    assert len(found.reasons) <= alert_batch.MAX_REASONS


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"labels": {"a": "x" * alert_batch.MAX_VALUE}}, True),
        ({"labels": {"a": "x" * (alert_batch.MAX_VALUE + 1)}}, False),
        ({"labels": {"x" * (alert_batch.MAX_NAME + 1): "a"}}, False),
        ({"labels": {str(number): "" for number in range(alert_batch.MAX_LABELS)}}, True),
        ({"labels": {str(number): "" for number in range(alert_batch.MAX_LABELS + 1)}}, False),
        ({"labels": {}}, False),
        ({"status": "pending"}, False),
        ({"startsAt": "yesterday"}, False),
        ({"startsAt": "2026-11-20T21:25:22"}, False),
        ({"startsAt": "0001-01-01T00:00:00+14:00"}, False),
        ({"annotations": {"summary": "x" * 100_000}}, True),
    ],
)
def test_an_alert_has_bounds(changes: dict[str, object], kept: bool) -> None:
    found = parse({**webhooks.alert(), **changes}, webhooks.alert())
    assert (len(found.alerts), found.refused) == ((2, 0) if kept else (1, 1))
    assert all(len(text) <= alert_batch.MAX_ANNOTATION
               for one in found.alerts for text in one.annotations.values())  # fmt: skip


def test_two_alerts_are_one_by_their_labels_whatever_name_they_are_given() -> None:
    one, same = webhooks.alert(instance="a"), {**webhooks.alert(instance="a"), "fingerprint": "f"}
    other = webhooks.alert(instance="b")
    names = [found.fingerprint for found in parse(one, same, other).alerts]
    assert names[0] == names[1] != names[2]
