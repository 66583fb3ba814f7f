from datetime import timedelta

import pytest

from sentienguard.model import ids
from sentienguard.model.playbook import (
    Action,
    FailAction,
    Param,
    ParamType,
    Risk,
    Slots,
)
from sentienguard.playbook import fields, parse

WHOLE = """\
name: disk_cleanup
version: "1.4.2"
description: Disk full, frees space by deleting old files.
match: {system: linux, resource: disk, symptom: full}
metrics: [system.disk_usage_percent]
risk: WARNING
parameters:
  mount: {type: mountpoint, description: the full volume}
  age: {type: duration, minimum: 1d, maximum: 30d, default: 7d}
  service: {type: service}
guard: disk_usage > 85%
pre_execution_checks:
  - name: significant
    type: condition
    condition: anomaly_sigma >= 3.0
    fail_action: wait
    max_wait_seconds: 60
    timeout_seconds: 5
    reason: only for what matters
steps:
  - name: stop_it
    action: service
    operation: stop
    service: {param: service}
    rollback: start_it
  - name: clean
    action: fs
    operation: clean
    path: {param: mount}
    below: var/cache
    pattern: "*.tmp"
    min_age: {param: age}
    max_files: 10
    only_if: disk_usage > 80%
    timeout: 90s
    rollback_timeout: 30s
    rollback: {skip: gone is gone}
    verify:
      - type: metric
        metric: disk_usage
        threshold: "< 80%"
  - name: start_it
    action: service
    operation: start
    service: {param: service}
    rollback: {action: service, operation: stop, service: {param: service}}
verification:
  - type: process
    name: postgresql
    min_uptime: 10s
  - name: up
    type: process
    service: {param: service}
  - type: http
    url: http://localhost:8080/health
    timeout: 5s
    retry: 2
    retry_delay: 10s
  - type: command
    command: /usr/bin/pg_isready -U postgres
approval_gate: {required: true}
exclusions: {host_pattern: "*.prod.*"}
needs: ["write:@mount", "service:@service"]
max_per_hour: 3
idempotent: true
estimated_duration: 2m
"""


def test_every_key_of_a_whole_playbook_is_read():
    stored = WHOLE.encode()
    playbook = parse.load(stored, origin="x.yaml")
    assert playbook.name == "disk_cleanup"
    assert playbook.version == "1.4.2"
    assert playbook.digest == ids.digest(stored)
    assert playbook.slots == Slots("linux", "disk", "full")
    assert playbook.metrics == ("system.disk_usage_percent",)
    assert playbook.risk is Risk.WARNING
    assert [p.type for p in playbook.parameters] == [
        ParamType.MOUNTPOINT,
        ParamType.DURATION,
        ParamType.SERVICE,
    ]
    age = playbook.parameters[1]
    assert (age.minimum, age.maximum, age.default) == (86_400, 30 * 86_400, "7d")
    assert playbook.guard == "disk_usage > 85%"
    assert (playbook.approval_required, playbook.exclusions) == (True, ("*.prod.*",))
    assert (playbook.needs, playbook.max_per_hour) == (("write:@mount", "service:@service"), 3)
    assert (playbook.idempotent, playbook.estimated_seconds) == (True, 120)


def test_a_check_is_read_with_its_limits():
    check = parse.load(WHOLE.encode(), origin="x").pre_checks[0]
    assert (check.name, check.kind, check.reason) == (
        "significant",
        "condition",
        "only for what matters",
    )
    assert check.fields == {"condition": "anomaly_sigma >= 3.0"}
    assert check.fail_action is FailAction.WAIT
    assert (check.max_wait, check.timeout) == (timedelta(minutes=1), timedelta(seconds=5))


def test_steps_are_read_with_typed_fields_and_their_undo():
    stop, clean, start = parse.load(WHOLE.encode(), origin="x").steps
    assert clean.action == Action(
        "fs",
        {
            "operation": "clean",
            "path": Param("mount"),
            "below": "var/cache",
            "pattern": "*.tmp",
            "min_age": Param("age"),
            "max_files": 10,
        },
    )
    assert (clean.only_if, clean.timeout) == ("disk_usage > 80%", timedelta(seconds=90))
    assert (clean.undo.action, clean.undo.reason) == (None, "gone is gone")
    assert clean.undo.timeout == timedelta(seconds=30)
    assert [check.kind for check in clean.verify] == ["metric"]
    assert stop.undo.action == start.action
    assert start.undo.action == stop.action


def test_verifications_have_the_fields_that_the_executor_reads():
    process, service, http, command = parse.load(WHOLE.encode(), origin="x").verification
    assert process.fields == {"name": "postgresql", "state": "running", "min_uptime": 10.0}
    assert service.fields == {"service": Param("service"), "state": "running"}
    assert (process.name, service.name) == ("process_1", "up")
    assert http.fields == {"url": "http://localhost:8080/health", "expected_status": 200}
    assert (http.timeout, http.retry, http.retry_delay) == (
        timedelta(seconds=5),
        2,
        timedelta(seconds=10),
    )
    assert command.fields == {
        "argv": ("/usr/bin/pg_isready", "-U", "postgres"),
        "expected_exit_code": 0,
    }


def broken(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(parse.BrokenPlaybook) as error:
        parse.load(text.encode(), origin="x.yaml")
    return [(p.line, p.path, p.expected) for p in error.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "line", "path"),
    [
        ("name: disk_cleanup", "name: Disk-Cleanup", 1, "name"),
        ('version: "1.4.2"', "version: 1.4", 2, "version"),
        ("metrics:", "metricks:", 5, "metricks"),
        ("{system: linux,", "{sistem: linux,", 4, "match.sistem"),
        ("risk: WARNING", "risk: LOW", 6, "risk"),
        ("type: mountpoint", "type: text", 8, "parameters.mount.type"),
        ("type: mountpoint", "type: enum", 8, "parameters.mount"),
        ("guard: disk_usage > 85%", "guard: disk_usage", 11, "guard"),
        ("type: condition", "type: conditions", 14, "pre_execution_checks[0].type"),
        ("fail_action: wait", "fail_action: hope", 16, "pre_execution_checks[0].fail_action"),
        ("timeout_seconds: 5", "timeout_seconds: 0", 18, "pre_execution_checks[0].timeout_seconds"),
        ("operation: stop", "operation: halt", 23, "steps[0].operation"),
        ("{param: service}\n    rollback: start", "{param: x}\n    rollback: start", 24,
         "steps[0].service"),
        ("path: {param: mount}", "path: {param: service}", 29, "steps[1].path"),
        ("path: {param: mount}", "path: var/cache", 29, "steps[1].path"),
        ("path: {param: mount}", "path: /var/../etc", 29, "steps[1].path"),
        ("below: var/cache", "below: ../etc", 30, "steps[1].below"),
        ("below: var/cache", "below: {param: mount}", 30, "steps[1].below"),
        ('pattern: "*.tmp"', 'pattern: "a/*.tmp"', 31, "steps[1].pattern"),
        ("min_age: {param: age}", "min_age: {param: mount}", 32, "steps[1].min_age"),
        ("    min_age: {param: age}\n", "", 26, "steps[1]"),
        ("max_files: 10", "max_files: 0", 33, "steps[1].max_files"),
        ("only_if: disk_usage > 80%", "only_if: disk_usage > banana", 34, "steps[1].only_if"),
        ("timeout: 90s", "timeout: 2d", 35, "steps[1].timeout"),
        ("name: clean", "name: stop_it", 26, "steps[1].name"),
        ('threshold: "< 80%"', "threshold: 80%", 41, "steps[1].verify[0].threshold"),
        ("url: http://localhost:8080/health", "url: file:///etc", 55, "verification[2].url"),
        ("    url: http://localhost:8080/health\n", "", 54, "verification[2]"),
        ("command: /usr/bin/pg_isready -U postgres", "command: df | sort", 60,
         "verification[3].command"),
        ("required: true", "required: yes please", 61, "approval_gate.required"),
        ("max_per_hour: 3", "max_per_hour: 100", 64, "max_per_hour"),
        ("write:@mount", "sudo", 63, "needs[0]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_place(old, new, line, path):
    assert WHOLE.count(old) >= 1
    problems = broken(WHOLE.replace(old, new, 1))
    assert (line, path) in [(at, where) for at, where, _ in problems]


def test_every_problem_is_told_at_once_and_names_the_file():
    text = WHOLE.replace("risk: WARNING", "risk: LOW").replace("max_files: 10", "max_files: -1")
    with pytest.raises(parse.BrokenPlaybook) as error:
        parse.load(text.encode(), origin="x.yaml")
    assert len(error.value.problems) == 2
    first, second = str(error.value).splitlines()
    assert first == "x.yaml: line 6: risk: expected one of SAFE, WARNING, CRITICAL, found 'LOW'"
    assert second.startswith("x.yaml: line 33: steps[1].max_files: expected a whole number from 1")
    assert second.endswith(", found -1")


def test_an_unknown_key_is_told_with_the_nearest_one():
    with pytest.raises(parse.BrokenPlaybook, match=r"'descripton' \(did you mean description\?\)"):
        parse.load(WHOLE.replace("description: Disk", "descripton: Disk").encode(), origin="x")


def test_what_a_playbook_needs_is_told_where_it_is_absent():
    assert {expected for _, _, expected in broken("guard: disk_usage > 1\n")} == set(parse.NEEDED)


def test_an_absent_key_has_the_most_cautious_value():
    playbook = parse.load_draft(b"name: x1\n", origin="x").playbook
    assert playbook.risk is Risk.CRITICAL
    assert playbook.idempotent is False
    assert playbook.max_per_hour == 1


def test_an_approval_gate_that_cannot_be_read_is_required():
    assert parse.load_draft(
        b"approval_gate: {required: 1}\n", origin="x"
    ).playbook.approval_required


@pytest.mark.parametrize(
    "parameter", ["mount}/x", "{param: mount}", "${mount}", "{{ mount }}", "%(mount)s"]
)
def test_nothing_inside_text_is_ever_replaced(parameter):
    text = f"- name: a\n  argv: [/usr/bin/true, '{parameter}']\n  action: ssh_command\n"
    (step,) = parse.load_draft(text.encode(), origin="x").playbook.steps
    assert step.action.fields["argv"] == ("/usr/bin/true", parameter)


def test_the_program_itself_is_never_a_parameter():
    text = WHOLE.replace(
        "command: /usr/bin/pg_isready -U postgres", "argv: [{param: service}, status]"
    )
    assert (60, "verification[3].argv", "a list: a program, then its arguments") in broken(text)


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("systemctl stop nginx", ("systemctl", "stop", "nginx")),
        ("a 'b c' \"d e\"", ("a", "b c", "d e")),
        ("aws x \\\n  --y z\n", ("aws", "x", "--y", "z")),
    ],
)
def test_plain_command_text_is_split(command, argv):
    assert fields.split_command(command) == argv


@pytest.mark.parametrize(
    "command",
    ["a | b", "a && b", "a; b", "a > b", "a < b", "$(a)", "`a`", "rm *", "a ?", "a [x]", "~/a",
     "a {b,c}", "a # b", "a !b", "'unbalanced", "a\nb", ""],
)  # fmt: skip
def test_command_text_that_only_a_shell_could_run_is_not_split(command):
    with pytest.raises(fields.NeedsShell):
        fields.split_command(command)


@pytest.mark.parametrize("pattern", ["(a+)+", "(", r"(a)\1", "x" * 201, "a**"])
def test_a_pattern_that_could_be_slow_or_is_none_is_refused(pattern):
    text = f"verification:\n  - {{type: log_check, file: /var/log/x, pattern: '{pattern}'}}\n"
    (problem,) = parse.load_draft(text.encode(), origin="x").problems
    assert problem.path == "verification[0].pattern"


def test_restore_is_an_undo_and_no_step():
    step = "- {name: a, action: fs, operation: restore, rollback: {skip: x}}\n"
    (problem,) = parse.load_draft(step.encode(), origin="x").problems
    assert problem.path == "steps[0].operation"
    undo = (
        "- {name: a, action: fs, operation: set_setting, path: /etc/x, key: k, value: v,"
        " rollback: {action: fs, operation: restore}}\n"
    )
    draft = parse.load_draft(undo.encode(), origin="x")
    assert draft.problems == ()
    assert draft.playbook.steps[0].undo.action == Action("fs", {"operation": "restore"})


def test_a_process_step_keeps_its_own_name_beside_that_of_the_process():
    text = (
        "parameters: {pid: {type: pid}}\n"
        "steps: [{name: a, action: process, operation: renice, pid: {param: pid},"
        " process_name: gzip}]\n"
    )
    draft = parse.load_draft(text.encode(), origin="x")
    assert draft.problems == ()
    assert draft.playbook.steps[0].action.fields == {
        "operation": "renice",
        "pid": Param("pid"),
        "name": "gzip",
        "nice": 10,
    }
