"""The form of an entry, member by member: what is accepted, what is refused, what its end says."""

import base64
import dataclasses
import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_log
from sentienguard.stages.audit import entry
from sentienguard.trust import canonical

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/audit-log.md"
NAME = "agent:4f5a3c1e"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHA256 = "ab" * 32
SIGNATURE = bytes(range(64))
FACT = audit_log.NewEntry(
    kind="step.done",
    at=EPOCH + timedelta(days=20_000, microseconds=7_999),
    environment="production",
    source=NAME,
    actor="executor",
    key="step/1",
    incident=IncidentId("inc_20260212_112600_a8f3b2c1"),
    data={"of": ["a", 1, True]},
    blobs=(audit_log.BlobRef(SHA256, 0, "text/plain"),),
)
MEMBERS = {
    "v": 1,
    "kind": "step.done",
    "ts_ms": 20_000 * 86_400_000 + 7,
    "env": "production",
    "src": NAME,
    "src_seq": 1,
    "src_prev": "",
    "actor": "executor",
    "incident": "inc_20260212_112600_a8f3b2c1",
    "key": "step/1",
    "controls": [
        "soc2_cc8.1",
        "soc2_cc7.4",
        "iso_a.8.32",
        "hipaa_164.312.b",
        "iso_a.8.15",
        "pci_dss_requirement_10",
    ],
    "data": {"of": ["a", 1, True]},
    "blobs": [{"sha256": SHA256, "len": 0, "type": "text/plain"}],
}
BLOB = MEMBERS["blobs"][0]


def leaf(**changed):
    return canonical.encode(MEMBERS | changed)


def padded(length):
    """Make the members of an entry of so many bytes."""
    room = length - len(leaf(data={"text": ""}))
    return {"data": {"text": "x" * room}}


def spoken(source=None, **changed):
    return (source or entry.Source(NAME)).next(dataclasses.replace(FACT, **changed))


# --- kinds


def test_kinds_are_those_of_the_published_table():
    page = PAGE.read_text(encoding="utf-8").partition("## Kinds")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z._]+)` \| ([a-z, ]+) \| (.+) \|$", page, re.MULTILINE)
    published = {
        kind: (set(sources.split(", ")), set(re.findall(r"`([^`]+)`", controls)))
        for kind, sources, controls in rows
    }
    known = {name: (set(kind.sources), set(kind.controls)) for name, kind in entry.KINDS.items()}
    assert known == published


# --- writing


def test_what_is_written_are_the_canonical_bytes_of_the_members():
    written, after = spoken()
    assert written == leaf()
    assert after == entry.Source(NAME, 1, hashlib.sha256(written).hexdigest())


def test_a_source_goes_on_from_where_it_stands():
    first, state = spoken()
    second, after = spoken(state, key="step/2")
    prev = hashlib.sha256(first).hexdigest()
    assert second == leaf(src_seq=2, src_prev=prev, key="step/2")
    assert after == entry.Source(NAME, 2, hashlib.sha256(second).hexdigest())


def test_without_an_incident_and_without_blobs_the_members_are_empty():
    written, _ = spoken(incident=None, blobs=())
    assert written == leaf(incident="", blobs=[])


def test_the_first_moment_is_the_epoch():
    assert spoken(at=EPOCH)[0] == leaf(ts_ms=0)
    with pytest.raises(audit_log.EntryRefused, match="ts_ms"):
        spoken(at=EPOCH - timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("changed", "member"),
    [
        ({"environment": "pro duction"}, "env"),
        ({"environment": "e" * 65}, "env"),
        ({"actor": "a\n"}, "actor"),
        ({"actor": "a" * 201}, "actor"),
        ({"incident": "inc 1"}, "incident"),
        ({"incident": "i" * 65}, "incident"),
        ({"key": ""}, "key"),
        ({"key": "k" * 257}, "key"),
        ({"kind": "of.tomorrow"}, "unknown kind"),
        ({"kind": "decision.made"}, "is said by"),
        ({"data": {"value": 94.8}}, "entry: "),
        ({"data": {"text": "\ud800"}}, "entry: "),
        ({"actor": "\ud800"}, "entry: "),
        ({"blobs": (audit_log.BlobRef("abc", 1, "text/plain"),)}, "a blob is"),
        ({"blobs": (audit_log.BlobRef(SHA256, 1, "text/plain"),) * 17}, "at most 16"),
        ({"data": {"text": "x" * entry.MAX_BYTES}}, "use a blob"),
    ],
)
def test_nothing_is_written_that_would_not_be_read(changed, member):
    with pytest.raises(audit_log.EntryRefused, match=member):
        spoken(**changed)


@pytest.mark.parametrize("source", ["root", "user:a b", 'user:"', "agent:", "cp "])
def test_a_source_has_a_name_of_the_form(source):
    with pytest.raises(audit_log.EntryRefused, match="src is"):
        spoken(entry.Source(source))


@pytest.mark.parametrize("bound", [4096])
def test_an_entry_has_at_most_4096_bytes_whether_written_or_read(bound):
    written, _ = spoken(**padded(bound))
    assert len(written) == bound
    assert entry.read(written)["key"] == "step/1"
    with pytest.raises(audit_log.EntryRefused, match="at most 4096 bytes, this one 4097"):
        spoken(**padded(bound + 1))
    with pytest.raises(audit_log.EntryRefused, match="at most 4096 bytes, this one 4097"):
        entry.read(leaf(**padded(bound + 1)))


def test_what_is_stored_with_its_signature_has_at_most_4096_bytes():
    more = len(entry.with_signature(leaf(), SIGNATURE)) - len(leaf())
    fits = entry.with_signature(leaf(**padded(4096 - more)), SIGNATURE)
    assert len(fits) == 4096
    with pytest.raises(audit_log.EntryRefused, match="at most 4096"):
        entry.with_signature(leaf(**padded(4097 - more)), SIGNATURE)


# --- reading


def test_every_member_of_an_entry_is_read():
    assert entry.read(leaf()) == MEMBERS


@pytest.mark.parametrize(
    "changed",
    [
        {"env": ""},
        {"env": "A-z_0.9*"},
        {"actor": ""},
        {"incident": ""},
        {"key": "k" * 256},
        {"src_prev": "0f" * 32},
        {"src_seq": canonical.MAX_INTEGER, "ts_ms": canonical.MAX_INTEGER},
        {"src_seq": 0, "ts_ms": 0},
        {"controls": []},
        {"controls": ["iso_b.1-(x)"]},
        {"data": {}},
        {"blobs": []},
        {"blobs": [BLOB] * 16},
        {"blobs": [BLOB | {"len": 2**40, "type": "application/vnd.x+json"}]},
    ],
)
def test_what_has_the_form_is_read(changed):
    assert entry.read(leaf(**changed)) == MEMBERS | changed


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"more": 1}, "unknown members"),
        ({"v": 0}, "format version 1"),
        ({"v": 2}, "format version 1"),
        ({"v": True}, "format version 1"),
        ({"v": "1"}, "format version 1"),
        *(({name: 5}, f"{name} is '5'") for name in entry._PATTERNS),
        *(({name: "\n"}, f"{name} is") for name in entry._PATTERNS),
        ({"src": "cp"}, "is said by"),
        ({"src_prev": "0F" * 32}, "src_prev is"),
        ({"kind": "of.tomorrow"}, "unknown kind"),
        ({"kind": ["step.done"]}, "unknown kind"),
        *(
            ({name: value}, f"{name} is .* expected a count")
            for name in ("ts_ms", "src_seq")
            for value in (-1, True, False, "1", None, [])
        ),
        ({"data": []}, "data is not an object"),
        ({"data": None}, "data is not an object"),
        ({"controls": "soc2_cc8.1"}, "controls is"),
        ({"controls": {}}, "controls is"),
        ({"controls": ["SOC 2"]}, "controls is"),
        ({"controls": [1]}, "controls is"),
        ({"controls": ["soc2_cc8.1", None]}, "controls is"),
        ({"blobs": {}}, "blobs is not a list"),
        ({"blobs": [BLOB] * 17}, "at most 16"),
        ({"blobs": [1]}, "a blob is"),
        ({"blobs": [BLOB, "x"]}, "a blob is"),
        ({"blobs": [BLOB | {"more": 1}]}, "a blob is"),
        *(
            ({"blobs": [{member: BLOB[member] for member in BLOB if member != left_out}]}, "a blob")
            for left_out in BLOB
        ),
        ({"blobs": [BLOB | {"len": True}]}, "a blob is"),
        ({"blobs": [BLOB | {"sha256": 5}]}, "a blob is"),
        ({"blobs": [BLOB | {"sha256": "AB" * 32}]}, "a blob is"),
        ({"blobs": [BLOB | {"sha256": "ab" * 33}]}, "a blob is"),
        ({"blobs": [BLOB | {"len": "0"}]}, "a blob is"),
        ({"blobs": [BLOB | {"len": -1}]}, "a blob is"),
        ({"blobs": [BLOB | {"type": 5}]}, "a blob is"),
        ({"blobs": [BLOB | {"type": "text"}]}, "a blob is"),
    ],
)
def test_what_has_another_form_is_refused(changed, message):
    with pytest.raises(audit_log.EntryRefused, match=message):
        entry.read(leaf(**changed))


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_no_member_may_be_missing(name):
    rest = {member: value for member, value in MEMBERS.items() if member != name}
    with pytest.raises(audit_log.EntryRefused, match=f"missing members .'{name}'."):
        entry.read(canonical.encode(rest))


@pytest.mark.parametrize("given", [b"", b"junk", b"[]", leaf() + b" ", leaf()[:-1]])
def test_what_is_no_canonical_object_is_no_entry(given):
    with pytest.raises(audit_log.EntryRefused, match=r"^entry: "):
        entry.read(given)


# --- the end of what is stored


def test_the_end_says_who_spoke_and_after_what():
    written, _ = spoken(entry.Source(NAME, 41, SHA256))
    assert entry.tail(written) == entry.Tail(NAME, SHA256, 42, written, None)


def test_the_end_of_what_is_signed_gives_back_what_was_signed():
    written, _ = spoken()
    stored = entry.with_signature(written, SIGNATURE)
    assert canonical.decode(stored)["src_sig"] == base64.b64encode(SIGNATURE).decode()
    assert entry.tail(stored) == entry.Tail(NAME, "", 1, written, SIGNATURE)


def test_only_the_end_is_looked_at_and_something_has_to_stand_before_it():
    end = leaf()[leaf().rindex(b',"src":') :]
    assert entry.tail(b"{" + end).source == NAME
    assert entry.tail(end) is None


@pytest.mark.parametrize(
    "stored", [b"", b"{}", leaf() + b" ", leaf()[:-1], leaf(v=2), leaf(src='"'), leaf(src_prev="X")]
)
def test_what_does_not_end_as_an_entry_is_none_of_ours(stored):
    assert entry.tail(stored) is None


@pytest.mark.parametrize(
    ("source", "family"), [("cp", "cp"), (NAME, "agent"), ("user:a:b", "user")]
)
def test_a_source_belongs_to_the_family_before_the_colon(source, family):
    assert entry.family(source) == family
