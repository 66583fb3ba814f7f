"""What may be tried after a host ruled a remedy out: listed before, matching now, never more."""

import dataclasses
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentienguard.model.decision import Route
from sentienguard.model.ids import OrderId
from sentienguard.model.order import NOTHING_TO_REMOVE
from sentienguard.playbook import kinds
from sentienguard.simulation import remedies
from sentienguard.stages.decide import decide, evidence, further, matching, meaning
from sentienguard.stages.decide.facts import Before, Circumstances, RuledOut, TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.observe import payload
from tests.support import effort
from tests.support.replay_centre import PLAYBOOKS, Facts, incident

LIBRARY = matching.Library([one for one, _ in PLAYBOOKS])
TRUSTED = TrackRecord(verified=40)
OPEN = Circumstances(known_environments=frozenset({"drill", "production"}), audit_healthy=True)
CIRCUMSTANCES = frozenset({"concurrency_check", "dependencies", "maintenance", "resources",
                           "tag_check"})  # fmt: skip


def known():
    facts = Facts()
    found = incident(1, "system.disk_usage_percent", "/var", facts)
    sample = payload.parse(facts.sample_text.encode())
    return evidence.assemble(
        found, found.opened_at, sample=sample, recent=(), similar=(), log_lines=()
    )


KNOWN = known()


def decided(circumstances=OPEN, record=TRUSTED):
    return decide.decide(KNOWN, LIBRARY, lambda _: record, circumstances, DecideSettings())


def after(made, *, stands=True, at_most=None, out=None):
    gone = out or [made.candidates[0]]
    return Before(
        tuple(RuledOut(one.playbook, one.digest, OrderId(f"ord_{one.playbook}")) for one in gone),
        tuple(one.digest for one in made.candidates),
        made.route if at_most is None else at_most,
        stands,
    )


def again(before, circumstances=OPEN):
    return decided(dataclasses.replace(circumstances, before=before))


def test_the_next_that_matches_is_chosen_and_what_was_ruled_out_is_no_candidate():
    first = decided()
    second = again(after(first))
    assert second.playbook in {one.playbook for one in first.candidates}
    assert first.playbook not in {one.playbook for one in second.candidates}


def test_what_was_not_listed_before_is_no_candidate():
    first = decided()
    before = dataclasses.replace(after(first), listed=(first.candidates[0].digest,))
    assert again(before).playbook is None
    assert again(before).route is Route.ESCALATE


@pytest.mark.parametrize("at_most", list(Route))
def test_it_permits_no_more_than_the_decision_before_and_the_centre_looks_itself(at_most):
    verdict = further.at_most(after(decided(), at_most=at_most))
    assert verdict.route == min(at_most, Route.RUN_AND_VERIFY)
    assert again(after(decided(), at_most=at_most)).route <= verdict.route


def test_where_the_symptom_is_gone_people_hear_of_it():
    assert again(after(decided(), stands=False)).route is Route.ESCALATE


@settings(max_examples=effort.pick(30, thorough=1_000), deadline=None)
@given(
    circumstances=st.builds(
        Circumstances,
        known_environments=st.just(OPEN.known_environments),
        frozen=st.booleans(),
        audit_healthy=st.booleans(),
        maintenance=st.booleans(),
        silenced=st.booleans(),
        fleet_starts_last_hour=st.integers(0, 25),
    ),
    taken=st.integers(1, 4),
)  # fmt: skip
def test_every_rule_judges_it_as_it_judges_a_first_one(circumstances, taken):
    first = decided()
    found = again(after(first, out=first.candidates[:taken]), circumstances)
    now = circumstances
    forbidden = now.frozen or now.maintenance or now.silenced or not now.audit_healthy
    forbidden = forbidden or now.fleet_starts_last_hour >= DecideSettings().fleet_starts_per_hour
    assert not forbidden or found.route is Route.ESCALATE
    rules = [one.rule for one in first.verdicts if one.rule != "untrusted_text"]
    assert [one.rule for one in found.verdicts][: len(rules)] == rules
    assert found.verdicts[-1].rule == further.RULE


def test_it_is_left_only_where_another_one_matched():
    first = decided()
    assert further.is_left(first)
    alone = dataclasses.replace(first, candidates=first.candidates[:1])
    near = dataclasses.replace(first.candidates[1], score=0.59)
    assert not further.is_left(alone)
    assert not further.is_left(dataclasses.replace(alone, candidates=(alone.candidates[0], near)))


def test_every_kind_of_check_measures_or_is_about_circumstances():
    assert set(kinds.CHECKS) == further.MEASURING | CIRCUMSTANCES
    assert not further.MEASURING & CIRCUMSTANCES


@pytest.mark.parametrize("kind", sorted(kinds.CHECKS))
def test_only_a_check_that_measures_rules_a_remedy_out(kind):
    one = SimpleNamespace(name="it", kind=kind)
    playbook = SimpleNamespace(pre_checks=(one,))
    assert further.measured(playbook, ["it"], "pre-check it failed") == (kind in further.MEASURING)
    assert not further.measured(playbook, ["it", "another"], "pre-check another failed")


@pytest.mark.parametrize(
    ("reason", "is_measured"),
    [
        (f"{NOTHING_TO_REMOVE}: no file fits any of its steps", True),
        ("the executor was cut off before the first step; nothing was done", False),
        ("stopped by kim before the first step", False),
        ("", False),
    ],
)
def test_without_a_failed_check_only_nothing_to_remove_does(reason, is_measured):
    assert further.measured(PLAYBOOKS[0][0], [], reason) is is_measured


def test_the_cap_of_a_first_candidate_is_judged_anew_for_the_next():
    library = matching.Library(remedies.signed().parsed)
    query = meaning.of_evidence(KNOWN)
    ranked = library.rank(query)
    out = (RuledOut(ranked[0].playbook, ranked[0].digest, OrderId("o")),)
    listed = tuple(one.digest for one in ranked)
    before = Before(out, listed, Route.RUN, symptom_stands=True)
    rest = further.remaining(ranked, before, library, query, None)
    assert [one.digest for one in rest] == [one.digest for one in ranked[1:]]
