"""Names become pseudonyms where an entry names people, and nowhere else."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.ports.audit_log import NewEntry, StoredEntry
from sentienguard.stages.audit import people
from sentienguard.trust import pseudonym

KEY = bytes(range(32))
ANN, BO, WEB = "ann@local", "bo", "web"
KNOWN = {name: pseudonym.of(KEY, name) for name in (ANN, BO, WEB, "Zoë König", "ann")}
NAMES = {stands_for: name for name, stands_for in KNOWN.items()}


def entry(actor="sentienguard", key="k", **data):
    return NewEntry(
        kind="incident.noted", at=datetime(2026, 4, 1, tzinfo=UTC), environment="", source="cp",
        actor=actor, key=key, data=data,
    )  # fmt: skip


def hidden(**given_):
    return people.Hider(KNOWN).hidden(entry(**given_))


def test_the_hash_is_the_one_that_is_documented():
    expected = hmac.new(KEY, b"sentienguard person v1\0ann@local", hashlib.sha256).hexdigest()
    assert pseudonym.of(KEY, ANN) == f"person_{expected[:32]}"
    assert pseudonym.of_stranger(KEY, ANN) == f"stranger_{expected[:32]}"


def test_actor_key_and_members_that_name_people_lose_the_name():
    found = hidden(actor=ANN, key=f"apr_1/agreed/{ANN}/17", user=BO, to=ANN, via=ANN)
    assert found.actor == KNOWN[ANN]
    assert found.key == f"apr_1/agreed/{KNOWN[ANN]}/17"
    assert found.data == {"user": KNOWN[BO], "to": KNOWN[ANN], "via": KNOWN[ANN]}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("ann@local was here", "{ann@local} was here"),
        ("by ann@local.", "by {ann@local}."),
        ("(ann@local), web", "({ann@local}), {web}"),
        ("Zoë König and ann", "{Zoë König} and {ann}"),
        ("ann@local, bo", "{ann@local}, bo"),  # two letters are in every text
        (
            "annual@local joann@local ann@local.example",
            "annual@local joann@local ann@local.example",
        ),
        ("web-1 x.web.example web", "web-1 x.web.example {web}"),
        ("bo", "{bo}"),  # stands alone
    ],
)
def test_a_text_loses_a_name_that_is_a_word_of_its_own(said, kept):
    for name, stands_for in KNOWN.items():
        kept = kept.replace(f"{{{name}}}", stands_for)
    assert hidden(note=said).data == {"note": kept}


def test_members_of_other_names_stay_whatever_they_hold():
    data = {"host": WEB, "playbook": "ann", "parameters": {"user": ANN}, "user": 7, "note": ["web"]}
    assert hidden(**data).data == data


@given(
    st.dictionaries(
        st.sampled_from([*people.NAMED, *people.TEXTS, "host"]),
        st.lists(st.sampled_from([*KNOWN, " ", ".", "-", "x", "\n", "person_", "🙂"])).map("".join),
    ),
    st.sampled_from([*KNOWN, "sentienguard", "agt_1", ""]),
)
def test_what_was_hidden_is_shown_again_and_nothing_else_changes(data, actor):
    kept = hidden(actor=actor, **data)
    fields = {"src": "cp", "actor": kept.actor, "data": dict(kept.data), "key": kept.key}
    shown = people.shown(fields, lambda: NAMES)
    assert (shown["actor"], shown["data"]) == (actor, data)


def test_a_pseudonym_that_is_nobodys_any_more_stays():
    fields = {"src": "cp", "actor": KNOWN[ANN], "data": {"to": KNOWN[BO]}}
    assert people.shown(fields, dict) == fields


def test_what_a_host_signed_is_shown_as_it_signed_it():
    fields = {"src": "agent:1", "actor": KNOWN[ANN], "data": {"note": KNOWN[ANN]}}
    assert people.shown(fields, lambda: NAMES) == fields


def test_an_entry_shows_names_and_keeps_the_bytes_that_are_proven():
    stored = json.dumps({"src": "cp", "actor": KNOWN[ANN], "data": {}}).encode()
    plain = StoredEntry(1, stored)
    named = StoredEntry(1, stored, lambda found: people.shown(found, lambda: NAMES))
    assert plain.fields["actor"] == KNOWN[ANN]
    assert named.fields["actor"] == ANN
    assert (named.stored, named) == (stored, plain)
