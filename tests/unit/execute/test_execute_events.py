"""What an executor tells: the bytes of a leaf are canonical, bounded, and say what happened."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import ids
from sentienguard.stages.execute.report import events
from sentienguard.trust import canonical
from tests.support import execution

AGENT = ids.AgentId("11111111-2222-4333-8444-555555555555")
CONTROLS = {"step.done": ("SOC2 CC7.4", "HIPAA 164.312(b)")}
SOURCE = events.Source(AGENT, "drill", execution.key(9).sign, CONTROLS)

TEXTS = st.text(max_size=40) | st.sampled_from(
    ["", 'a "quote"', "\\", "\x00\x1b[31m", "ä€😀", "\ud800"]
)
VALUES = TEXTS | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.lists(TEXTS, max_size=3)
DATA = st.dictionaries(st.sampled_from(["detail", "name", "index", "reason", "parameters"]), VALUES)


@given(
    kind=st.sampled_from(["step.done", "agent.alarm"]),
    incident=st.sampled_from(["", "inc_20260212_112600_a8f3b2c1"]),
    actor=st.text(st.characters(codec="utf-8"), max_size=20),
    data=DATA,
    blobs=st.lists(st.binary(max_size=30), max_size=2, unique=True),
)
def test_a_leaf_is_what_the_general_encoder_writes(kind, incident, actor, data, blobs):
    event = events.Event(kind, "key:7", incident, data, tuple(blobs), actor)
    record = events.sealed(event, SOURCE, seq=7, prev="ab" * 32, at_ms=1_770_000_000_000)
    found = json.loads(record["leaf"])
    assert canonical.encode(found) == record["leaf"].encode()
    assert hashlib.sha256(record["leaf"].encode()).hexdigest() == record["digest"]
    said = {name: value for name, value in found.items() if name not in {"data", "blobs"}}
    assert said == {
        "v": 1,
        "kind": kind,
        "ts_ms": 1_770_000_000_000,
        "env": "drill",
        "src": f"agent:{AGENT}",
        "src_seq": 7,
        "src_prev": "ab" * 32,
        "actor": actor or f"agent:{AGENT}",
        "incident": incident,
        "key": "key:7",
        "controls": list(CONTROLS.get(kind, ())),
    }
    assert set(found["data"]) == set(data)
    assert [(one["sha256"], one["len"], one["type"]) for one in found["blobs"]] == [
        (hashlib.sha256(blob).hexdigest(), len(blob), "text/plain") for blob in blobs
    ]
    assert [one["sha256"] for one in record["blobs"]] == [one["sha256"] for one in found["blobs"]]


@pytest.mark.parametrize("sign", ["a", "€", "😀", "\\", '"', "\x00"])
def test_what_is_long_is_shortened_until_it_fits_into_a_leaf(sign):
    data = {
        "reason": sign * 5_000,
        "detail": sign * 5_000,
        "parameters": [f"name{number}={sign * 200}" for number in range(32)],
        "index": 3,
    }
    event = events.Event("step.done", "key", "", data)
    record = events.sealed(event, SOURCE, seq=1, prev="", at_ms=0)
    found = json.loads(record["leaf"])
    assert len(record["leaf"].encode()) <= events.MAX_LEAF_BYTES
    assert canonical.encode(found) == record["leaf"].encode()
    assert found["data"]["index"] == 3
    assert len(found["data"]["parameters"]) == 32


def test_what_has_no_canonical_form_is_not_written():
    for wrong in ({"index": 1.5}, {"index": 2**53}, {"a key": 1}, {"detail": None, "x": [2.5]}):
        with pytest.raises(canonical.NotCanonical):
            events.sealed(
                events.Event("step.done", "key", "", wrong), SOURCE, seq=1, prev="", at_ms=0
            )
