"""No kind of step or check is without a test that has a real executor run it on the real thing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import execution, real_kinds

ROOT = Path(__file__).parents[2]
WITHIN_S = 280.0  # collecting takes ten seconds of processor; a busy machine takes its time
pytestmark = pytest.mark.timeout(300)
WHERE = ("tests/integration/executor", "tests/integration/relays", "tests/playbooks/real")


@pytest.fixture(scope="module")
def declared(tmp_path_factory):
    """What each test declares, as pytest collects them."""
    listed = tmp_path_factory.mktemp("kinds") / "listed.json"
    subprocess.run(
        [*(sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"),
         *("-p", "tests.support.real_kinds"), *WHERE],
        cwd=ROOT,
        env={**os.environ, real_kinds.LISTED: str(listed)},
        check=True,
        capture_output=True,
        timeout=WITHIN_S,
    )  # fmt: skip
    found = json.loads(listed.read_text())
    return {name: set(kinds) for name, kinds in found.items()}


def without_a_test(needed, declared):
    return needed - {name for kinds in declared.values() for name in kinds}


def test_every_kind_is_run_for_real_by_a_test_that_says_so(declared):
    assert without_a_test(real_kinds.every(), declared) == set(), (
        "have a real executor run each in a test below " + ", ".join(WHERE) + " and mark it with "
        "@real_kinds.runs(...)"
    )


def test_clusters_clouds_and_agentless_hosts_are_among_them():
    beyond = real_kinds.beyond_a_host()
    assert {"step kubectl_scale", "step aws_cli.reboot_instance", "step gcloud.reset_instance",
            "step az_cli.restart_vm", "step ssh_command.restart_unit"} <= beyond  # fmt: skip
    assert beyond <= real_kinds.every()
    assert len(real_kinds.every()) > 60


def test_a_kind_that_nobody_runs_is_noticed(declared):
    assert without_a_test(real_kinds.every() | {"step teleport"}, declared) == {"step teleport"}
    some = {name: kinds for name, kinds in declared.items() if "step kubectl_scale" not in kinds}
    assert without_a_test(real_kinds.every(), some) == {"step kubectl_scale"}


def test_a_mark_names_only_what_there_is():
    with pytest.raises(AssertionError, match="no such kind"):
        real_kinds.runs("step teleport")


LYING = """
from tests.support import real_kinds

@real_kinds.runs("step http")
def test_it_says_so_and_runs_nothing():
    real_kinds.SEEN.discard("step http")

@real_kinds.runs("step http")
def test_it_runs_what_it_says():
    real_kinds.SEEN.add("step http")
"""


def test_a_test_that_declares_what_it_does_not_run_fails(tmp_path):
    file = ROOT / "tests/playbooks" / f"test_lying_{os.getpid()}.py"
    file.write_text(LYING)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
    finally:
        file.unlink()
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout
    assert "declared and not run: ['step http']" in ran.stdout


def test_only_what_ended_well_and_was_done_counts():
    remedy = execution.parse.load(
        (ROOT / "playbooks/nginx_config_restore/playbook.yaml").read_bytes(), origin="it"
    )

    def told(outcome, *done):
        real_kinds.SEEN.clear()
        events = [
            {"kind": "step.done", "data": {"order_id": "o", "name": name, "status": status}}
            for name, status in done
        ]
        real_kinds.note(remedy, events, {"order_id": "o", "outcome": outcome})
        return {one for one in real_kinds.SEEN if one.startswith("step ")}

    first, second = (step.name for step in remedy.steps)
    both = [(first, "success"), (second, "success")]
    assert told("SUCCESS", *both) == {"step fs.use_backup", "step service.reload"}
    assert told("SUCCESS", both[0], (second, "skipped")) == {"step fs.use_backup"}
    assert told("ROLLED_BACK", *both) == set()
    real_kinds.SEEN.clear()
