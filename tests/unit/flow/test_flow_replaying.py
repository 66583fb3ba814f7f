"""A decision is made again from the log alone, bit for bit; what differs, and why, is named."""

import dataclasses
import json
import os
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentienguard.flow import basis, policy_file, replaying
from sentienguard.model.anomaly import Ground
from sentienguard.model.decision import Decision, Route
from sentienguard.stages.decide import policy
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import effort, replay_centre
from tests.support.replay_centre import Facts

DISK = ("system.disk_usage_percent", "/var")
PRINTED = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60)
METRICS = sorted({(metric, subject) for metric, subject, _, _ in replay_centre.TABLE})


@pytest.fixture
def decided(tmp_path):
    """Return a decided incident of a full disk and the centre that decided it."""
    facts = Facts(verified=7)
    with replay_centre.opened(tmp_path / "centre", facts) as centre:
        wanted = replay_centre.incident(1, *DISK, facts)
        replay_centre.decide(centre, wanted)
        yield centre, wanted


def blob_of(centre, wanted, media_type):
    [entry] = [
        one.fields
        for one in centre.log.by_incident(wanted.id)
        if one.fields["kind"] == "decision.made"
    ]
    return next(one["sha256"] for one in entry["blobs"] if one["type"] == media_type)


def tampered(centre, sha256, change):
    """Let the log answer with other bytes for one blob."""
    real = centre.log.get_blob
    centre.log.get_blob = lambda name: change(real(name)) if name == sha256 else real(name)


def test_a_table_of_incidents_replays_in_another_process_under_another_hash_seed(tmp_path):
    def run(seed, what):
        words = [sys.executable, "-m", "tests.support.replay_centre", str(tmp_path), what]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    run("1", "decide")
    found = run("2", "replay")
    assert len(found) == len(replay_centre.TABLE)
    assert all(recorded == replayed for recorded, replayed, _ in found)
    assert {route for _, _, route in found} == {route.name for route in Route}


@pytest.mark.property
@settings(max_examples=effort.pick(20, thorough=2_000), deadline=None)
@given(
    where=st.sampled_from(METRICS),
    facts=st.builds(
        Facts,
        verified=st.integers(0, 30),
        failed=st.integers(0, 3),
        proven=st.sampled_from([0, 40]),
        starts=st.integers(0, 25),
        frozen=st.booleans(),
        silenced=st.booleans(),
        maintained=st.booleans(),
        vectors=st.booleans(),
        verified_runs_needed=st.integers(1, 20),
        texts=st.lists(PRINTED, max_size=4).map(tuple),
        recent=st.lists(st.floats(-1e12, 1e12), max_size=6).map(tuple),
    ),
    environment=st.sampled_from(["production", "drill", "nowhere"]),
    tags=st.dictionaries(st.sampled_from(["service", "maintenance"]), st.text(max_size=9)),
    ground=st.sampled_from(Ground),
)
def test_whatever_is_decided_replays_to_the_same_bytes(  # noqa: PLR0917  # drawn by name
    tmp_path_factory, where, facts, environment, tags, ground
):
    place = tmp_path_factory.mktemp("replay")
    facts = dataclasses.replace(facts)
    with replay_centre.opened(place, facts) as centre:
        wanted = replay_centre.incident(
            1, *where, facts, environment=environment, tags=tags, ground=ground
        )
        replay_centre.decide(centre, wanted)
        found = replay_centre.replay(centre, wanted)
        assert found.is_identical, found.differences
        assert (found.differences, found.notes) == ((), ())


def test_a_field_that_was_changed_is_shown_with_both_values(decided):
    centre, wanted = decided

    def change(stored):
        made = msgspec.json.decode(stored, type=Decision)
        other = dataclasses.replace(made, route=Route.ASK, playbook="another_one")
        return msgspec.json.encode(other, order="deterministic")

    tampered(centre, blob_of(centre, wanted, basis.DECISION_TYPE), change)
    found = replay_centre.replay(centre, wanted)
    assert not found.is_identical
    shown = {one.field: (one.recorded, one.replayed) for one in found.differences}
    assert shown["route"][0] == "ASK"
    assert shown["route"][1] == found.decision.route.name != "ASK"
    assert shown["playbook"] == ("another_one", found.decision.playbook)
    assert set(shown) == {"route", "playbook"}
    assert "not the one in the audit log" in found.notes[0]


@pytest.mark.parametrize(
    ("field", "change", "seen"),
    [
        ("records", lambda one: {key: dataclasses.replace(record, harmful=2)
                                 for key, record in one.records.items()}, "earned_autonomy"),
        ("circumstances", lambda one: dataclasses.replace(one.circumstances, frozen=True),
         "freeze"),
        ("settings", lambda one: dataclasses.replace(one.settings, autonomy_successes=50),
         "earned_autonomy"),
    ],
)  # fmt: skip
def test_every_part_of_the_basis_counts(decided, field, change, seen):
    centre, wanted = decided

    def other(stored):
        read = basis.read(stored)
        return basis.write(dataclasses.replace(read, **{field: change(read)}))

    tampered(centre, blob_of(centre, wanted, basis.BASIS_TYPE), other)
    found = replay_centre.replay(centre, wanted)
    assert not found.is_identical
    rules = [one.rule for one in found.decision.verdicts]
    changed = {one.field.split(".")[1] for one in found.differences if "verdicts" in one.field}
    assert seen in {rules[int(at)] for at in changed}


def test_the_vectors_count_and_no_model_is_asked(tmp_path):
    facts = Facts(vectors=True)
    with replay_centre.opened(tmp_path, facts) as centre:
        wanted = replay_centre.incident(1, "service.up", "web", facts)
        replay_centre.decide(centre, wanted)
        centre.meanings.library = centre.meanings.question = None
        found = replay_centre.replay(centre, wanted)
        assert found.is_identical
        assert found.decision.embedding_model == centre.meanings.model
        tampered(centre, blob_of(centre, wanted, basis.BASIS_TYPE), lambda stored: basis.write(
            dataclasses.replace(basis.read(stored), vector=basis.write_vector([0.0] * 256))
        ))  # fmt: skip
        assert not replay_centre.replay(centre, wanted).is_identical


def test_what_is_another_version_today_is_named_though_the_bytes_are_the_same(decided):
    centre, wanted = decided
    centre.settings.verified_runs_needed = 9
    centre.meanings = replay_centre.Meanings()
    centre.library.shelved = centre.library.shelved[1:]
    found = replaying.Replaying(centre, {"release": "2", "code": "sha256:c"}).replay(wanted)
    assert found.is_identical
    changes = {one.what: (one.recorded, one.today) for one in found.changes}
    gone = replay_centre.PLAYBOOKS[0][0]
    assert changes.pop("library")[0].startswith(f"{gone.name} {gone.version}")
    assert changes == {
        "release": ("1", "2"),
        "policy earned_autonomy.autonomy_successes": ("5", "9"),
        "embedding model": ("(nothing)", "hashed-words"),
    }


def test_another_code_is_named_and_what_it_decides_otherwise_is_shown(decided, monkeypatch):
    centre, wanted = decided
    rules = policy.RULES[:-1]
    monkeypatch.setattr(policy, "RULES", rules)
    found = replaying.Replaying(centre, {"release": "1", "code": "sha256:d"}).replay(wanted)
    assert not found.is_identical
    assert {one.what for one in found.changes} == {"code", "policy rules"}
    [difference] = found.differences
    assert difference.field == f"verdicts.{len(rules)}"
    assert difference.replayed == "(nothing)"


def test_a_record_that_was_not_asked_for_then_counts_as_none_and_is_said(decided):
    centre, wanted = decided
    empty = {"records": {}}
    tampered(centre, blob_of(centre, wanted, basis.BASIS_TYPE), lambda stored: basis.write(
        dataclasses.replace(basis.read(stored), **empty)
    ))  # fmt: skip
    found = replay_centre.replay(centre, wanted)
    assert found.decision.route < Route.RUN
    assert "counts as having none" in found.notes[0]


def test_what_cannot_be_replayed_says_why(decided):
    centre, wanted = decided
    centre.log.erase_blob(blob_of(centre, wanted, basis.LIBRARY_TYPE))
    with pytest.raises(replaying.NotReplayable, match="erased"):
        replay_centre.replay(centre, wanted)
    other = dataclasses.replace(wanted, id="inc_20260101_000000_00000000")
    with pytest.raises(replaying.NoSuchDecision):
        replay_centre.replay(centre, other)


def test_a_decision_of_before_the_basis_was_kept_says_so(decided):
    centre, wanted = decided
    entries = [
        {**one.fields, "blobs": one.fields["blobs"][:1]}
        for one in centre.log.by_incident(wanted.id)
    ]
    centre.log.by_incident = lambda _: [type("Entry", (), {"fields": one}) for one in entries]
    with pytest.raises(replaying.NotReplayable, match="decisions made since"):
        replay_centre.replay(centre, wanted)


def test_after_a_crash_between_log_and_store_the_log_s_decision_stands(tmp_path):
    facts = Facts(verified=7)
    with replay_centre.opened(tmp_path, facts) as centre:
        wanted = replay_centre.incident(1, *DISK, facts)
        keep, centre.incidents.put_decision = centre.incidents.put_decision, lambda _: 1 / 0
        with pytest.raises(ZeroDivisionError):
            replay_centre.decide(centre, wanted)
        centre.incidents.put_decision = keep
        facts.frozen = True  # what is decided anew would come out otherwise
        replay_centre.decide(centre, wanted)
        found = replay_centre.replay(centre, wanted)
        assert found.is_identical
        assert found.notes == ()
        assert centre.incidents.decision(wanted.id).route is found.decision.route
        assert found.decision.route is not Route.ESCALATE


@pytest.mark.parametrize(
    ("document", "route", "rules"),
    [
        ({"confidence": {"run_from": 0.9}}, Route.RUN, {"confidence"}),
        ({"confidence": {"run_from": 1.0, "run_and_verify_from": 1.0, "ask_from": 0.8}},
         Route.ASK, {"confidence"}),
        ({"earned_autonomy": {"autonomy_successes": 8}}, Route.ASK, {"earned_autonomy"}),
        ({"circuit_breaker": {"breaker_failures": 0}}, Route.ESCALATE, {"circuit_breaker"}),
        ({"service_budget": {"service_starts_per_hour": 0}}, Route.ASK, {"service_budget"}),
        ({"fleet_budget": {"fleet_starts_per_hour": 0}}, Route.ESCALATE, {"fleet_budget"}),
        ({"earned_autonomy": {"autonomy_successes": 7}}, Route.RUN_AND_VERIFY, set()),
    ],
)  # fmt: skip
def test_another_policy_shows_rule_by_rule_what_it_changes(decided, document, route, rules):
    centre, wanted = decided
    found = replay_centre.replay(centre, wanted, document)
    assert found.is_identical
    assert found.decision.route is Route.RUN_AND_VERIFY
    under = found.what_if
    assert under.decision.route is route
    moved = {one.rule for one in under.rules if one.recorded.route != one.under.route}
    assert moved == rules
    assert [one.rule for one in under.rules] == [one.__name__ for one in policy.RULES]
    assert under.decision.candidates == found.decision.candidates


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "expected rules"),
        ([], "expected rules"),
        ({}, "expected rules"),
        ({"risk": {"critical": "run"}}, "nothing to set"),
        ({"freeze": {}}, "nothing to set"),
        ({"vibes": {"good": 1}}, "no rule"),
        ({7: {}}, "no rule"),
        ({"confidence": 0.9}, "expected run_from"),
        ({"confidence": {"walk_from": 0.9}}, "no setting"),
        ({"confidence": {"run_from": 1.2}}, "0 to 1"),
        ({"confidence": {"run_from": float("nan")}}, "0 to 1"),
        ({"confidence": {"run_from": "high"}}, "expected a number"),
        ({"confidence": {"run_from": True}}, "expected a number"),
        ({"confidence": {"ask_from": 0.99}}, "each band below"),
        ({"earned_autonomy": {"autonomy_successes": -1}}, "whole number"),
        ({"earned_autonomy": {"autonomy_successes": 2.5}}, "whole number"),
        ({"earned_autonomy": {"drill_environment": ""}}, "expected a name"),
    ],
)
def test_what_is_no_policy_is_refused(document, says):
    with pytest.raises(policy_file.PolicyWrong, match=says):
        policy_file.apply(document, DecideSettings())


def test_every_setting_of_the_policy_can_be_asked_about():
    named = [name for names in policy_file.SETTINGS.values() for name in names]
    assert sorted(named) == sorted(field.name for field in dataclasses.fields(DecideSettings))


@pytest.mark.parametrize("read", [basis.read, basis.read_library, basis.read_vectors])
@pytest.mark.parametrize("stored", [b"", b"{}", b"[]", b'{"playbooks": {"sha256:0": "name: x"}}'])
def test_damage_is_told(read, stored):
    with pytest.raises(basis.BasisDamaged):
        read(stored)


def test_a_playbook_that_is_not_the_signed_one_is_damage():
    [one, other] = replay_centre.PLAYBOOKS[:2]
    with pytest.raises(basis.BasisDamaged, match="has the digest"):
        basis.read_library(basis.write_library({one[0].digest: other[1]}))


def test_what_a_later_release_added_does_not_keep_an_earlier_basis_from_being_read():
    whole = basis.Basis(DecideSettings(), replay_centre.cases.CLEAR, {})
    told = json.loads(basis.write(whole))
    for name in ("vector", "versions", "v"):
        del told[name]
    del told["circumstances"]["silenced"]
    assert basis.read(json.dumps({**told, "later": 1}).encode()) == whole
