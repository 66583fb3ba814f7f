import json
import subprocess
import sys

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.trust import canonical

KEYS = st.from_regex(r"\A[A-Za-z0-9_.:/@\-]{1,12}\Z")
INTEGERS = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.property
@given(VALUES)
def test_it_writes_the_bytes_that_rfc_8785_asks_for(value):
    assert canonical.encode(value) == rfc8785.dumps(value)


@pytest.mark.property
@given(VALUES)
def test_what_was_written_reads_back_as_the_same_value(value):
    assert canonical.decode(canonical.encode(value)) == value


@pytest.mark.property
@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_and_nothing_else_happens(data):
    try:
        value = canonical.decode(data)
    except canonical.NotCanonical:
        return
    assert canonical.encode(value) == data


@pytest.mark.property
@given(VALUES.map(canonical.encode), st.data())
def test_a_changed_byte_never_reads_as_the_same_value(data, draw):
    at = draw.draw(st.integers(0, len(data) - 1))
    changed = bytearray(data)
    changed[at] ^= draw.draw(st.integers(1, 255))
    try:
        value = canonical.decode(bytes(changed))
    except canonical.NotCanonical:
        return
    assert canonical.encode(value) == bytes(changed) != data


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b"1.0",
        b"1e3",
        b"-0",
        b"01",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"-9007199254740992",
        b"1" * 5000,
        b'{"":1}',
        b'{"k y":1}',
        b'{"\xc3\xa9":1}',
        b'{"' + b"k" * 129 + b'":1}',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\xff"',
        b'"a\x01"',
        b"\xef\xbb\xbf1",
        '"a"'.encode("utf-16"),
        b"",
        b"1 2",
        b"[" * 34 + b"]" * 34,
        b"[" * 100_000,
    ],
)
def test_bytes_in_another_form_are_refused(data):
    with pytest.raises(canonical.NotCanonical):
        canonical.decode(data)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (1.5, "float"),
        ({"a": [{"b": 94.8}]}, "value['a'][0]['b']: a float"),
        ({"list": [1, 2**53]}, "value['list'][1]"),
        ({"a": {"not fine": 1}}, "value['a']: key 'not fine'"),
        ({1: 2}, "key 1"),
        ("\ud800", "Unicode"),
        ({"a": {1, 2}}, "set"),
        (b"bytes", "bytes"),
    ],
)
def test_a_value_without_a_canonical_form_is_refused_by_name(value, named):
    with pytest.raises(canonical.NotCanonical, match=r".") as refused:
        canonical.encode(value)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("depth", "accepted"), [(canonical.MAX_DEPTH, True), (canonical.MAX_DEPTH + 2, False)]
)
def test_nesting_is_bounded_in_both_directions(depth, accepted):
    nested = []
    for _ in range(depth):
        nested = [nested]
    data = json.dumps(nested, separators=(",", ":")).encode()
    if accepted:
        assert canonical.decode(data) == nested
        return
    with pytest.raises(canonical.NotCanonical):
        canonical.encode(nested)
    with pytest.raises(canonical.NotCanonical):
        canonical.decode(data)


def test_an_object_is_asked_for_and_a_list_is_refused():
    assert canonical.decode_object(b'{"a":1}') == {"a": 1}
    with pytest.raises(canonical.NotCanonical, match="object"):
        canonical.decode_object(b"[]")


@pytest.mark.parametrize("module", ["canonical", "freshness", "pins"])
def test_the_collector_loads_these_without_a_cryptography_library(module):
    code = (
        f"import sys, sentienguard.trust.{module}\n"
        "assert not [name for name in sys.modules if name.startswith('cryptography')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_duplicate_member_is_named_as_what_it_is():
    with pytest.raises(canonical.NotCanonical, match="same key twice"):
        canonical.decode(b'{"a":1,"a":1}')
