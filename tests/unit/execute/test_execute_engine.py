import json
from datetime import timedelta

import pytest

from sentienguard.model.order import ExecutionOutcome, Phase, StepStatus
from sentienguard.playbook import parse
from sentienguard.ports import command_runner, execution_journal
from sentienguard.stages.execute import verification
from tests.support import execution, pretend_host
from tests.support.remedy_runs import COMMANDS, HEAD, STOP_CHANGE_START, Run, healthy_when_running


def test_steps_run_in_order_and_verification_makes_success(pretend):
    healthy_when_running(pretend)
    run = Run(STOP_CHANGE_START, pretend)
    assert run.go().outcome is ExecutionOutcome.SUCCESS
    assert pretend.did == ["stop web", "write /etc/web.conf", "start web"]
    assert pretend.contents["/etc/web.conf"] == b"port = 1\nsafe_mode = on\n"


def test_what_is_well_already_is_left_alone(pretend):
    healthy_when_running(pretend)
    pretend.contents["/etc/web.conf"] = b"safe_mode = on\n"
    assert Run(STOP_CHANGE_START, pretend).go().outcome is ExecutionOutcome.SUCCESS_NO_ACTION
    assert pretend.did == []


def test_a_failed_verification_undoes_everything_in_reverse(pretend):
    healthy_when_running(pretend)
    pretend.answers["http://127.0.0.1/web"] = 503
    run = Run(STOP_CHANGE_START, pretend)
    assert run.go().outcome is ExecutionOutcome.ROLLED_BACK
    assert pretend.did[3:] == ["stop web", "write /etc/web.conf", "start web"]
    assert pretend.contents["/etc/web.conf"] == b"port = 1\nsafe_mode = off\n"
    assert pretend.alive["web"]
    assert [name for name, _ in run.statuses(Phase.UNDO)] == ["start_web", "change", "stop_web"]


def test_verification_is_tried_at_the_times_of_the_seed(pretend):
    healthy_when_running(pretend)
    pretend.answers["http://127.0.0.1/web"] = 503
    Run(STOP_CHANGE_START, pretend).go()
    waits = [second for second in pretend.clock.slept if second]
    assert waits == [3, 5, 10, 15]  # attempts at T+0, 3, 8, 18 and 33 s


def test_back_off_stays_at_its_longest_wait():
    check = parse.load(STOP_CHANGE_START.encode(), origin="test").verification[0]
    import dataclasses

    longer = dataclasses.replace(check, retry=7, retry_delay=timedelta(seconds=1))
    assert [round(wait, 2) for wait in verification.waits(longer)] == [0, 1, 1.67, 3.33, 5, 5, 5]


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_failure_at_each_step_undoes_it_and_what_ran_before(pretend, failing):
    names = ["one", "two", "three"]
    pretend.programs[f"/bin/{names[failing - 1]}"] = pretend_host.Program(exit_code=3)
    run = Run(COMMANDS, pretend)
    assert run.go().outcome is ExecutionOutcome.ROLLED_BACK
    forward = [f"/bin/{name}" for name in names[:failing]]
    assert pretend.did == forward + [f"/bin/undo_{name}" for name in reversed(names[:failing])]


def test_an_undo_that_fails_does_not_keep_the_others_from_being_tried(pretend):
    pretend.programs["/bin/three"] = pretend_host.Program(exit_code=1)
    pretend.programs["/bin/undo_two"] = pretend_host.Program(exit_code=1)
    run = Run(COMMANDS, pretend)
    report = run.go()
    assert report.outcome is ExecutionOutcome.PARTIALLY_ROLLED_BACK
    assert report.left_behind == ("two",)
    assert pretend.did[-1] == "/bin/undo_one"


def test_what_cannot_be_undone_is_named(pretend):
    text = COMMANDS.replace("rollback: /bin/undo_two", "rollback: {skip: nobody can bring it back}")
    report = Run(text, pretend).go()
    assert report.outcome is ExecutionOutcome.PARTIALLY_ROLLED_BACK
    assert report.left_behind == ("two",)
    undone = {one.name: one for one in report.records if one.phase is Phase.UNDO}
    assert undone["two"].status is StepStatus.NOT_UNDOABLE
    assert undone["two"].detail == "nobody can bring it back"


def test_a_step_that_changed_nothing_leaves_nothing_behind(pretend):
    text = (
        HEAD
        + """
steps:
  - name: clean
    action: fs
    operation: clean
    path: /srv/data
    pattern: "*"
    min_age: 7d
    rollback: {skip: deleted files are gone for good}
verification:
  - {name: space, type: metric, metric: disk_usage, threshold: "< 80%", retry: 1}
"""
    )
    # With a step of another kind: a remedy that only removes is not begun where nothing fits.
    more = "  - {name: one, action: ssh_command, command: /bin/one, rollback: /bin/undo_one}\n"
    text = text.replace("verification:\n", more + "verification:\n")
    assert Run(text, pretend).go().outcome is ExecutionOutcome.ROLLED_BACK
    pretend.tree["a.old"] = 10**6
    assert Run(text, pretend).go().outcome is ExecutionOutcome.PARTIALLY_ROLLED_BACK


REMOVES = (
    HEAD
    + """
steps:
  - name: clean
    action: fs
    operation: clean
    path: /srv/data
    pattern: "*.old"
    min_age: 7d
    rollback: {skip: deleted files are gone for good}
  - name: empty
    action: fs
    operation: truncate
    path: /srv/data
    pattern: "*.log"
    min_size: 1MB
    rollback: {skip: the lines are gone}
verification:
  - {name: space, type: metric, metric: disk_usage, threshold: "< 80%", retry: 1}
"""
)


def test_a_remedy_that_only_removes_and_finds_nothing_is_not_begun(pretend):
    report = Run(REMOVES, pretend).go()
    assert report.outcome is ExecutionOutcome.ABORTED, "no failure of the playbook"
    assert "would free 0 bytes" in report.reason
    assert not [one for one in report.records if one.phase is Phase.STEP]


@pytest.mark.parametrize("age_s", [0, 10**7])  # for the second step alone; for both
def test_one_file_that_fits_any_of_its_steps_is_enough_to_begin(pretend, age_s):
    pretend.tree["flood.log"] = age_s
    assert Run(REMOVES, pretend).go().outcome is not ExecutionOutcome.ABORTED


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (command_runner.Ending.TIMED_OUT, StepStatus.TIMED_OUT),
        (command_runner.Ending.STOPPED, StepStatus.STOPPED),
    ],
)
def test_a_step_that_is_ended_is_undone(pretend, ending, status):
    pretend.programs["/bin/two"] = pretend_host.Program(ending=ending)
    run = Run(COMMANDS, pretend)
    assert run.go().outcome is ExecutionOutcome.ROLLED_BACK
    assert dict(run.statuses(Phase.STEP))["two"] == status.value
    assert pretend.did[-2:] == ["/bin/undo_two", "/bin/undo_one"]


def test_a_stop_between_steps_undoes_what_ran(pretend):
    run = Run(COMMANDS, pretend)
    stop = pretend_host.Program(act=lambda: setattr(run.interrupt, "by", "pat"))
    pretend.programs["/bin/one"] = stop
    report = run.go()
    assert report.outcome is ExecutionOutcome.ROLLED_BACK
    assert "pat" in report.reason
    assert pretend.did == ["/bin/one", "/bin/undo_one"]


def test_a_stop_before_the_first_step_changes_nothing(pretend):
    run = Run(COMMANDS, pretend)
    run.interrupt.by = "pat"
    assert run.go().outcome is ExecutionOutcome.ABORTED
    assert pretend.did == []


def test_a_host_that_is_marked_between_steps_undoes_what_ran(pretend):
    run = Run(COMMANDS, pretend)
    mark = pretend_host.Program(act=lambda: setattr(pretend, "forbidden", "do-not-remediate"))
    pretend.programs["/bin/one"] = mark
    report = run.go()
    assert report.outcome is ExecutionOutcome.ROLLED_BACK
    assert "stopped by this host: do-not-remediate" in report.reason
    assert dict(run.statuses(Phase.STEP)) == {"one": "success", "two": "stopped"}
    assert pretend.did == ["/bin/one", "/bin/undo_one"]


def test_a_host_that_is_marked_before_the_first_step_changes_nothing(pretend):
    run = Run(COMMANDS, pretend)
    pretend.forbidden = "do-not-remediate"
    assert run.go().outcome is ExecutionOutcome.ABORTED
    assert pretend.did == []


def test_the_deadline_ends_steps_and_not_their_undo(pretend):
    run = Run(COMMANDS, pretend, deadline_s=10)
    slow = pretend_host.Program(act=lambda: setattr(pretend.clock, "passed", 11.0))
    pretend.programs["/bin/two"] = slow
    assert run.go().outcome is ExecutionOutcome.ROLLED_BACK
    assert pretend.did == ["/bin/one", "/bin/two", "/bin/undo_two", "/bin/undo_one"]


def test_only_if_is_judged_just_before_the_step(pretend):
    text = COMMANDS.replace("command: /bin/two", 'command: /bin/two, only_if: "disk_usage > 85%"')
    pretend.programs["/bin/one"] = pretend_host.Program(
        act=lambda: pretend.measured.update(disk_usage=72.0)
    )
    run = Run(text, pretend)
    assert run.go().outcome is ExecutionOutcome.SUCCESS
    assert dict(run.statuses(Phase.STEP))["two"] == "skipped"
    assert "/bin/two" not in pretend.did


def test_an_only_if_that_cannot_be_judged_fails_the_step(pretend):
    text = COMMANDS.replace("command: /bin/two", 'command: /bin/two, only_if: "zombies > 1"')
    assert Run(text, pretend).go().outcome is ExecutionOutcome.ROLLED_BACK
    assert pretend.did == ["/bin/one", "/bin/undo_one"]


def test_a_step_verification_that_fails_stops_and_undoes(pretend):
    check = "verify: [{name: sees, type: command, command: /bin/look, retry: 1}]"
    text = COMMANDS.replace("command: /bin/two,", f"command: /bin/two, {check},")
    pretend.programs["/bin/look"] = pretend_host.Program(exit_code=1)
    try:
        run = Run(text, pretend)
    except parse.BrokenPlaybook:
        text = text.replace("verify:", "verification:")
        run = Run(text, pretend)
    assert run.go().outcome is ExecutionOutcome.ROLLED_BACK
    assert pretend.did == ["/bin/one", "/bin/two", "/bin/look", "/bin/undo_two", "/bin/undo_one"]


def test_a_missing_program_fails_before_anything_is_written_down_as_begun(pretend):
    run = Run(COMMANDS.replace("/bin/one,", "/bin/missing,"), pretend)
    assert run.go().outcome is ExecutionOutcome.ROLLED_BACK
    assert pretend.did == []
    assert "begin" not in [record["t"] for record in run.journal.kept]


@pytest.mark.parametrize("surprise", [KeyError("x"), RecursionError(), OSError(5, "io")])
def test_a_surprise_in_a_step_leads_to_its_undo(pretend, surprise):
    def fail():
        raise surprise

    pretend.programs["/bin/two"] = pretend_host.Program(act=fail)
    assert Run(COMMANDS, pretend).go().outcome is ExecutionOutcome.ROLLED_BACK
    assert pretend.did[-2:] == ["/bin/undo_two", "/bin/undo_one"]


def test_a_dry_run_says_what_would_run_and_changes_nothing(pretend):
    text = (
        COMMANDS
        + """
pre_execution_checks:
  - {name: calm, type: condition, condition: "disk_usage > 50%"}
  - {name: asks, type: command, command: /bin/ask}
"""
    )
    run = Run(text, pretend, dry_run=True)
    assert run.go().outcome is ExecutionOutcome.DRY_RUN
    assert pretend.did == []
    assert run.statuses(Phase.PRE_CHECK) == [("calm", "success"), ("asks", "would_run")]
    assert {status for _, status in run.statuses(Phase.STEP)} == {"would_run"}
    assert run.report.records[-1].detail == 'would run ["/bin/three"]'


@pytest.mark.parametrize(
    ("action", "outcome", "slept"),
    [
        ("abort", ExecutionOutcome.ABORTED, 0),
        ("wait, max_wait_seconds: 4", ExecutionOutcome.ABORTED, 4),
        ("warn", ExecutionOutcome.ROLLED_BACK, 0),
    ],
)
def test_a_failed_pre_check_does_what_it_says(pretend, action, outcome, slept):
    text = (
        COMMANDS
        + f"""
pre_execution_checks:
  - {{name: quiet, type: condition, condition: "disk_usage > 95%", fail_action: {action}}}
"""
    )
    run = Run(text, pretend)
    assert run.go().outcome is outcome
    assert (pretend.did == []) is (outcome is ExecutionOutcome.ABORTED)
    if outcome is ExecutionOutcome.ABORTED:
        assert sum(pretend.clock.slept) == slept


def test_a_pre_check_that_comes_true_while_waiting_lets_the_order_run(pretend):
    pretend.measured["disk_usage"] = lambda: 91.0 if pretend.clock.passed < 3 else 96.0
    text = (
        COMMANDS
        + """
pre_execution_checks:
  - name: quiet
    type: condition
    condition: "disk_usage > 95%"
    fail_action: wait
    max_wait_seconds: 60
"""
    )
    run = Run(text, pretend)
    run.go()
    assert run.statuses(Phase.PRE_CHECK) == [("quiet", "success")]
    assert pretend.did[0] == "/bin/one"


def test_output_is_redacted_and_travels_as_a_blob(pretend):
    pretend.programs["/bin/one"] = pretend_host.Program(stdout="password is hunter2\n")
    run = Run(COMMANDS, pretend)
    run.go()
    assert "hunter2" not in json.dumps(run.journal.kept)
    (one,) = [
        e for e in run.events() if e["data"].get("name") == "one" and e["kind"] == "step.done"
    ]
    assert one["blobs"][0]["len"] == len(b"password is [redacted]\n")


def test_an_intent_is_durable_before_the_effect(pretend):
    journal = pretend_host.Journal()
    seen = []
    pretend.programs["/bin/one"] = pretend_host.Program(act=lambda: seen.extend(journal.durable))
    Run(COMMANDS, pretend, journal=journal).go()
    assert seen == ["intent", "event", "begin"]


def test_what_an_undo_needs_is_durable_before_the_effect(pretend):
    healthy_when_running(pretend)
    journal = pretend_host.Journal()
    run = Run(STOP_CHANGE_START, pretend, journal=journal)
    seen = []
    replace = pretend_host.Files.replace

    def watched(files, path, content):
        seen.append(list(journal.durable))
        replace(files, path, content)

    pretend_host.Files.replace, before = watched, pretend_host.Files.replace
    try:
        run.go()
    finally:
        pretend_host.Files.replace = before
    assert seen[0].count("begin") == 2


@pytest.mark.parametrize("at", [2, 3, 4, 5, 6, 7])
def test_nothing_runs_after_the_journal_failed(pretend, at):
    run = Run(COMMANDS, pretend, journal=pretend_host.Journal(fail_at=at))
    with pytest.raises(execution_journal.JournalBroken):
        run.go()
    before = list(pretend.did)
    assert run.ledger.broken is not None
    with pytest.raises(execution_journal.JournalBroken):
        run.ledger.verifying()
    assert pretend.did == before


def test_events_are_numbered_chained_and_signed(pretend):
    import base64
    import hashlib

    run = Run(COMMANDS, pretend)
    run.go()
    previous = ""
    for number, record in enumerate(run.ledger.events_after(0, 0), 1):
        leaf = json.loads(record["leaf"])
        assert (leaf["src_seq"], leaf["src_prev"]) == (number, previous)
        previous = hashlib.sha256(record["leaf"].encode()).hexdigest()
        signature = base64.b64decode(record["sig"])
        assert execution.key(9).public.verify(signature, record["leaf"].encode())
    kinds = [leaf["kind"] for leaf in run.events()]
    assert kinds[0] == "order.admitted"
    assert kinds[-1] == "order.finished"
