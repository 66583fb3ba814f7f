import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.trust import dsse, keys

TYPE = "application/vnd.sentienguard.test+json"
ONE, TWO, THREE = (keys.SigningKey.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
TRUSTED = {key.id: key.public for key in (ONE, TWO, THREE)}
STRANGER = keys.SigningKey.from_seed(b"s" * 32)


def test_the_signed_bytes_are_those_of_the_dsse_specification():
    signed = dsse.pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize(
    ("signers", "threshold", "accepted"),
    [
        ([ONE], 1, True),
        ([ONE, TWO], 2, True),
        ([STRANGER, ONE, TWO], 2, True),
        ([ONE], 2, False),
        ([ONE, ONE], 2, False),
        ([ONE, STRANGER], 2, False),
        ([STRANGER], 1, False),
        ([], 1, False),
        ([ONE], 0, False),
        ([ONE], -1, False),
    ],
)
def test_distinct_trusted_keys_are_counted(signers, threshold, accepted):
    envelope = dsse.seal(TYPE, b"payload", signers)
    if accepted:
        assert dsse.open_envelope(envelope, TYPE, TRUSTED, threshold) == b"payload"
        return
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        dsse.open_envelope(envelope, TYPE, TRUSTED, threshold)


def test_one_key_under_two_trusted_names_counts_once():
    envelope = dsse.seal(TYPE, b"payload", [ONE, ONE])
    envelope["signatures"][1]["keyid"] = "second"
    trusted = {"first": ONE.public, "second": ONE.public}
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        dsse.open_envelope(envelope, TYPE, trusted, 2)


def test_a_wrong_or_missing_hint_neither_helps_nor_hinders():
    envelope = dsse.seal(TYPE, b"payload", [ONE, STRANGER])
    envelope["signatures"][0]["keyid"] = TWO.id
    envelope["signatures"][1]["keyid"] = TWO.id
    assert dsse.open_envelope(envelope, TYPE, TRUSTED, 1) == b"payload"
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        dsse.open_envelope(envelope, TYPE, TRUSTED, 2)


def test_a_signature_for_one_kind_of_document_does_not_count_for_another():
    envelope = dsse.seal("application/other", b"payload", [ONE])
    with pytest.raises(dsse.NotTrusted, match="rule 2"):
        dsse.open_envelope(envelope, TYPE, TRUSTED, 1)
    envelope["payloadType"] = TYPE
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        dsse.open_envelope(envelope, TYPE, TRUSTED, 1)


def test_a_changed_payload_is_not_what_was_signed():
    envelope = dsse.seal(TYPE, b"payload", [ONE])
    envelope["payload"] = base64.b64encode(b"Payload").decode()
    with pytest.raises(dsse.NotTrusted, match="rule 5"):
        dsse.open_envelope(envelope, TYPE, TRUSTED, 1)


def test_signers_who_never_meet_can_add_their_signatures():
    envelope = dsse.add_signature(dsse.seal(TYPE, b"payload", [ONE]), TWO)
    envelope = dsse.add_signature(envelope, TWO)
    assert len(envelope["signatures"]) == 2
    assert dsse.open_envelope(envelope, TYPE, TRUSTED, 2) == b"payload"


GOOD = dsse.seal(TYPE, b"payload", [ONE])


@pytest.mark.parametrize(
    "envelope",
    [
        None,
        [],
        "envelope",
        {},
        {**GOOD, "more": 1},
        {**GOOD, "payload": 7},
        {**GOOD, "payload": "!!!!"},
        {**GOOD, "payload": GOOD["payload"] + "\n"},
        {**GOOD, "payload": "A" * (dsse.MAX_PAYLOAD_BYTES * 2)},
        {**GOOD, "payloadType": None},
        {**GOOD, "signatures": {}},
        {**GOOD, "signatures": [None]},
        {**GOOD, "signatures": [{"sig": "AAAA"}]},
        {**GOOD, "signatures": [{"keyid": 1, "sig": "AAAA"}]},
        {**GOOD, "signatures": [{"keyid": "", "sig": 1}]},
        {**GOOD, "signatures": [{"keyid": "", "sig": "A" * 1000}]},
        {**GOOD, "signatures": GOOD["signatures"] * (dsse.MAX_SIGNATURES + 1)},
    ],
)
def test_an_envelope_of_another_form_is_refused(envelope):
    with pytest.raises(dsse.NotTrusted, match="rule"):
        dsse.open_envelope(envelope, TYPE, TRUSTED, 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@pytest.mark.property
@given(
    st.fixed_dictionaries({"payloadType": JSON, "payload": JSON, "signatures": JSON}) | JSON,
)
def test_whatever_json_comes_is_refused_and_nothing_else_happens(envelope):
    with pytest.raises(dsse.NotTrusted):
        dsse.open_envelope(envelope, TYPE, TRUSTED, 1)


def test_an_envelope_survives_json():
    envelope = json.loads(json.dumps(dsse.seal(TYPE, b"\x00\xff", [ONE])))
    assert dsse.open_envelope(envelope, TYPE, TRUSTED, 1) == b"\x00\xff"
