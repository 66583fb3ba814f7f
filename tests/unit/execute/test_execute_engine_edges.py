"""What the engine, its pre-checks and its undo do with what should not be there."""

import dataclasses
import types

import pytest

from sentienguard.model.order import ExecutionOutcome, Phase, StepStatus
from sentienguard.playbook import parse
from sentienguard.ports import execution_journal, files
from sentienguard.stages.execute import engine, memory, preconditions, resume, steps, undo
from sentienguard.stages.execute import ledger as ledgers
from tests.support import pretend_host
from tests.support.remedy_runs import COMMANDS, HEAD, STOP_CHANGE_START, Run, crashed_at

LOGS = (
    HEAD
    + """
steps:
  - {name: one, action: ssh_command, command: /bin/one, rollback: /bin/undo_one}
verification:
  - {name: quiet, type: log_check, log_of: web, pattern: ERROR, retry: 1}
  - {name: silent, type: log_check, log_of: nobody, pattern: ERROR, retry: 1}
"""
)


def odd_first_step(run, **changed):
    step = run.remedy.steps[0]
    run.remedy = dataclasses.replace(
        run.remedy, steps=(dataclasses.replace(step, **changed), *run.remedy.steps[1:])
    )
    return run


def test_logs_are_marked_before_the_steps_and_one_that_nobody_has_is_told_by_its_check(pretend):
    pretend.log["/log/web"] = [(pretend_host.START, "ERROR of before")]
    run = Run(LOGS, pretend)
    report = run.go()
    details = {one.name: one.detail for one in report.records if one.phase is Phase.VERIFY}
    assert "0" in details["quiet"] or "no" in details["quiet"].lower()
    assert report.outcome is ExecutionOutcome.ROLLED_BACK
    assert "silent" in report.reason


def test_a_step_of_an_unknown_kind_never_begins(pretend):
    run = Run(COMMANDS, pretend)
    action = dataclasses.replace(run.remedy.steps[0].action, kind="no_such_kind")
    report = odd_first_step(run, action=action).go()
    assert report.outcome is ExecutionOutcome.ROLLED_BACK
    assert report.records[0].detail == "this executor has no step 'no_such_kind'"
    assert pretend.did == []


def test_a_dry_run_of_an_unknown_kind_says_so(pretend):
    run = Run(COMMANDS, pretend, dry_run=True)
    action = dataclasses.replace(run.remedy.steps[0].action, kind="no_such_kind")
    report = odd_first_step(run, action=action).go()
    assert report.outcome is ExecutionOutcome.DRY_RUN
    assert [one.status for one in report.records if one.phase is Phase.STEP] == [
        StepStatus.FAILED,
        StepStatus.WOULD_RUN,
        StepStatus.WOULD_RUN,
    ]


def test_a_dry_run_says_that_a_step_would_be_skipped_and_that_it_would_have_aborted(pretend):
    text = (
        COMMANDS.replace("command: /bin/two", 'command: /bin/two, only_if: "disk_usage > 99%"')
        + """
pre_execution_checks:
  - {name: calm, type: condition, condition: "disk_usage < 50%", reason: people sleep}
"""
    )
    report = Run(text, pretend, dry_run=True).go()
    assert report.reason.startswith("nothing was changed; it would have aborted: pre-check calm")
    assert report.reason.endswith("(people sleep)")
    two = next(one for one in report.records if one.name == "two")
    assert two.status is StepStatus.SKIPPED
    assert two.detail.endswith('would run ["/bin/two"]')


@pytest.mark.parametrize("surprise", [KeyError("x"), RuntimeError("y")])
def test_a_surprise_while_preparing_fails_the_step_and_undoes_what_ran(
    pretend, monkeypatch, surprise
):
    def fail(*_):
        raise surprise

    kind = steps.KINDS["ssh_command"]
    whole = Run(COMMANDS, pretend)
    fs = dataclasses.replace(whole.remedy.steps[1].action, kind="fs")
    second = dataclasses.replace(whole.remedy.steps[1], action=fs)
    whole.remedy = dataclasses.replace(
        whole.remedy, steps=(whole.remedy.steps[0], second, whole.remedy.steps[2])
    )
    odd = types.SimpleNamespace(prepare=fail, run=kind.run, plan=kind.plan, records=False)
    monkeypatch.setattr(steps, "KINDS", {**steps.KINDS, "fs": odd})
    report = whole.go()
    assert report.outcome is ExecutionOutcome.ROLLED_BACK
    assert type(surprise).__name__ in report.reason
    assert pretend.did == ["/bin/one", "/bin/undo_one"]


def test_a_journal_that_breaks_inside_a_step_ends_the_executor(pretend):
    run = Run(COMMANDS, pretend)

    def broken():
        raise execution_journal.JournalBroken("the disk is gone")

    pretend.programs["/bin/one"] = pretend_host.Program(act=broken)
    with pytest.raises(execution_journal.JournalBroken):
        run.go()
    pretend.programs["/bin/one"] = pretend_host.Program(exit_code=1)
    pretend.programs["/bin/undo_one"] = pretend_host.Program(act=broken)
    with pytest.raises(execution_journal.JournalBroken):
        Run(COMMANDS, pretend).go()


def test_an_undo_of_an_unknown_kind_leaves_its_step_behind(pretend):
    run = Run(COMMANDS, pretend)
    before = run.remedy.steps[0].undo
    odd = dataclasses.replace(
        before, action=dataclasses.replace(before.action, kind="no_such_kind")
    )
    report = odd_first_step(run, undo=odd).go()
    assert report.outcome is ExecutionOutcome.PARTIALLY_ROLLED_BACK
    assert report.left_behind == ("one",)


@pytest.mark.parametrize("surprise", [KeyError("x"), RuntimeError("y")])
def test_a_surprise_in_one_undo_does_not_keep_the_others(pretend, surprise):
    def fail():
        raise surprise

    pretend.programs["/bin/undo_two"] = pretend_host.Program(act=fail)
    report = Run(COMMANDS, pretend).go()
    assert report.left_behind == ("two",)
    assert pretend.did[-1] == "/bin/undo_one"


def test_a_program_that_is_missing_for_an_undo_leaves_its_step_behind(pretend):
    report = Run(COMMANDS.replace("/bin/undo_two", "/bin/missing"), pretend).go()
    assert report.left_behind == ("two",)


def test_undone_in_part_is_not_undone():
    assert undo.Undone(()).outcome is ExecutionOutcome.ROLLED_BACK
    assert undo.Undone(("one",)).outcome is ExecutionOutcome.PARTIALLY_ROLLED_BACK


def test_where_nothing_was_cut_off_there_is_nothing_to_resume(pretend):
    run = Run(COMMANDS, pretend)
    with pytest.raises(ValueError, match="no order was cut off"):
        resume.resume(run.remedy, run.host, run.ledger)
    with pytest.raises(ValueError, match="no order was cut off"):
        resume.without_playbook(run.host, run.ledger, "it is gone")


# ---- pre-checks ------------------------------------------------------------------------------

WAITS = (
    COMMANDS
    + """
pre_execution_checks:
  - {name: calm, type: condition, condition: "disk_usage < 50%", fail_action: wait, max_wait: 5s}
"""
)


def test_a_check_that_waits_looks_every_second_until_its_wait_is_over(pretend):
    assert preconditions.WAIT_STEP_S == 1.0
    assert Run(WAITS, pretend).go().outcome is ExecutionOutcome.ABORTED
    assert pretend.clock.slept == [1.0] * 5
    assert pretend.clock.passed == 5.0


def test_a_check_waits_no_longer_than_the_order_may_take(pretend):
    run = Run(WAITS.replace("max_wait: 5s", "max_wait: 100s"), pretend, deadline_s=3)
    assert run.go().outcome is ExecutionOutcome.ABORTED
    assert pretend.clock.passed == 3.0


def test_a_wait_that_took_longer_than_asked_for_is_over(pretend):
    sleep = pretend.clock.sleep
    pretend.clock.sleep = lambda seconds, until=None: sleep(seconds + 0.4, until)
    assert Run(WAITS, pretend).go().outcome is ExecutionOutcome.ABORTED
    assert len(pretend.clock.slept) == 4
    assert all(seconds > 0 for seconds in pretend.clock.slept)


def test_a_stop_ends_the_wait_and_is_told_as_one(pretend):
    run = Run(WAITS, pretend)
    sleep = pretend.clock.sleep

    def stopped(seconds, until=None):
        run.interrupt.by = "pat"
        sleep(seconds, until)

    pretend.clock.sleep = stopped
    assert run.go().outcome is ExecutionOutcome.ABORTED
    assert run.statuses(Phase.PRE_CHECK) == [("calm", "stopped")]
    assert pretend.clock.passed == 1.0


def test_in_a_dry_run_a_check_that_starts_a_program_is_passed_over_not_the_end(pretend):
    text = (
        COMMANDS
        + """
pre_execution_checks:
  - {name: asks, type: command, command: /bin/ask}
  - {name: calm, type: condition, condition: "disk_usage < 50%", fail_action: warn}
  - {name: hot, type: condition, condition: "disk_usage > 50%"}
"""
    )
    run = Run(text, pretend, dry_run=True)
    run.go()
    expected = [("asks", "would_run"), ("calm", "warned"), ("hot", "success")]
    assert run.statuses(Phase.PRE_CHECK) == expected


def test_a_failed_check_says_its_reason_only_where_it_has_one(pretend):
    bare = COMMANDS + (
        "\npre_execution_checks:\n"
        '  - {name: calm, type: condition, condition: "disk_usage < 50%"}\n'
    )
    report = Run(bare, pretend).go()
    assert report.reason.startswith("pre-check calm failed: ")
    assert not report.reason.endswith(")")


@pytest.mark.parametrize(("deadline_s", "limit"), [(60, 10.0), (4, 4.0), (0, 1.0)])
def test_a_check_has_the_time_that_is_left_and_at_least_a_second(pretend, deadline_s, limit):
    limits = []

    class Commands(pretend_host.Commands):
        def run(self, argv, *, limit, **more):
            limits.append(limit)
            return super().run(argv, limit=limit, **more)

    text = (
        COMMANDS + "\npre_execution_checks:\n  - {name: asks, type: command, command: /bin/ask}\n"
    )
    run = Run(text, pretend, deadline_s=deadline_s)
    run.host = dataclasses.replace(run.host, commands=Commands(pretend))
    run.go()
    assert limits[0] == limit


# ---- the ledger ------------------------------------------------------------------------------


def test_a_journal_without_room_keeps_the_ledger_from_beginning(pretend):
    journal = pretend_host.Journal()
    journal.cramped = lambda: "the disk is full"
    assert pretend.ledger(journal).broken == "the disk is full"
    assert not pretend.ledger(journal).failed


def test_a_broken_ledger_says_why_and_writes_nothing_more(pretend):
    run = Run(COMMANDS, pretend, journal=pretend_host.Journal(fail_at=1))
    with pytest.raises(execution_journal.JournalBroken):
        run.go()
    assert run.ledger.failed
    assert run.ledger.broken == "the disk is gone"
    run.journal.fail_at = None
    with pytest.raises(execution_journal.JournalBroken, match="the disk is gone"):
        run.ledger.accept_sequence(9)
    run.ledger.compact()
    assert run.journal.kept == []


def test_a_rewrite_comes_after_enough_records_when_nothing_waits(pretend, monkeypatch):
    monkeypatch.setattr(ledgers, "REWRITE_AFTER", 3)
    journal = pretend_host.Journal()
    ledger = pretend.ledger(journal)
    for seq in range(1, 4):
        ledger.accept_sequence(seq)
    ledger.acked(0)
    assert len(journal.kept) == 3
    run = Run(COMMANDS, pretend, journal=journal)
    run.go()
    run.ledger.acked(run.ledger.memory.event_seq)
    assert [one["t"] for one in journal.kept] == ["start"]
    assert pretend.ledger(journal).memory == run.ledger.memory


def test_a_rewrite_for_which_there_is_no_room_changes_nothing(pretend):
    journal = pretend_host.Journal()
    ledger = pretend.ledger(journal)
    ledger.accept_sequence(5)

    def full(records):
        raise execution_journal.JournalFull("no room")

    journal.rewrite = full
    ledger.compact()
    assert [one["t"] for one in journal.kept] == ["seq"]
    assert not ledger.failed


def test_a_rewrite_that_fails_otherwise_ends_the_executor(pretend):
    journal = pretend_host.Journal()
    ledger = pretend.ledger(journal)

    def broken(records):
        raise execution_journal.JournalBroken("the disk is gone")

    journal.rewrite = broken
    with pytest.raises(execution_journal.JournalBroken):
        ledger.compact()
    assert ledger.failed


def test_an_order_that_runs_is_not_compacted(pretend):
    run = crashed_at(COMMANDS, pretend, 5)
    with pytest.raises(ValueError, match="an order runs"):
        list(run.ledger.memory.compacted())


def test_records_of_a_newer_version_change_nothing():
    kept = memory.Memory(seq=3)
    kept.apply({"t": "of tomorrow"})
    kept.apply({"t": "begin", "phase": "step", "index": 0, "undo": {}, "mark": "m"})
    assert kept == memory.Memory(seq=3)


def test_what_is_shown_tells_one_argument_from_the_next():
    assert engine.shown(("/bin/a b", "c")) == '["/bin/a b", "c"]'
    assert parse.load(COMMANDS.encode(), origin="test").name == "remedy"


def test_a_step_whose_condition_holds_is_run(pretend):
    text = COMMANDS.replace("command: /bin/two", 'command: /bin/two, only_if: "disk_usage > 85%"')
    run = Run(text, pretend)
    run.go()
    assert dict(run.statuses(Phase.STEP))["two"] == "success"
    assert "/bin/two" in pretend.did


def test_a_step_that_the_host_refuses_fails_with_its_words(pretend):
    def refuse():
        raise files.FileFailed("the file is immutable")

    pretend.programs["/bin/two"] = pretend_host.Program(act=refuse)
    report = Run(COMMANDS, pretend).go()
    assert "the file is immutable" in report.reason
    assert "FileFailed" not in report.reason
    assert pretend.did[-2:] == ["/bin/undo_two", "/bin/undo_one"]


def test_a_record_of_a_newer_version_changes_nothing_of_the_order_that_runs():
    running = memory.Running({"order": {}})
    running.apply({"t": "of tomorrow"})
    assert running == memory.Running({"order": {}})


@pytest.mark.parametrize("lines", [STOP_CHANGE_START, COMMANDS])
def test_a_dry_run_says_what_each_step_would_run(pretend, lines):
    report = Run(lines, pretend, dry_run=True).go()
    shown = [one for one in report.records if one.phase is Phase.STEP]
    assert {one.status for one in shown} == {StepStatus.WOULD_RUN}
    assert pretend.did == []


def test_a_rehearsal_that_fails_is_told_and_nothing_is_done(pretend, monkeypatch):
    def refuse(*_):
        raise files.NotAllowed("no such place")

    kind = types.SimpleNamespace(
        **{
            name: getattr(steps.KINDS["ssh_command"], name)
            for name in ("plan", "prepare", "run", "restore")
        }
    )
    kind.rehearse = refuse
    monkeypatch.setattr(steps, "KINDS", {**steps.KINDS, "ssh_command": kind})
    report = Run(COMMANDS, pretend, dry_run=True).go()
    [first, *_] = [one for one in report.records if one.phase is Phase.STEP]
    assert first.status is StepStatus.FAILED
    assert "and: no such place" in first.detail
    assert pretend.did == []


def test_what_cannot_say_what_it_would_remove_is_left_to_say_so_itself(pretend, monkeypatch):
    def unknown(*_):
        raise files.NotAllowed("no such place")

    removing = types.SimpleNamespace(would_remove=unknown)
    monkeypatch.setattr(steps, "REMOVING", {"ssh_command": removing})
    report = Run(COMMANDS, pretend).go()
    assert "would free 0 bytes" not in report.reason
    assert pretend.did
