"""What each record of the journal leaves in memory, and what is asked of it."""

import pytest

from sentienguard.model import ids
from sentienguard.ports import command_runner
from sentienguard.stages.execute import memory

HOUR_MS = 3_600_000
NOW_MS = 1_770_895_560_000


def intent(name="ord_1", seq=7, at_ms=NOW_MS, **changed):
    order = {
        "id": name, "incident": "inc_1", "playbook": "clean_up", "version": "1.2.0",
        "dry_run": False,
    }  # fmt: skip
    return {"t": "intent", "order": order | changed, "seq": seq, "at_ms": at_ms}


def after(*records):
    kept = memory.Memory()
    for record in records:
        kept.apply(record)
    return kept


def test_before_the_first_record_nothing_was_accepted():
    kept = memory.Memory()
    assert (kept.seq, kept.event_seq, kept.acked) == (0, 0, 0)


def test_the_bounds_are_those_that_the_documents_name():
    assert (memory.REMEMBERED_ORDERS, memory.BUDGET_MS) == (2_000, HOUR_MS)
    assert memory.REMEMBERED_RUNS == 5_000


def test_what_runs_is_known_with_its_groups_until_a_piece_ends():
    begin = {"t": "begin", "phase": "step", "index": 0, "undo": {}, "mark": "m"}
    group = {"t": "group", "pgid": 5, "started": 9}
    end = {"t": "end", "phase": "step", "index": 0, "status": "success", "changed": True}
    kept = after(intent(), begin, group)
    assert kept.running.groups == [command_runner.ProcessGroup(5, 9)]
    assert not kept.running.verifying
    kept.apply(end)
    assert kept.running.groups == []
    kept.apply({"t": "verify"})
    assert kept.running.verifying is True


def test_an_admitted_order_is_remembered_with_its_incident():
    assert after(intent()).orders == {"ord_1": {"state": "admitted", "incident": "inc_1"}}


@pytest.mark.parametrize(
    "record", [{"t": "refused", "order": "o", "seq": 9}, {"t": "seq", "seq": 9}]
)
def test_a_number_once_accepted_stays_the_least(record):
    assert after(record).seq == 9
    assert after(intent(seq=11), record).seq == 11


def test_the_end_of_an_order_is_remembered_in_its_own_words():
    told = {"outcome": "REFUSED", "rule": "within_budget", "reason": "often"}
    kept = after({"t": "refused", "order": "o", "seq": 1, **told})
    assert kept.orders == {"o": {"state": "refused", **told}}
    kept = after({"t": "finish", "order": "o", "outcome": "SUCCESS", "reason": "well"})
    assert kept.orders == {"o": {"state": "finished", "outcome": "SUCCESS", "reason": "well"}}


def test_an_order_that_is_heard_of_again_is_the_youngest(monkeypatch):
    monkeypatch.setattr(memory, "REMEMBERED_ORDERS", 2)
    finish = {"t": "finish", "order": "ord_1", "outcome": "SUCCESS", "reason": "well"}
    kept = after(intent("ord_1"), intent("ord_2"), finish, intent("ord_3"))
    assert list(kept.orders) == ["ord_1", "ord_3"]


@pytest.mark.parametrize(("ago", "counts"), [(HOUR_MS - 1, 1), (HOUR_MS, 0), (HOUR_MS + 1, 0)])
def test_a_start_counts_for_an_hour_at_todays_date(ago, counts):
    kept = after(intent(at_ms=NOW_MS - ago))
    assert kept.starts_within("clean_up", NOW_MS) == counts
    kept.apply(intent("ord_2", at_ms=NOW_MS))
    assert len(kept.starts) == 1 + counts  # older ones are forgotten


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("1.a", "1.b"), ("1.z", "1.0"), ("9", "10"), ("0.9", "1.0"), ("1.0.z", "1.0.0")],
)
def test_versions_are_ordered_by_number_and_text_stands_before(lower, higher):
    assert ids.version_key(lower) < ids.version_key(higher)


def test_a_versions_key_has_the_published_form():
    assert ids.version_key("1.rc") == ((1, 1), (0, "rc"))


# -- runs that are forgotten -----------------------------------------------------------------------


def opened(second):
    return f"inc_20260212_1126{second:02d}_00000000"


@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr(memory, "REMEMBERED_RUNS", 3)


def ran(*seconds, playbook="clean_up"):
    return after(*(intent(f"ord_{at}", incident=opened(at), playbook=playbook) for at in seconds))


def test_as_many_runs_are_kept_as_there_is_room_for(three):
    kept = ran(1, 2, 3)
    assert (len(kept.handled), kept.forgotten) == (3, "")
    kept = ran(1, 2, 3, 4)
    assert (len(kept.handled), kept.forgotten) == (3, f"{opened(1)}/clean_up")


@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1), (3, 6, 1, 5, 2, 4)])
def test_what_ran_is_never_taken_for_new_however_much_is_forgotten(three, order):
    kept = ran(*order)
    assert len(kept.handled) == 3
    again = after(*kept_and_rewritten(kept))
    for at in order:
        assert kept.may_have_run(opened(at), "clean_up")
        assert again.may_have_run(opened(at), "clean_up")
    assert not kept.may_have_run(opened(7), "clean_up")
    assert not again.may_have_run(opened(7), "clean_up")


def kept_and_rewritten(kept):
    kept.running = None
    return kept.compacted()


def test_the_oldest_incident_goes_first_whenever_it_ran(three):
    kept = ran(4, 5, 6, 1)
    assert kept.forgotten == f"{opened(1)}/clean_up"
    assert not kept.may_have_run(opened(2), "clean_up")
    kept.apply(intent("ord_9", incident=opened(2)))
    assert kept.forgotten == f"{opened(2)}/clean_up"


def test_what_is_older_than_all_that_is_remembered_counts_as_run(three):
    kept = ran(2, 3, 4, 5)
    assert kept.may_have_run(opened(1), "clean_up")
    assert kept.may_have_run(opened(2), "a_playbook_before_it")
    assert not kept.may_have_run(opened(2), "fix_it")
    assert not kept.may_have_run(opened(3), "fix_it")


def test_a_dry_run_leaves_no_mark_and_pushes_none_out(three):
    kept = ran(1, 2, 3)
    kept.apply(intent("ord_dry", incident=opened(9), dry_run=True))
    assert kept.forgotten == ""
    assert not kept.may_have_run(opened(9), "clean_up")


def test_a_journal_from_before_anything_was_forgotten_is_read():
    (start,) = memory.Memory(handled={"inc_1/clean_up"}).compacted()
    del start["forgotten"]
    kept = after(start)
    assert kept.may_have_run("inc_1", "clean_up")
    assert not kept.may_have_run("inc_0", "clean_up")
