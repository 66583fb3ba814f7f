"""Entries in other systems' words: valid by their schema, exact in their escapes, never forged."""

import copy
import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentienguard.stages.audit import entry, merkle
from sentienguard.stages.audit.export import cef, meaning, ocsf, syslog
from sentienguard.trust import canonical
from tests.support import effort, evidence_logs, ocsf_schema, second_syslog

LOG = [canonical.decode_object(one) for one in evidence_logs.log_of(300).records]
# What a hostile writer of text would try: ends of lines, fields and values of each format.
PIECES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    st.sampled_from([
        "\n", "\r\n", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1e", "|", "\\", "\\\\",
        "=", "\\=",
        " src=10.0.0.1", " act=", "CEF:0|x|y|1|forged|forged|10|", "]", '"', '"]', '" leaf="0',
        "<110>1 2026-01-01T00:00:00Z h a - - - forged", "12 <110>1", "\ufeff", "\x00", "',,,", "\t",
    ]),
)  # fmt: skip
HOSTILE = st.lists(PIECES, max_size=8).map("".join)


def said_of(text, kind="order.finished", *, as_actor=True):
    fields = {
        "v": 1, "kind": kind, "ts_ms": 1_770_000_000_123, "env": "production", "src": "cp",
        "src_seq": 7, "src_prev": "", "actor": text if as_actor else "ada", "incident": "inc_1",
        "key": "k", "controls": ["soc2_cc8.1"], "blobs": [],
        "data": {"reason": text, "action": text, "order_id": text, "user": text, "name": text,
                 "ip_address": text, "status": text, "roles": {"production": text}},
    }  # fmt: skip
    return meaning.of(3, merkle.leaf_hash(canonical.encode(fields)), fields)


def usual(fields):
    return meaning.of(5, merkle.leaf_hash(canonical.encode(fields)), fields)


def test_every_kind_of_entry_has_a_class_and_no_other_has():
    assert set(ocsf.CLASS_OF) == set(entry.KINDS), (
        "give each kind of entry its line in stages/audit/export/ocsf.py"
    )


@pytest.mark.parametrize("kind", sorted(entry.KINDS))
@pytest.mark.parametrize("data", [{}, {"status": "failed"}, {"passed": True, "user": "bob"}])
def test_every_kind_is_a_valid_event_of_ocsf(kind, data):
    fields = {**LOG[0], "kind": kind, "data": data, "incident": "", "env": ""}
    assert ocsf_schema.problems(ocsf.event(usual(fields), "0.1.0")) == []


@pytest.mark.parametrize("fields", LOG[:60], ids=lambda fields: fields["kind"])
def test_entries_of_a_log_are_valid_events_that_can_be_proven(fields):
    event = ocsf.event(usual(fields), "0.1.0")
    assert ocsf_schema.problems(event) == []
    assert event["time"] == fields["ts_ms"]
    assert event["unmapped"]["data"] == fields["data"]
    leaf = merkle.leaf_hash(canonical.encode(fields)).hex()
    assert event["metadata"]["uid"] == event["unmapped"]["leaf_hash"] == leaf


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event.pop("metadata") and event.update(metadata={"version": "1.8.0"}),
        lambda event: event.pop("time"),
        lambda event: event.update(time="now"),
        lambda event: event.update(severity_id=7),
        lambda event: event.update(type_uid=1),
        lambda event: event.update(category_uid=2),
        lambda event: event.update(class_uid=9999),
        lambda event: event.update(surprise=1),
        lambda event: event.update(activity_id=77, type_uid=700177),
        lambda event: event.pop("command_uid"),
        lambda event: event["metadata"]["product"].clear(),
        lambda event: event["metadata"].update(version="1.7.0"),
        lambda event: event["metadata"].update(labels="one"),
    ],
)
def test_the_schema_s_judge_notices_what_is_wrong(spoil):
    event = copy.deepcopy(ocsf.event(said_of("x"), "0.1.0"))
    assert ocsf_schema.problems(event) == []
    spoil(event)
    assert ocsf_schema.problems(event)


@pytest.mark.parametrize(
    ("kind", "data", "outcome", "severity"),
    [
        ("access.denied", {}, "FAILURE", "MEDIUM"),
        ("order.refused", {"status": "done"}, "FAILURE", "MEDIUM"),
        ("playbook.tried", {}, "FAILURE", "MEDIUM"),
        ("incident.opened", {"severity": "critical"}, "UNKNOWN", "CRITICAL"),
        ("incident.opened", {"severity": "warning"}, "UNKNOWN", "MEDIUM"),
        ("incident.opened", {}, "UNKNOWN", "MEDIUM"),
        ("agent.alarm", {}, "UNKNOWN", "HIGH"),
        ("step.done", {"status": "done"}, "SUCCESS", "INFORMATIONAL"),
        ("step.done", {"status": "failed"}, "FAILURE", "LOW"),
        ("incident.verified", {"passed": False}, "FAILURE", "LOW"),
        ("incident.verified", {"passed": True}, "SUCCESS", "INFORMATIONAL"),
        ("incident.closed", {"outcome": "rolled_back"}, "FAILURE", "LOW"),
        ("approval.decided", {"decision": "approved"}, "SUCCESS", "INFORMATIONAL"),
        ("user.login", {}, "UNKNOWN", "INFORMATIONAL"),
    ],
)
def test_outcome_and_severity_follow_from_kind_and_data(kind, data, outcome, severity):
    said = usual({**LOG[0], "kind": kind, "data": data})
    assert (said.outcome.name, said.severity.name) == (outcome, severity)


@pytest.mark.parametrize(
    ("text", "header", "extension"),
    [
        ("a|b", "a\\|b", "a|b"),
        ("a\\b", "a\\\\b", "a\\\\b"),
        ("a=b", "a=b", "a\\=b"),
        ("a\nb", "a b", "a\\nb"),
        ("a\rb", "a b", "a\\rb"),
        ("a\r\nb", "a b", "a\\r\\nb"),
        ("a\u2028b", "a b", "a\\nb"),
        ("\\|=\n", "\\\\\\|= ", "\\\\|\\=\\n"),
    ],
)
def test_cef_escapes_exactly(text, header, extension):
    line = cef.line(said_of(text), "0.1.0")
    assert line.startswith(
        f"CEF:0|SentienGuard|SentienGuard|0.1.0|order.finished|order.finished: {header}|"
    )
    assert f" suser={extension} cs1Label=incident cs1=inc_1 " in line


@given(HOSTILE)
@example(" src=10.0.0.1\nCEF:0|a|b|c|d|e|10|")
@settings(max_examples=effort.pick(500, thorough=40_000))
@pytest.mark.timeout(effort.pick(60, thorough=2_000))
def test_no_text_forges_a_cef_line_a_part_or_a_pair(text):
    parts, pairs = second_syslog.cef(cef.line(said_of(text), "0.1.0"))
    flat = re.sub(f"\r\n|[\r{cef.LINE_BREAKS}]", " ", text[:200])
    assert parts[0] == "CEF:0"
    assert parts[4] == "order.finished"
    assert parts[5] == (f"order.finished: {flat}" if text else "order.finished")
    broken = re.sub(f"[{cef.LINE_BREAKS}]", "\n", text or "cp")
    assert pairs["suser"] == broken
    assert json.loads(pairs["cs5"])["reason"] == text
    assert set(pairs) - {"src", "c6a2", "c6a2Label"} == {
        "rt", "externalId", "outcome", "suser", "cs1Label", "cs1", "cs2Label", "cs2", "cs3Label",
        "cs3", "cs4Label", "cs4", "cs5Label", "cs5", "cn1Label", "cn1", "cn2Label", "cn2",
    }  # fmt: skip


@given(HOSTILE, HOSTILE)
@example('"] forged', '" leaf="0')
@settings(max_examples=effort.pick(500, thorough=40_000))
@pytest.mark.timeout(effort.pick(60, thorough=2_000))
def test_no_text_forges_a_syslog_message_a_frame_or_a_parameter(text, body):
    said = said_of(text)
    framed = syslog.frame(syslog.message(said, "log.example/main", body))
    [content, second] = second_syslog.frames(framed + syslog.frame(b"<110>1 next"))
    assert second == b"<110>1 next"
    found = second_syslog.message(content)
    assert (found["facility"], found["version"], found["app"]) == (13, 1, "sentienguard")
    assert found["host"] == "log.example"
    assert found["kind"] == "order.finished"
    [pairs] = found["elements"].values()
    assert pairs["actor"] == (text or "cp")
    assert pairs["leaf"] == said.leaf_hash
    assert pairs["index"] == "3"
    assert found["text"] == body or found["text"] == body.removeprefix("\ufeff")


@given(HOSTILE, st.sampled_from(sorted(entry.KINDS)))
@settings(max_examples=effort.pick(400, thorough=25_000))
@pytest.mark.timeout(effort.pick(60, thorough=2_000))
def test_no_text_spoils_an_event_of_ocsf(text, kind):
    event = json.loads(json.dumps(ocsf.event(said_of(text, kind), "0.1.0")))
    assert ocsf_schema.problems(event) == []
    assert event["unmapped"]["data"]["reason"] == text
    assert event["class_uid"] == ocsf.CLASS_OF[kind].of.uid


@pytest.mark.parametrize(
    ("origin", "host"),
    [("log.example/main", "log.example"), ("", "-"), ("a b\n/x", "a_b_"), ("é" * 300, "_" * 255)],
)
def test_the_name_of_a_host_is_printable_and_short(origin, host):
    assert second_syslog.message(syslog.message(said_of("x"), origin, "{}"))["host"] == host


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_an_address_is_told_and_what_is_none_is_not(address):
    fields = {**LOG[0], "kind": "access.denied", "data": {"ip_address": address}}
    said = usual(fields)
    assert ocsf.event(said, "1")["src_endpoint"] == {"ip": address}
    _, pairs = second_syslog.cef(cef.line(said, "1"))
    assert address in (pairs.get("src"), pairs.get("c6a2"))
    other = usual({**fields, "data": {"ip_address": "10.0.0.1 src=1.2.3.4"}})
    assert other.address is None
