"""Every command on a pretended API: JSON is one document, errors are a status and a sentence."""

import contextlib
import json

import httpx
import pytest

from sentienguard.cli import client, main

STORY = {
    "incident": {
        "id": "inc_1", "host": "web-1", "environment": "drill", "status": "CLOSED",
        "outcome": "resolved", "severity": "critical", "metric": "service.healthy",
        "subject": "drill-web", "value": 0.0, "summary": "it worked",
        "opened_at": "2026-02-12T11:26:00Z", "closed_at": "2026-02-12T11:26:09Z",
        "duration_s": 9.0, "earlier": ["inc_0"],
    },
    "tags": {},
    "anomaly": {
        "at": "2026-02-12T11:26:00Z", "value": 0.0, "severity": "critical",
        "reason": "the service does not answer",
    },
    "decision": {
        "route": "RUN_AND_VERIFY", "playbook": "service_restart_hung",
        "parameters": {"service": "drill-web"},
        "confidence": {"value": 0.97, "low": 0.91, "high": 0.99, "items": []},
        "candidates": [{"playbook": "service_restart_hung", "score": 0.97}],
        "verdicts": [{"rule": "risk", "reason": "WARNING", "deciding": True}],
    },
    "approval": {"status": "approved", "decided_by": "dan"},
    "order": {"id": "ord_1", "outcome": "SUCCESS", "status": "finished", "left_behind": ["a"]},
    "timeline": [
        {"index": 3, "at": "2026-02-12T11:26:01Z", "stage": "detect", "kind": "incident.opened",
         "source": "cp", "actor": "", "title": "", "data": {}},
    ],
}  # fmt: skip
APPROVAL = {
    "id": "apr_1", "incident": "inc_1", "environment": "production", "playbook": "p",
    "question": "run p?", "reason": "", "opened_at": "2026-02-12T11:26:00Z",
    "expires_at": "2026-02-12T11:41:00Z", "status": "approved", "decided_by": None,
    "decided_at": None, "note": "", "parameters": {"mount": "/srv"}, "needed": 2, "signed": True,
    "agreed": ["ann"], "agreements": [{"by": "ann", "at": "2026-02-12T11:27:00Z", "note": ""}],
    "lapsed": ["bo: they may no longer answer in production"], "requested_by": None,
}  # fmt: skip
HOST = {
    "agent_id": "a-1", "host": "web-1", "environment": "drill", "tags": {"role": "web"},
    "enrolled_at": "2026-02-12T11:00:00Z", "last_seen": None, "silent": True,
    "open_incidents": 0, "metrics": {"system.cpu_percent": 3.2},
    "certificate_ends": "2026-02-13T11:00:00Z", "quarantined": "two hosts use this identity",
    "root_version": 2,
}  # fmt: skip
PLAYBOOK = {
    "name": "p", "version": "1.0.0", "digest": "sha256:0", "description": "d", "risk": "SAFE",
    "system": "linux", "resource": "disk", "symptom": "full", "approval_required": False,
    "risk_reason": "", "steps": [], "runs": 2, "resolved": 1, "yaml": "name: p\n",
}  # fmt: skip
FREEZE = {"frozen": True, "by": "dan", "at": None, "reason": "r"}
SILENCE = {
    "id": "sil_1", "matchers": [{"label": "host", "comparison": "=~", "value": "web-.*"}],
    "starts_at": "2026-02-12T11:26:00Z", "ends_at": "2026-05-12T12:26:00Z", "by": "dan",
    "reason": "r", "state": "waiting", "next_starts_at": "2026-02-15T01:00:00Z",
    "next_ends_at": "2026-02-15T03:00:00Z",
    "recurrence": {"cron": "0 2 * * sun", "zone": "Europe/Berlin", "minutes": 120},
}  # fmt: skip
PREVIEW = {
    "hosts": ["web-1"], "hosts_total": 12, "open_incidents": [STORY["incident"]],
    "recent_incidents": [],
    "spans": [{"starts_at": "2026-02-15T01:00:00Z", "ends_at": "2026-02-15T03:00:00Z"}],
}  # fmt: skip
CARE = {
    "needs_people": False, "reminders_stopped": True, "acknowledged_by": "dan",
    "acknowledged_at": "2026-02-12T11:26:00Z", "assigned_to": "eve", "assigned_by": "dan",
    "assigned_at": "2026-02-12T11:26:00Z", "settled_by": "dan",
    "settled_at": "2026-02-12T11:26:00Z", "settled_because": "why", "reopens": "inc_0",
    "reopened_as": "inc_2",
}  # fmt: skip
STORY["care"] = CARE
DIAGNOSIS = {
    "asked": True, "absent": "", "abstained": "", "confidence": 0.81, "sure": True,
    "first": {
        "path": ["db-1", "web-1"], "cause": "pool exhausted", "share": 0.9,
        "evidence": ["db-1 moved first"], "against": ["\x1b[31mcache slow"],
    },
    "runner_up": {"object": "cache-1", "score": 0.2},
    "changes": [{"object": "deploy 42"}], "blame": {"is_here": False},
}  # fmt: skip
USER = {"name": "dan", "roles": {"*": "observer"}, "ends": {}}
VERIFIED = {
    "passed": True, "entries": 3, "seconds": 0.01,
    "findings": [{"check": "root", "passed": True, "detail": "fine"}],
}  # fmt: skip
PROOF = {
    "index": 3, "leaf": "{}", "leaf_hash": "00", "tree_size": 4, "path": ["aa", "bb"],
    "checkpoint": "origin\n4\nroot\n",
}  # fmt: skip
TOKEN = {
    "token": "t", "expires_at": "2026-02-12T12:00:00Z", "server": "https://127.0.0.1:7444",
    "pin": "aa", "root_digest": "sha256:0",
}  # fmt: skip

ANSWERS = {
    ("GET", "/incidents"): {"items": [STORY["incident"]], "next_cursor": None},
    ("GET", "/incidents/inc_1"): STORY,
    ("GET", "/incidents/inc_1/record"): {"incident_id": "inc_1"},
    ("POST", "/incidents/inc_1/stop"): STORY["incident"],
    ("GET", "/approvals"): {"items": [APPROVAL]},
    ("GET", "/incidents/inc_1/diagnosis"): DIAGNOSIS,
    ("GET", "/approvals/apr_1"): APPROVAL,
    ("POST", "/approvals/apr_1/approve"): APPROVAL,
    ("POST", "/approvals/apr_1/deny"): {**APPROVAL, "status": "denied"},
    ("GET", "/playbooks"): {"items": [PLAYBOOK]},
    ("GET", "/playbooks/p"): PLAYBOOK,
    ("GET", "/hosts"): {"items": [HOST]},
    ("GET", "/silences"): {"items": [SILENCE]},
    ("POST", "/silences"): SILENCE,
    ("GET", "/silences/sil_1"): SILENCE,
    ("DELETE", "/silences/sil_1"): {**SILENCE, "state": "ended"},
    ("POST", "/silences/preview"): PREVIEW,
    ("GET", "/maintenance"): {"items": [{**SILENCE, "state": "active"}]},
    ("POST", "/maintenance"): SILENCE,
    ("DELETE", "/maintenance/mnt_1"): {**SILENCE, "state": "ended"},
    ("POST", "/incidents/inc_1/acknowledge"): CARE,
    ("POST", "/incidents/inc_1/assign"): CARE,
    ("POST", "/incidents/inc_1/notes"): {"index": 7},
    ("POST", "/incidents/inc_1/close"): CARE,
    ("POST", "/incidents/inc_1/reopen"): STORY["incident"],
    ("POST", "/hosts/a-1/release"): {**HOST, "quarantined": ""},
    ("POST", "/hosts/a-1/strike-off"): HOST,
    ("PUT", "/freeze"): FREEZE,
    ("DELETE", "/freeze"): {**FREEZE, "frozen": False},
    ("POST", "/audit/verify"): VERIFIED,
    ("GET", "/audit/proof/3"): PROOF,
    ("GET", "/users"): {"items": [USER]},
    ("PUT", "/users/dan/roles"): USER,
    ("POST", "/tokens"): TOKEN,
}

COMMANDS = [
    "incidents list", "incidents list --status CLOSED --limit 5", "incidents show inc_1",
    "incidents record inc_1", "incidents stop inc_1 --note why", "approvals list",
    "approvals list --all", "approvals show apr_1", "approvals approve apr_1 --note why",
    "approvals deny apr_1 --note why",
    "playbook list", "playbook show p", "hosts list", "hosts show web-1", "hosts show a-1",
    "hosts release web-1 --reason restored", "hosts strike-off a-1 --reason stolen",
    "silence list", "silence list --all", "silence add web-* --reason why --minutes 5",
    "silence add --match metric=~system.* --reason why --every @sunday --zone Europe/Berlin",
    "silence show sil_1", "silence expire sil_1", "silence preview web-* --match tag.role!=db",
    "maintenance list", "maintenance add --match tag.rack=b7 --comment why",
    "maintenance end mnt_1", "incidents ack inc_1 --note mine", "incidents assign inc_1 eve",
    "incidents assign inc_1", "incidents note inc_1 seen", "incidents close inc_1 --reason why",
    "incidents reopen inc_1 --reason why", "freeze because", "unfreeze",
    "audit verify", "audit prove 3", "users list", "users roles dan --role *=observer",
    "tokens add drill", "drill list", "settings", "version",
]  # fmt: skip


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What was asked of a pretended control plane."""
    seen = []

    def handle(request):
        path = request.url.path.removeprefix("/api/v1")
        seen.append((request.method, path, dict(request.url.params), request.content))
        if (request.method, path) in ANSWERS:
            return httpx.Response(200, json=ANSWERS[request.method, path])
        return httpx.Response(404, json={"detail": f"nothing is at {path}"})

    @contextlib.contextmanager
    def connect(data):
        with client.Client("http://127.0.0.1:1", "t", httpx.MockTransport(handle)) as made:
            yield made

    monkeypatch.setattr(client, "connect", connect)
    monkeypatch.setenv("SENTIENGUARD_DATA", str(tmp_path))
    return seen


@pytest.mark.parametrize("command", COMMANDS)
def test_with_json_a_command_prints_one_document(asked, capsys, command):
    assert main.main([*command.split(), "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


@pytest.mark.parametrize("command", COMMANDS)
def test_for_people_a_command_prints_something_short(asked, capsys, command):
    assert main.main(command.split()) == 0
    out = capsys.readouterr().out
    assert out.strip()
    assert "\x1b" not in out  # no terminal, no colours


def test_every_command_of_the_design_has_json(capsys):
    for command in (["up"], ["down"], ["demo"], ["drill", "run"], ["drill", "run-all"], ["doctor"],
                    ["login"], ["users", "add"], ["playbook", "lint"]):  # fmt: skip
        assert main.main([*command, "--help"]) == 0
        assert "--json" in capsys.readouterr().out


def test_what_the_server_refuses_is_status_1_and_its_words(asked, capsys):
    assert main.main(["incidents", "show", "inc_9"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "sentienguard: nothing is at /incidents/inc_9\n"


@pytest.mark.parametrize("words", [[], ["--note", ""], ["--note", " "]])
def test_a_denial_without_a_reason_is_asked_of_nobody(asked, capsys, words):
    assert main.main(["approvals", "deny", "apr_1", *words]) == 1
    assert "apr_1: a denial needs a reason; say it with --note WHY" in capsys.readouterr().err
    assert not asked


def test_no_control_plane_is_status_3(tmp_path, capsys):
    assert main.main(["hosts", "list", "--json", "--data", str(tmp_path)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "sentienguard up" in captured.err


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["hosts"], ["incidents", "list", "--limit", "many"], ["up", "--interval", "0"],
     ["silence", "add", "web-1"], ["silence", "add", "--match", "host", "--reason", "why"],
     ["silence", "add", "x", "--reason", "why", "--until", "soon"], ["audit", "prove", "-1"]],
)  # fmt: skip
def test_wrong_usage_is_status_2_and_goes_to_stderr(capsys, words):
    assert main.main(words) == 2
    captured = capsys.readouterr()
    assert captured.err or captured.out  # a group without a command shows its help


@pytest.mark.parametrize(
    ("given", "label", "comparison", "value"),
    [
        ("host=web-1", "host", "=", "web-1"),
        ('metric=~"system\\..*"', "metric", "=~", "system\\..*"),
        ("tag.role != db", "tag.role", "!=", "db"),
        ('subject!~"/srv|/var"', "subject", "!~", "/srv|/var"),
        ("tag.note=a=b", "tag.note", "=", "a=b"),
        ("tag.rack=", "tag.rack", "=", ""),
        ('tag.rack=""', "tag.rack", "=", ""),
    ],
)
def test_a_matcher_is_read_as_in_alertmanager(asked, given, label, comparison, value):
    assert main.main(["silence", "add", "--reason", "why", "--match", given]) == 0
    body = json.loads(asked[-1][3])
    assert body["matchers"] == [{"label": label, "comparison": comparison, "value": value}]
    assert body["minutes"] == 60


def test_a_recurring_silence_is_asked_for_with_its_zone(asked):
    words = ["silence", "add", "db-*", "--reason", "why", "--every", "0 2 * * sun", "--zone",
             "Europe/Berlin", "--lasts", "120", "--until", "2026-05-12T12:00Z",
             "--from", "2026-02-12T12:00+00:00"]  # fmt: skip
    assert main.main(words) == 0
    body = json.loads(asked[-1][3])
    assert body["recurrence"] == {"cron": "0 2 * * sun", "zone": "Europe/Berlin", "minutes": 120}
    assert body["host_pattern"] == "db-*"
    assert "minutes" not in body
    for name, day in (("starts_at", "2026-02-12"), ("ends_at", "2026-05-12")):
        assert body[name].startswith(day)
        assert body[name][19] in "+-"  # with its offset


@pytest.mark.parametrize("role", ["production", "production=", "=observer"])
def test_a_role_that_is_no_pair_is_wrong_usage(asked, role):
    assert main.main(["users", "roles", "dan", "--role", role]) == 2
    assert not asked


def test_a_password_crosses_no_network_in_clear_text(tmp_path, capsys):
    words = ["login", "--server", "http://centre.example:7443", "--name", "dan"]
    assert main.main([*words, "--data", str(tmp_path)]) == 2
    assert "clear text" in capsys.readouterr().err


def test_a_host_that_is_not_there_is_named_with_those_that_are(asked, capsys):
    assert main.main(["hosts", "show", "web-2"]) == 1
    assert "web-1 (a-1)" in capsys.readouterr().err


def test_a_failed_verification_is_status_1(asked, monkeypatch, capsys):
    finding = {"check": "root", "passed": False, "detail": "entry 2 is not what was signed"}
    changed = {**VERIFIED, "passed": False, "findings": [finding]}
    monkeypatch.setitem(ANSWERS, ("POST", "/audit/verify"), changed)
    assert main.main(["audit", "verify"]) == 1
    out = capsys.readouterr().out
    assert "NOT verified" in out
    assert "entry 2 is not what was signed" in out


@pytest.mark.parametrize("content", ["steps: [", "name: x\n", ""])
def test_lint_names_file_and_line_and_fails(tmp_path, capsys, content):
    file = tmp_path / "playbook.yaml"
    file.write_text(content)
    assert main.main(["playbook", "lint", str(file)]) == 1
    assert str(file) in capsys.readouterr().out
    assert main.main(["playbook", "lint", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["signable"] is False
    assert found["findings"]


def test_lint_of_a_file_that_is_not_there_is_an_error(tmp_path, capsys):
    assert main.main(["playbook", "lint", str(tmp_path / "none.yaml")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_lint_accepts_what_is_bundled(capsys):
    from sentienguard.cli.installation import bundled

    file = bundled.directory() / "disk_cleanup_rotated_logs/playbook.yaml"
    assert main.main(["playbook", "lint", str(file)]) == 0
    assert "can be signed" in " ".join(
        capsys.readouterr().out.split()
    )  # the path may break the line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base: nothing\n", "expected one of"),
        ("base: disk-full\nparameters: {size: 3}\n", "percent, files"),
        ("base: disk-full\nextra: 1\n", "expected a mapping"),
        ("[", "YAML"),
    ],
)
def test_a_variation_that_is_none_is_refused_before_anything_starts(tmp_path, capsys, text, said):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    words = ["drill", "run", str(file), "--data", str(tmp_path / "data")]
    assert main.main(words) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_drill_that_is_not_there_is_refused_with_those_that_are(tmp_path, capsys):
    assert main.main(["drill", "run", "flood", "--data", str(tmp_path / "data")]) == 1
    assert "disk-full, service-hung" in capsys.readouterr().err


def test_a_setting_that_is_unknown_is_named_with_its_file(tmp_path, capsys):
    (tmp_path / "controlplane").mkdir()
    (tmp_path / "controlplane/sentienguard.yaml").write_text("intervall_s: 3\n")
    assert main.main(["settings", "--data", str(tmp_path)]) == 1
    assert "intervall_s" in capsys.readouterr().err
