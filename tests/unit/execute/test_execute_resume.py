"""After a crash, at every write: nothing runs twice, and what cannot be told is not claimed."""

import re

import pytest

from sentienguard.model.order import ExecutionOutcome
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute import resume
from tests.support import pretend_host
from tests.support.remedy_runs import (
    COMMANDS,
    STOP_CHANGE_START,
    crashed_at,
    healthy_when_running,
)


@pytest.mark.parametrize("writes", range(2, 30))
def test_a_crash_at_each_write_ends_with_every_step_run_at_most_once(pretend, writes):
    healthy_when_running(pretend)
    pretend.answers["http://127.0.0.1/web"] = 503
    try:
        run = crashed_at(STOP_CHANGE_START, pretend, writes)
    except pytest.fail.Exception:
        return  # the order ended before that write
    report = resume.resume(run.remedy, run.host, run.ledger)
    assert report.outcome in {ExecutionOutcome.ROLLED_BACK, ExecutionOutcome.ABORTED}
    assert pretend.contents["/etc/web.conf"] == b"port = 1\nsafe_mode = off\n"
    assert pretend.alive["web"]
    assert run.ledger.memory.running is None
    finished = [leaf for leaf in run.events() if leaf["kind"] == "order.finished"]
    assert len(finished) == 1


@pytest.mark.parametrize("writes", range(2, 12))
def test_programs_are_never_run_twice(pretend, writes):
    try:
        run = crashed_at(COMMANDS, pretend, writes)
    except pytest.fail.Exception:
        return
    resume.resume(run.remedy, run.host, run.ledger)
    for name in ("one", "two", "three"):
        assert pretend.did.count(f"/bin/{name}") <= 1


def test_an_order_cut_off_after_it_worked_is_a_success(pretend):
    pretend.programs["/bin/three"] = pretend_host.Program(
        act=lambda: pretend.measured.update(disk_usage=50.0)
    )
    run = crashed_at(COMMANDS, pretend, 10)  # step three ran; its end was not written
    assert run.ledger.memory.running.of("step")[2].status is None
    assert resume.resume(run.remedy, run.host, run.ledger).outcome is ExecutionOutcome.SUCCESS
    assert f"{run.signed.order.id}:step2" in pretend.marked


def test_a_cut_off_step_without_an_undo_stays_unknown(pretend):
    text = COMMANDS.replace("rollback: /bin/undo_three", "rollback: {skip: cannot be taken back}")
    run = crashed_at(text, pretend, 10)
    report = resume.resume(run.remedy, run.host, run.ledger)
    assert report.outcome is ExecutionOutcome.UNKNOWN
    assert report.left_behind == ("three",)


def test_a_playbook_that_is_not_idempotent_is_undone_even_where_verification_passes(pretend):
    text = COMMANDS.replace("idempotent: true", "idempotent: false")
    run = crashed_at(text, pretend, 10)
    pretend.measured["disk_usage"] = 50.0
    report = resume.resume(run.remedy, run.host, run.ledger)
    assert report.outcome is ExecutionOutcome.ROLLED_BACK


def test_an_order_without_its_playbook_is_unknown(pretend):
    run = crashed_at(COMMANDS, pretend, 10)
    report = resume.without_playbook(run.host, run.ledger, "it is gone")
    assert report.outcome is ExecutionOutcome.UNKNOWN
    assert run.ledger.memory.running is None


def forgot(run):
    """Keep of the journal only what was durable, as after a power cut."""
    run.journal.forget()
    run.ledger = ledgers.Ledger(run.journal, run.ledger._source, run.pretend.clock)


WITHOUT_UNDO = re.sub(
    r"rollback: /bin/undo_\w+", "rollback: {skip: cannot be taken back}", COMMANDS
)


@pytest.mark.parametrize("writes", range(2, 14))
@pytest.mark.parametrize("text", [COMMANDS, WITHOUT_UNDO], ids=["with undo", "without"])
def test_whatever_was_not_synced_is_lost_no_step_that_acted_is_hidden(pretend, text, writes):
    """The same host, not started anew: a failed sync may drop at once what it should have kept."""
    try:
        run = crashed_at(text, pretend, writes)
    except pytest.fail.Exception:
        return  # the order ended before that write
    forgot(run)
    report = resume.resume(run.remedy, run.host, run.ledger)
    acted = {name for name in ("one", "two", "three") if f"/bin/{name}" in pretend.did}
    undone = {name for name in acted if f"/bin/undo_{name}" in pretend.did}
    assert acted == undone | set(report.left_behind)
    if not acted:
        assert report.outcome is ExecutionOutcome.ABORTED
    elif report.left_behind:
        assert report.outcome in {
            ExecutionOutcome.UNKNOWN,
            ExecutionOutcome.PARTIALLY_ROLLED_BACK,
        }
    else:
        assert report.outcome is ExecutionOutcome.ROLLED_BACK


def test_after_a_power_cut_a_verified_state_is_a_success(pretend):
    run = crashed_at(COMMANDS, pretend, 10)
    forgot(run)
    pretend.measured["disk_usage"] = 50.0
    assert resume.resume(run.remedy, run.host, run.ledger).outcome is ExecutionOutcome.SUCCESS


def test_after_a_power_cut_what_did_not_begin_is_not_claimed(pretend):
    healthy_when_running(pretend)
    pretend.answers["http://127.0.0.1/web"] = 503
    run = crashed_at(STOP_CHANGE_START, pretend, 2)
    forgot(run)
    assert resume.resume(run.remedy, run.host, run.ledger).outcome is ExecutionOutcome.ABORTED
