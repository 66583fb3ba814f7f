"""Each kind of step: run twice, undone twice, and what it says when it cannot."""

import json

import pytest

from sentienguard.model import ids
from sentienguard.model.order import StepStatus
from sentienguard.model.playbook import Action, Param
from sentienguard.ports import command_runner
from sentienguard.stages.execute import parameters, steps, work
from sentienguard.stages.execute.steps import fs
from tests.support import pretend_host


class Bench:
    def __init__(self, pretend, action, **bound):
        self.pretend = pretend
        self.kind = steps.KINDS[action.kind]
        self.action = action
        self.context = work.Context(
            order=ids.OrderId("ord_0000000000000000"),
            host=pretend.host(),
            bound=parameters.Bound(**{"values": {}, **bound}),
            brought={},
            limit_s=30,
            mark="ord_0000000000000000:step0",
            interrupt=pretend_host.Interrupt(),
            started=lambda group: None,
        )

    def prepare(self):
        recorded = self.kind.prepare(self.action, self.context)
        assert json.loads(json.dumps(recorded)) == recorded  # the journal holds it as JSON
        self.recorded = recorded
        return self

    def run(self):
        return self.kind.run(self.action, self.context, self.recorded)

    def restore(self):
        return self.kind.restore(self.action, self.context, self.recorded)


def service(operation):
    return Action("service", {"operation": operation, "service": "web"})


@pytest.mark.parametrize(
    ("operation", "before", "did"),
    [
        ("start", False, ["start web"]),
        ("start", True, []),
        ("stop", True, ["stop web"]),
        ("stop", False, []),
        ("restart", True, ["stop web", "start web"]),
        ("restart", False, ["start web"]),
        ("kill_and_start", True, ["stop web", "start web"]),
        ("reload", True, ["reload web"]),
    ],
)
def test_a_service_operation_is_done_and_undone_to_the_state_before(
    pretend, operation, before, did
):
    pretend.alive["web"] = before
    bench = Bench(pretend, service(operation)).prepare()
    assert bench.run().status is StepStatus.SUCCESS
    assert pretend.did == did
    for _ in range(2):
        assert bench.restore().status is StepStatus.SUCCESS
        assert pretend.alive["web"] is before


def test_doing_nothing_needs_no_undo(pretend):
    assert Bench(pretend, service("start")).prepare().run().changed is False


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_a_service_that_does_not_obey_fails_the_step_and_its_undo(pretend, verb):
    pretend.fail_service = {verb}
    pretend.alive["web"] = verb == "stop"
    bench = Bench(pretend, service(verb)).prepare()
    assert bench.run().status is StepStatus.FAILED
    pretend.alive["web"] = verb == "start"
    pretend.fail_service = {"start", "stop"}
    assert bench.restore().status is StepStatus.FAILED


def test_an_unknown_service_is_refused_before_anything_happens(pretend):
    action = Action("service", {"operation": "stop", "service": "nobody"})
    with pytest.raises(Exception, match="nobody"):
        Bench(pretend, action).prepare()


FILES = {"path": "/srv/data", "pattern": "*"}


def test_clean_deletes_and_says_that_nothing_brings_files_back(pretend):
    pretend.tree = {"a": 100, "b": 100}
    bench = Bench(pretend, Action("fs", {**FILES, "operation": "clean", "min_age": 50.0})).prepare()
    done = bench.run()
    assert (done.status, done.changed, pretend.tree) == (StepStatus.SUCCESS, True, {})
    assert bench.run().changed is False
    assert bench.restore().status is StepStatus.NOT_UNDOABLE


def test_a_bound_on_files_holds_and_the_rest_is_said(pretend):
    pretend.tree = {"a": 100, "b": 100, "c": 100}
    fields = {**FILES, "operation": "clean", "min_age": 0.0, "max_files": 2}
    done = Bench(pretend, Action("fs", fields)).prepare().run()
    assert sorted(pretend.tree) == ["c"]
    assert "more remain" in done.detail


def test_an_age_may_come_from_a_parameter(pretend):
    pretend.tree = {"young": 60, "old": 90_000}
    fields = {**FILES, "operation": "clean", "min_age": Param("age")}
    Bench(pretend, Action("fs", fields), values={"age": "1d"}).prepare().run()
    assert sorted(pretend.tree) == ["young"]


@pytest.mark.parametrize(("rest", "files", "moves"), [
    (None, 3, True), ("stays", 3, True), ("refuse", 3, False), ("refuse", 2, True),
])  # fmt: skip
def test_quarantine_moves_a_part_only_where_that_is_of_use(pretend, rest, files, moves):
    pretend.tree = {f"{n}.tmp": 10**9 for n in range(files)}
    wanted = {} if rest is None else {"rest": rest}
    fields = {**FILES, "operation": "quarantine", "max_files": 2, **wanted}
    bench = Bench(pretend, Action("fs", fields))
    if moves:
        assert len(bench.prepare().recorded["files"]) == 2
    else:
        with pytest.raises(work.NotPossible, match="more than 2 files"):
            bench.prepare()
    assert pretend.did == []


def test_quarantine_moves_files_and_brings_them_back(pretend):
    pretend.tree = {"a": 100, "b": 100}
    bench = Bench(pretend, Action("fs", {**FILES, "operation": "quarantine"})).prepare()
    assert bench.run().changed is True
    assert pretend.tree == {}
    for _ in range(2):
        assert bench.restore().status is StepStatus.SUCCESS
        assert pretend.tree == {"a": 100, "b": 100}


def test_a_file_that_cannot_come_back_fails_the_undo(pretend):
    pretend.tree = {"a": 100}
    bench = Bench(pretend, Action("fs", {**FILES, "operation": "quarantine"})).prepare()
    bench.run()
    pretend.kept.clear()
    assert bench.restore().status is StepStatus.FAILED


SETTING = Action(
    "fs", {"operation": "set_setting", "file_of": "web", "key": "safe_mode", "value": "on"}
)


def test_a_setting_is_set_once_and_its_file_restored_byte_for_byte(pretend):
    before = b"# comment\nsafe_mode=off\r\nport = 1"
    pretend.contents["/etc/web.conf"] = before
    bench = Bench(pretend, SETTING).prepare()
    assert bench.run().changed is True
    assert pretend.contents["/etc/web.conf"] == b"# comment\nsafe_mode=on\r\nport = 1"
    for _ in range(2):
        assert bench.restore().status is StepStatus.SUCCESS
        assert pretend.contents["/etc/web.conf"] == before


def test_somebody_elses_change_is_neither_overwritten_nor_undone(pretend):
    pretend.contents["/etc/web.conf"] = b"safe_mode = off\n"
    bench = Bench(pretend, SETTING).prepare()
    pretend.contents["/etc/web.conf"] = b"safe_mode = off\nport = 2\n"
    assert bench.run().status is StepStatus.FAILED
    assert bench.restore().status is StepStatus.FAILED
    assert pretend.contents["/etc/web.conf"] == b"safe_mode = off\nport = 2\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"k = v\n"),
        (b"x = 1", b"x = 1\nk = v\n"),
        (b"k = 1\n", b"k = v\n"),
        (b"  k: 1\n", b"  k: v\n"),
        (b"k 1\n", b"k v\n"),
        (b"#k = 1\n", b"#k = 1\nk = v\n"),
        (b"kk = 1\n", b"kk = 1\nk = v\n"),
        (b"k = 1\nk = 2\n", b"k = 1\nk = v\n"),
        (b"k =\n", b"k =v\n"),
        (b"\xff\xfe\nk = 1\n", b"\xff\xfe\nk = v\n"),
    ],
)
def test_one_line_of_a_file_gets_the_value(before, after):
    assert fs.with_setting(before, "k", "v") == after


def process(operation, **more):
    return Action("process", {"operation": operation, "pid": Param("pid"), **more})


def meant(started=7):
    return {"values": {"pid": "42"}, "started": {"pid": started}}


@pytest.mark.parametrize("operation", ["terminate", "kill"])
def test_a_process_is_ended_and_a_second_time_is_success(pretend, operation):
    pretend.table[42] = pretend_host.process(42)
    bench = Bench(pretend, process(operation), **meant()).prepare()
    assert bench.run().status is StepStatus.SUCCESS
    assert 42 not in pretend.table
    again = bench.run()
    assert (again.status, again.changed) == (StepStatus.SUCCESS, False)
    assert bench.restore().status is StepStatus.NOT_UNDOABLE


def test_a_process_that_took_over_the_number_is_not_touched(pretend):
    pretend.table[42] = pretend_host.process(42, started=8)
    bench = Bench(pretend, process("kill"), **meant(7)).prepare()
    assert bench.run().changed is False
    pretend.table[42] = pretend_host.process(42, started=7)
    bench.prepare()
    pretend.table[42] = pretend_host.process(42, started=8)
    assert bench.run().changed is False
    assert 42 in pretend.table


def test_a_process_of_another_name_is_refused(pretend):
    pretend.table[42] = pretend_host.process(42, "postgres")
    with pytest.raises(work.NotPossible):
        Bench(pretend, process("kill", name="spin"), **meant()).prepare()


def test_a_niceness_is_set_and_given_back(pretend):
    pretend.table[42] = pretend_host.process(42, nice=3)
    bench = Bench(pretend, process("renice", nice=15), **meant()).prepare()
    assert bench.run().status is StepStatus.SUCCESS
    assert pretend.table[42].nice == 15
    for _ in range(2):
        assert bench.restore().status is StepStatus.SUCCESS
        assert pretend.table[42].nice == 3


def test_a_stopped_process_goes_on_and_is_stopped_again(pretend):
    pretend.table[42] = pretend_host.process(42, state="T")
    bench = Bench(pretend, process("continue"), **meant()).prepare()
    bench.run()
    bench.restore()
    assert pretend.did == ["SIGCONT 42", "SIGSTOP 42"]


def test_a_parent_is_asked_to_collect_its_zombies(pretend):
    pretend.table[42] = pretend_host.process(42)
    Bench(pretend, process("reap"), **meant()).prepare().run()
    assert pretend.did == ["SIGCHLD 42"]


@pytest.mark.parametrize(
    ("program", "status"),
    [
        (pretend_host.Program(), StepStatus.SUCCESS),
        (pretend_host.Program(exit_code=1), StepStatus.FAILED),
        (pretend_host.Program(exit_code=-9), StepStatus.FAILED),
        (pretend_host.Program(ending=command_runner.Ending.TIMED_OUT), StepStatus.TIMED_OUT),
        (pretend_host.Program(ending=command_runner.Ending.STOPPED), StepStatus.STOPPED),
    ],
)
def test_a_command_is_judged_by_how_it_ended(pretend, program, status):
    pretend.programs["/bin/x"] = program
    bench = Bench(pretend, Action("ssh_command", {"argv": ("/bin/x", "y")})).prepare()
    done = bench.run()
    assert (done.status, done.changed) == (status, None)
    assert pretend.did == ["/bin/x y"]
    assert bench.restore().status is StepStatus.NOT_UNDOABLE


def test_a_request_is_judged_by_its_status(pretend):
    pretend.answers["http://127.0.0.1/web"] = 202
    action = Action("http", {"method": "POST", "url_of": "web", "expected_status": 202})
    bench = Bench(pretend, action).prepare()
    assert bench.run().status is StepStatus.SUCCESS
    pretend.answers["http://127.0.0.1/web"] = 0
    assert bench.run().status is StepStatus.FAILED
    assert bench.restore().status is StepStatus.NOT_UNDOABLE


def test_every_kind_that_the_language_offers_is_there():
    from sentienguard.playbook import kinds

    offered = {name for name, kind in kinds.STEPS.items() if kind.available}
    assert offered == set(steps.KINDS)


def test_every_check_that_the_language_offers_is_there():
    from sentienguard.playbook import kinds
    from sentienguard.stages.execute import checks

    offered = {name for name, kind in kinds.CHECKS.items() if kind.available}
    assert offered == set(checks.KINDS)
