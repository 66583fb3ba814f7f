"""Every YAML example of the product's first descriptions loads unchanged, as a draft."""

from pathlib import Path

import pytest

from sentienguard.playbook import lint, parse

SEEDS = Path(__file__).parents[2] / "fixtures" / "seed_playbooks"
FILES = sorted(SEEDS.glob("*.yaml"))


def findings(name: str) -> set[str]:
    stored = (SEEDS / f"{name}.yaml").read_bytes()
    return {finding.rule for finding in lint.lint(parse.load_draft(stored, origin=name))}


def test_all_examples_are_here():
    assert len(FILES) == 21


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_loads_as_a_draft_with_nothing_wrong_and_cannot_be_signed(file):
    draft = parse.load_draft(file.read_bytes(), origin=file.name)
    assert draft.problems == ()
    assert draft.missing
    assert not lint.signable(lint.lint(draft))
    with pytest.raises(parse.BrokenPlaybook):
        parse.load(file.read_bytes(), origin=file.name)


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("disk_cleanup_test", {"shell", "built-in-fact", "test-only", "unbounded-delete"}),
        ("nginx_restart", {"shell", "unbounded-delete", "typed-action", "no-undo"}),
        ("ssh_command", {"unbounded-delete", "interpreter", "no-undo"}),
        ("aws_cli", {"unavailable", "not-idempotent"}),
        ("kubectl_delete", {"unavailable"}),
        ("sql_query_allowed", {"unbounded-delete"}),
        ("postgres_connection_pool_reset", {"no-guard", "no-verification"}),
        ("partial_rollback", {"unfinished", "program-not-absolute"}),
        ("verification_command", {"program-not-absolute"}),
    ],
)
def test_lint_names_what_an_example_lacks_and_the_way_out(name, rules):
    assert rules <= findings(name)


def test_the_examples_mean_what_they_meant():
    def draft(name):
        return parse.load_draft((SEEDS / f"{name}.yaml").read_bytes(), origin=name).playbook

    (cloud,) = draft("aws_cli").steps
    assert cloud.action.fields["argv"] == (
        *("aws", "ec2", "create-snapshot", "--volume-id", "vol-1234567890abcdef"),
        *("--description", "Automated snapshot before maintenance"),
    )
    assert cloud.timeout.total_seconds() == 300
    stop, cache, start = draft("nginx_restart").steps
    assert stop.undo.action.fields["argv"] == ("systemctl", "start", "nginx")
    assert cache.undo.action is None
    assert start.action.kind == "ssh_command"
    (migration,) = draft("rollback_timeout").steps
    assert migration.undo.timeout.total_seconds() == 60
    checks = draft("postgres_connection_pool_reset").pre_checks
    assert [check.fail_action for check in checks] == ["abort", "abort", "abort", "wait"]
    assert checks[2].fields == {"tag": "maintenance_mode", "expect_value": False}
    (log,) = draft("verification_log_check").verification
    assert log.fields == {
        "file": "/var/log/application.log",
        "pattern": "ERROR|FATAL",
        "max_matches": 0,
        "lookback": 60.0,
    }
    assert draft("approval_gate").approval_required
    assert draft("exclusions").exclusions == ("*.prod.*",)
