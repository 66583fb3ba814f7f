"""What pipelines tell of changes: our own JSON, CDEvents, and what is none."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.stages.observe import changes
from sentienguard.stages.observe.alert_batch import Malformed

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
JSON = "application/json"


def read(document, media=JSON, **attributes):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return changes.parse(body, media, attributes, NOW)


def test_one_change_says_what_and_when():
    [one] = read({"service": "orders", "version": "4.2.0", "at": "2026-02-12T12:20:00+01:00",
                  "by": "ci", "summary": "new list"}).changes  # fmt: skip
    assert (one.service, one.kind, one.version, one.by) == ("orders", "deploy", "4.2.0", "ci")
    assert one.at == NOW - timedelta(minutes=6)


def test_many_come_in_one_body():
    found = read({"changes": [{"service": "a"}, {"service": "b", "kind": "flag"}]}).changes
    assert [(one.service, one.kind) for one in found] == [("a", "deploy"), ("b", "flag")]


def test_told_again_without_an_id_it_is_the_same():
    said = {"service": "orders", "version": "4.2.0", "at": "2026-02-12T11:20:00Z"}
    assert read(said).changes == read(dict(reversed(said.items()))).changes
    other = read({**said, "version": "4.2.1"}).changes
    assert other[0].id != read(said).changes[0].id


def event(kind="dev.cdevents.service.deployed.0.2.0", **more):
    return {
        "specversion": "1.0", "id": "42", "source": "/ci", "type": kind,
        "time": "2026-02-12T11:20:00Z",
        "data": {"subject": {"id": "orders", "content": {
            "artifactId": "pkg:oci/orders@sha256:abc?tag=4.2.0"}}},
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("dev.cdevents.service.deployed.0.2.0", "deploy"),
        ("dev.cdevents.service.upgraded.0.3.0-draft", "deploy"),
        ("dev.cdevents.service.rolledback.0.2.0", "deploy"),
        ("dev.cdevents.environment.modified.0.2.0", "config"),
        ("dev.cdevents.change.merged.0.2.0", "commit"),
        ("dev.cdevents.pipelinerun.started.0.2.0", None),
        ("com.example.service.deployed", None),
    ],
)
def test_events_of_cdevents_say_a_change_and_others_are_skipped(kind, says):
    batch = read(event(kind), changes.STRUCTURED)
    assert [one.kind for one in batch.changes] == ([says] if says else [])
    assert batch.skipped == (0 if says else 1)


def test_an_event_names_service_and_version_in_all_three_modes():
    plain = event()
    [one] = read(plain, changes.STRUCTURED).changes
    assert (one.service, one.version, one.id) == ("orders", "sha256:abc", "/ci 42")
    assert read([plain], changes.BATCHED).changes == (one,)
    data = plain.pop("data")
    assert read(data, JSON, **plain).changes == (one,)


@pytest.mark.parametrize(
    ("document", "media", "says"),
    [
        ({"kind": "deploy"}, JSON, "service"),
        ({"service": "a", "knd": "deploy"}, JSON, "knd"),
        ({"service": "a", "kind": "party"}, JSON, "party"),
        ({"service": "a", "at": "2026-02-12T11:20:00"}, JSON, "timezone"),
        ({"service": "a", "at": "2026-02-12T11:32:00Z"}, JSON, "has come"),
        (b"{", JSON, "change"),
        ({"service": "a"}, "text/plain", "content-type"),
        (
            {"specversion": "0.3", "id": "1", "source": "s", "type": "t"},
            changes.STRUCTURED,
            "specversion",
        ),
        ({"changes": [{"service": "a"}] * 1001}, JSON, "1000"),
    ],
)
def test_what_is_no_change_is_refused_by_name(document, media, says):
    with pytest.raises(Malformed, match=says):
        read(document, media)


def test_no_secret_and_no_escape_gets_in():
    said = {"service": "a\x1b[31m", "by": "ann@example.com", "summary": "password=hunter2 \u202e"}
    [one] = read(said).changes
    assert "\x1b" not in one.service
    assert "example.com" not in one.by
    assert "hunter2" not in one.summary
    assert "\u202e" not in one.summary


@given(st.binary(max_size=300), st.sampled_from([JSON, changes.STRUCTURED, changes.BATCHED, ""]))
def test_any_bytes_are_changes_or_refused(body, media):
    try:
        found = changes.parse(body, media, {}, NOW)
    except Malformed:
        return
    assert all(one.id for one in found.changes)
