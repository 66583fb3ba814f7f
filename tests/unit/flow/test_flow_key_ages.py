"""When a key is due, and who is called for it."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.flow.key_ages import OnlineKey, Rotates, Stage
from sentienguard.flow.telling import loud
from sentienguard.model.anomaly import Severity
from sentienguard.model.notice import NoticeKind

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIVES = timedelta(days=90)


def key(age_days, rotates=Rotates.ROOT, ends_in_days=None, lives=None):
    ends = None if ends_in_days is None else NOW + timedelta(days=ends_in_days)
    made = NOW - timedelta(days=age_days)
    return OnlineKey("dispatch key", "0123456789abcdef", made, rotates, "trust rotate", ends, lives)


@pytest.mark.parametrize(
    ("one", "stage"),
    [
        (key(0), Stage.GOOD),
        (key(75.9), Stage.GOOD),
        (key(76), Stage.SOON),
        (key(89.9), Stage.SOON),
        (key(90), Stage.DUE),
        (key(4000), Stage.DUE),
        (key(-365), Stage.GOOD),  # the clock was set back a year
        (key(350, lives=timedelta(days=365)), Stage.GOOD),  # a life of its own: the log's key
        (key(351, lives=timedelta(days=365)), Stage.SOON),
        (key(4000, Rotates.OWNER, ends_in_days=15), Stage.GOOD),  # others pinned it: its end counts
        (key(1, Rotates.OWNER, ends_in_days=14), Stage.SOON),
        (key(1, Rotates.OWNER, ends_in_days=0), Stage.DUE),
        (key(-365, Rotates.OWNER, ends_in_days=397), Stage.GOOD),
    ],
)
def test_how_a_key_stands(one, stage):
    assert one.stage(NOW, LIVES) is stage


@pytest.mark.parametrize(
    ("rotates", "called"),
    [
        (Rotates.ITSELF, False),
        (Rotates.ROOT, True),
        (Rotates.OWNER, True),
    ],
)
def test_people_are_called_for_what_needs_people(rotates, called):
    assert key(80, rotates).needs_people(NOW, LIVES) is called
    assert not key(1, rotates).needs_people(NOW, LIVES)


@pytest.mark.parametrize(
    ("stage", "severity", "words"),
    [
        (Stage.SOON, Severity.WARNING, "is due soon"),
        (Stage.DUE, Severity.CRITICAL, "is due: people"),
    ],
)
def test_every_channel_hears_which_key_and_what_to_do(stage, severity, words):
    fields = {
        "kind": "key.due", "ts_ms": 1_795_000_000_000, "env": "", "actor": "sentienguard",
        "data": {"name": "dispatch key", "key_id": "0123456789abcdef", "stage": stage.value,
                 "age_days": 80, "due": "2026-12-01 12:00 UTC", "way": "trust online-key dispatch"},
    }  # fmt: skip
    told = loud.notice(fields, "https://guard")
    assert (told.kind, told.severity) == (NoticeKind.UPKEEP, severity)
    assert words in told.title
    assert "What to do: trust online-key dispatch" in told.lines
    assert "key.due" in loud.KINDS


def test_a_host_in_quarantine_is_told_to_every_channel_with_both_ways_out():
    data = {"agent": "a-1", "host": "web-1", "reason": "two\nstreams", "what": "two_histories"}
    fields = {
        "kind": "agent.quarantined",
        "env": "production",
        "ts_ms": 0,
        "actor": "",
        "data": data,
    }
    told = loud.notice(fields, "https://guard")
    assert (told.kind, told.severity) == (NoticeKind.UPKEEP, Severity.CRITICAL)
    assert (told.environment, told.host) == ("production", "web-1")
    assert told.page == "https://guard/hosts/a-1"
    assert any("hosts release a-1" in line for line in told.lines)
    assert any("hosts strike-off a-1" in line for line in told.lines)
    assert not any("\n" in line for line in told.lines)
    assert "agent.quarantined" in loud.KINDS
