"""Bugs put in on purpose: each is found within the gate, by the rule that it breaks."""

import pytest

from sentienguard.simulation import planted, world
from tests.support import effort

SEEDS = 300  # the gate; more is never looked at

RULES = {
    "release_without_unique_key": {"I1"},
    "known_orders_admitted": {"I1", "I9", "I5"},
    "begun_after_the_effect": {"I3"},
    "begun_unsynced": {"I9"},
    "intent_not_synced": {"I3"},
    "intent_not_written": {"I3"},
    "released_without_intent": {"I3"},
    "acknowledged_before_sync": {"I2"},
    "failed_sync_retried": {"I2"},
    "checkpoint_before_durable": {"I7"},
    "nonce_reusable": {"I6"},
    "numbers_unchecked": {"I6"},
    "number_mark_forgotten": {"I6"},
    "budget_unchecked": {"I6"},
    "budget_forgotten": {"I6"},
    "resume_runs_it_again": {"I1"},
    "undone_twice": {"I8"},
    "failed_verification_passes": {"I9"},
    "failure_untold": {"I9"},
    "event_skipped": {"I2"},
    "events_forgotten_when_sent": {"I2"},
    "second_answer_counts": {"I6"},
    "late_answer_counts": {"I6"},
    "answers_not_followed": {"I4"},
    "withdrawn_after_delivery": {"I6"},
    "meet_takes_the_most": {"I6"},
    "rule_missing": {"I6"},
    "freeze_ignored": {"I6"},
    "stop_ignored": {"I6"},
    "old_catalogue_accepted": {"I6"},
    "growth_unproven": {"I7"},
    "wait_without_end": {"I4"},
    "one_intent_for_an_incident": {"I3"},
}


def test_every_planted_bug_has_its_rule():
    assert set(RULES) == set(planted.BUGS)
    assert len(RULES) >= 20


@pytest.mark.timeout(effort.pick(120, thorough=300))
@pytest.mark.parametrize("name", sorted(RULES))
def test_a_planted_bug_is_found_within_the_gate(name):
    found = planted.hunt(name, range(SEEDS), world.SHORT)
    assert found is not None, f"{name} was not found in {SEEDS} seeds"
    assert {one.rule for one in found.violations} & RULES[name]


def test_a_planted_bug_is_gone_afterwards():
    with planted.BUGS["undone_twice"]():
        pass
    assert not world.World(1, world.SHORT).run().violations
