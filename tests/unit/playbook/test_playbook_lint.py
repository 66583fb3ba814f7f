import re
from pathlib import Path

import pytest

from sentienguard.playbook import lint, parse

CLEAN = """\
name: cache_cleanup
version: "1.0.0"
description: >
  Disk full because the web cache keeps objects nobody asks for any more, usage above 85 percent.
  Deletes objects older than two days and leaves younger ones alone.
match: {system: linux, resource: disk, symptom: full}
risk: SAFE
risk_reason: Old objects are deleted for good, at most 100; each is fetched when it is asked for.
idempotent: true
needs: ["write:@mount"]
parameters:
  mount: {type: mountpoint}
guard: disk_usage > 85%
steps:
  - name: clean
    action: fs
    operation: clean
    path: {param: mount}
    pattern: "*.obj"
    min_age: 2d
    max_files: 100
    rollback: {skip: an object is fetched again}
verification:
  - {type: metric, metric: disk_usage, threshold: "< 80%"}
  - {type: condition, condition: disk_free > 1MB}
"""
STEP = CLEAN[CLEAN.index("    action: fs") : CLEAN.index("    rollback:")]


def found(text: str) -> dict[str, lint.Finding]:
    findings = lint.lint(parse.load_draft(text.encode(), origin="x.yaml"))
    return {finding.rule: finding for finding in findings}


def test_a_clean_playbook_has_no_finding_and_can_be_signed():
    assert found(CLEAN) == {}
    assert lint.signable(())


def command(text: str) -> str:
    return f"    action: ssh_command\n    {text}\n"


CASES = [
    ("weak-description", "error", CLEAN[CLEAN.index("  Disk full") : CLEAN.index("match:")],
     "  Disk full\n"),
    ("no-risk-reason", "warning",
     CLEAN[CLEAN.index("risk_reason") : CLEAN.index("idempotent")], ""),
    ("unusual-slot", "warning", "resource: disk", "resource: disc"),
    ("no-undo", "error", "    rollback: {skip: an object is fetched again}\n", ""),
    ("no-undo", "error", "rollback: {skip: an object is fetched again}", "rollback: skip"),
    ("slow-undo", "warning", "rollback: {skip: an object is fetched again}",
     "timeout: 10s\n    rollback: {action: fs, operation: restore}"),
    ("no-verification", "error", CLEAN[CLEAN.index("verification:") :], ""),
    ("one-verification", "warning", "  - {type: condition, condition: disk_free > 1MB}\n", ""),
    ("no-guard", "error", "guard: disk_usage > 85%\n", ""),
    ("guard-not-measured", "error", "guard: disk_usage > 85%", "guard: anomaly_sigma > 3"),
    ("guard-not-measured", "error", "guard: disk_usage > 85%",
     "guard: disk_usage > 85% or anomaly_sigma > 3"),
    ("unknown-fact", "error", "disk_free > 1MB", "disk_fre > 1MB"),
    ("fact-of-nothing", "error", "disk_free > 1MB", "service_status == running"),
    ("wrong-type", "error", "disk_free > 1MB", "severity == 3"),
    ("wrong-unit", "error", "disk_free > 1MB", "disk_free > 5m"),
    ("impossible-value", "error", "disk_free > 1MB", "severity == urgent"),
    ("check-changes-something", "error", "{type: condition, condition: disk_free > 1MB}",
     "{type: sql, query: SELECT pg_terminate_backend(1)}"),
    ("unavailable", "error", STEP, "    action: kubectl_delete\n    resource: pod\n"),
    ("unbound-value", "error", "{type: condition, condition: disk_free > 1MB}",
     "{type: sql, query: SELECT $1}"),
    ("harmful", "error", STEP, "    action: sql_query\n    query: VACUUM FULL t\n"),
    ("unused-parameter", "warning", "  mount: {type: mountpoint}",
     "  mount: {type: mountpoint}\n  share: {type: percent}"),
    ("unbounded-parameter", "error", "  mount: {type: mountpoint}",
     "  mount: {type: mountpoint}\n  age: {type: duration}"),
    ("two-subjects", "error", "  mount: {type: mountpoint}",
     "  mount: {type: mountpoint}\n  other: {type: mountpoint}"),
    ("endless-wait", "error", "steps:",
     "pre_execution_checks: [{type: maintenance, fail_action: wait}]\nsteps:"),
    ("risk-too-low", "error", "operation: clean", "operation: truncate"),
    ("unbounded-delete", "error", '"*.obj"', '"*"'),
    ("unbounded-delete", "error", "path: {param: mount}", "path: /etc/app/cache"),
    ("unbounded-delete", "error", "path: {param: mount}", "path: /var"),
    ("precious-files", "error", '"*.obj"', '"*.pid"'),
    ("precious-files", "error", '"*.obj"', '"*.log.*"'),
    ("precious-files", "error", "    pattern:", "    below: lib/main/pg_wal\n    pattern:"),
    ("young-files", "warning", "min_age: 2d", "min_age: 5m"),
    ("no-limit", "warning", "    max_files: 100\n", ""),
    ("shell", "error", STEP, command("command: cat a | b")),
    ("interpreter", "error", STEP, command("argv: [/bin/sh, -c, exit]")),
    ("interpreter", "error", STEP, command("argv: [/usr/bin/python3.11, x.py, {param: mount}]")),
    ("interpreter", "error", STEP, command("argv: [/usr/bin/tar, xf, {param: mount}]")),
    # What starts another program is as good as that program, whatever it is called itself.
    ("interpreter", "error", STEP, command("argv: [/usr/bin/timeout, '5', sh, -c, exit]")),
    ("interpreter", "error", STEP, command("argv: [/usr/bin/nice, {param: mount}]")),
    ("interpreter", "error", STEP, command("argv: [/usr/bin/systemd-run, {param: mount}]")),
    ("interpreter", "error", STEP, command("argv: [/usr/bin/busctl, call, {param: mount}]")),
    ("program-not-absolute", "error", STEP, command("argv: [nginx, -t]")),
    ("not-idempotent", "error", STEP, command("command: echo done >> /var/log/x")),
    ("not-idempotent", "error", STEP, command("argv: [/usr/bin/tee, --append, /var/log/x]")),
    ("not-idempotent", "error", STEP, command("argv: [/bin/dd, oflag=append, of=/var/x]")),
    ("not-idempotent", "error", STEP, command("argv: [/usr/bin/redis-cli, RPUSH, list, x]")),
    ("not-idempotent", "error", STEP, command("argv: [/usr/bin/redis-cli, INCRBY, n, '2']")),
    ("not-idempotent", "error", STEP,
     "    action: sql_query\n    query: UPDATE t SET n = n + 1\n"),
    ("not-idempotent", "error", STEP,
     "    action: http\n    method: POST\n    url: http://localhost:9000/notify\n"),
    ("unbounded-delete", "error", STEP, "    action: sql_query\n    query: DELETE FROM t\n"),
    ("unbounded-delete", "error", STEP, "    action: sql_query\n    query: truncate table t\n"),
    ("unbounded-delete", "error", STEP, "    action: sql_query\n    query: DROP TABLE t\n"),
    ("unbounded-delete", "error", STEP, "    action: kubectl_delete\n    resource: pod\n"),
    ("unbounded-delete", "error", STEP, command("argv: [/usr/bin/unlink, /srv/x/y]")),
    ("undeclared-need", "error", STEP, command("argv: [/bin/cp, /srv/a, /etc/app.conf]")),
    ("undeclared-need", "error", STEP, command("argv: [/bin/chmod, '0644', /srv/a, /srv/b]")),
    ("not-idempotent", "error", STEP, command("command: echo $((n + 1)) > /var/n")),
    ("not-idempotent", "error", STEP, command("command: sendmail -t ops@example.com")),
    ("not-idempotent", "error", STEP,
     command("argv: [/usr/bin/psql, -c, INSERT INTO t VALUES (1)]")),
    ("not-idempotent", "warning", "idempotent: true", "idempotent: false"),
    ("built-in-fact", "error", STEP, command("argv: [/bin/df, -h, /]")),
    ("typed-action", "error", STEP, command("argv: [/bin/systemctl, restart, nginx]")),
    ("typed-action", "error", STEP, command("argv: [/usr/bin/pkill, gzip]")),
    ("unbounded-delete", "error", STEP, command("argv: [/bin/rm, -rf, /var/cache/nginx]")),
    ("test-only", "error", STEP, command("argv: [/usr/bin/fallocate, -l, 1G, /tmp/x]")),
    ("harmful", "error", STEP, command("argv: [/bin/rm, /var/lib/pg/postmaster.pid]")),
    ("undeclared-need", "error", 'needs: ["write:@mount"]\n', ""),
    ("unused-need", "warning", '["write:@mount"]', '["write:@mount", kill]'),
    ("not-loopback", "error", "{type: condition, condition: disk_free > 1MB}",
     "{type: http, url: 'http://evil.example/x'}"),
    ("not-loopback", "error", "{type: condition, condition: disk_free > 1MB}",
     "{type: http, url: 'http://localhost@evil.example/'}"),
    ("check-changes-something", "error", "{type: condition, condition: disk_free > 1MB}",
     "{type: command, argv: [/bin/rm, /x]}"),
    ("language", "error", "risk: SAFE", "risk: NONE"),
    ("unfinished", "error", 'version: "1.0.0"\n', ""),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "level", "old", "new"), CASES)
def test_a_rule_finds_what_it_is_for(rule, level, old, new):
    assert old in CLEAN
    findings = found(CLEAN.replace(old, new, 1))
    assert rule in findings
    assert findings[rule].level == level
    assert findings[rule].way_out
    assert lint.signable(tuple(findings.values())) is all(
        finding.level == "warning" for finding in findings.values()
    )


SQL = "    action: sql_query\n    query: "
HARMLESS = [  # what looks alike and is none of it
    ("not-idempotent", f"{SQL}INSERT INTO t VALUES (1) ON CONFLICT (id) DO NOTHING\n"),
    ("not-idempotent", f"{SQL}INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1\n"),
    ("not-idempotent", f"{SQL}UPDATE t SET n = m + 1\n"),
    ("not-idempotent", command("argv: [/usr/bin/tee, /var/log/x]")),
    ("not-idempotent", command("argv: [/usr/bin/app, --increase]")),
    ("not-idempotent", "    action: http\n    method: POST\n    url: http://localhost/reload\n"),
    ("not-idempotent", "    action: http\n    method: GET\n    url: http://localhost/notify\n"),
    ("unbounded-delete", f"{SQL}DELETE FROM t WHERE at < now()\n"),
    ("unbounded-delete", "    action: kubectl_delete\n    resource: pod\n    object_name: web\n"),
    ("unbounded-delete", "    action: kubectl_delete\n    resource: pod\n    selector: app=web\n"),
    ("unbounded-delete", command("argv: [/usr/bin/app, --rmdir-cache]")),
    ("interpreter", command("argv: [/usr/sbin/nginx, -t]")),
    ("risk-too-low", "    action: service\n    operation: start\n    service: nginx\n"),
    ("shell", command("argv: [/usr/bin/app, 'a b']")),
]


@pytest.mark.parametrize(("rule", "step"), HARMLESS)
def test_what_looks_alike_is_not_found(rule, step):
    assert rule not in found(CLEAN.replace(STEP, step))


def test_what_a_program_writes_has_to_be_declared_where_it_writes():
    text = CLEAN.replace(STEP, command("argv: [/bin/cp, /etc/app.default, /srv/app/app.conf]"))
    needs = 'needs: ["write:@mount"]'
    for declared, undeclared in (
        ('needs: ["run:/bin/cp", "write:/srv/app"]', False),
        ('needs: ["run:/bin/cp", "write:/srv/other"]', True),
        ('needs: ["run:/bin/cp"]', True),
    ):
        findings = found(text.replace(needs, declared))
        assert ("undeclared-need" in findings) is undeclared
        assert "unused-need" not in findings or undeclared


def test_a_description_in_many_words_and_a_step_with_a_reason_are_fine():
    assert {"weak-description", "no-undo", "no-verification"} & set(found(CLEAN)) == set()


def test_a_restart_without_guard_or_condition_is_found():
    step = "    action: service\n    operation: restart\n    service: nginx\n"
    text = CLEAN.replace(STEP, step).replace("guard: disk_usage > 85%\n", "")
    assert "unconditional-restart" in found(text)
    assert "unconditional-restart" not in found(
        text.replace("service: nginx\n", "service: nginx\n    only_if: disk_usage > 85%\n")
    )


LINTING = ("lint.py", "lint_safety.py", "lint_statements.py")


def test_every_rule_has_a_case_here_and_a_row_in_the_reference():
    sources = Path(lint.__file__).parent
    code = "".join((sources / name).read_text() for name in LINTING)
    named = set(re.findall(r'(?:error|warning)\(\s*"([a-z-]+)"', code))
    known = (sources / "commands.py").read_text()
    named |= set(re.findall(r'^        "([a-z-]+)",\n        r"', known, re.MULTILINE))
    assert len(named) > 30
    cases = {rule for rule, _, _, _ in CASES} | {"unconditional-restart"}
    assert named == cases
    reference = (Path(__file__).parents[3] / "docs/reference/playbooks.md").read_text()
    assert {rule for rule in named if f"`{rule}`" not in reference} == set()


def test_findings_stand_in_the_order_of_the_document_with_their_lines():
    text = CLEAN.replace("    max_files: 100\n", "").replace("resource: disk", "resource: disc")
    findings = lint.lint(parse.load_draft(text.encode(), origin="x"))
    assert [(f.line, f.rule) for f in findings] == [(6, "unusual-slot"), (15, "no-limit")]


def test_a_loaded_playbook_is_linted_without_lines():
    text = CLEAN.replace("    max_files: 100\n", "")
    (finding,) = lint.lint(parse.load(text.encode(), origin="x"))
    assert (finding.line, finding.path, finding.rule) == (None, "steps[0]", "no-limit")


def test_a_reason_beside_the_playbook_is_enough_and_its_own_goes_first():
    start, end = CLEAN.index("risk_reason"), CLEAN.index("idempotent")
    silent = parse.load_draft((CLEAN[:start] + CLEAN[end:]).encode(), origin="x.yaml")
    assert [one.rule for one in lint.lint(silent)] == ["no-risk-reason"]
    assert lint.lint(silent, reason_beside="It can be fetched again.") == ()
