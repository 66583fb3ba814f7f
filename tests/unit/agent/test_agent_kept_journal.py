"""The mark by which a missing journal is noticed, and who begins one anew."""

import pytest

from sentienguard.agent import executor_state, kept_journal
from sentienguard.model import ids
from sentienguard.ports import execution_journal

ONE, OTHER = (ids.AgentId(f"{n * 8}-2222-4333-8444-555555555555") for n in "19")


def opened(home, agent=ONE):
    state = executor_state.ExecutorState(home / "state.json")
    return kept_journal.KeptJournal(home, agent, state)


def begun(home, agent=ONE):
    kept = opened(home, agent)
    kept.file.append([{"t": "start", "of": agent}], durable=True)
    kept.begun()
    kept.file.close()


def test_a_first_start_that_was_cut_off_can_be_made_again(tmp_path):
    kept = opened(tmp_path)
    kept.begun()  # it holds nothing that could be missed
    kept.file.close()
    (tmp_path / kept_journal.FILE).unlink()
    assert opened(tmp_path).file.empty


def test_a_marked_journal_is_missed(tmp_path):
    begun(tmp_path)
    (tmp_path / kept_journal.FILE).unlink()
    with pytest.raises(execution_journal.JournalBroken, match="is not there"):
        opened(tmp_path)


def test_what_is_forgotten_on_purpose_is_not_missed(tmp_path):
    begun(tmp_path)
    kept_journal.forget(tmp_path)
    assert opened(tmp_path).file.empty
    kept_journal.forget(tmp_path / "none")


def test_a_new_identity_sets_the_earlier_journal_aside_once(tmp_path):
    begun(tmp_path)
    for _ in range(2):  # the first start is cut off before it is marked
        kept = opened(tmp_path, OTHER)
        assert (kept.set_aside, kept.file.empty) == (ONE, True)
        kept.file.close()
    assert b'"of":"' + ONE.encode() in (tmp_path / f"{kept_journal.FILE}.{ONE}").read_bytes()
    begun(tmp_path, OTHER)
    assert opened(tmp_path, OTHER).set_aside is None


def test_why_it_failed_is_told_by_the_next_start_and_not_by_the_one_after(tmp_path):
    begun(tmp_path)
    opened(tmp_path).failed("the disk is gone")
    again = opened(tmp_path)
    assert again.failure == "the disk is gone"
    again.begun()
    assert opened(tmp_path).failure == ""
