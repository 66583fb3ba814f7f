"""Every branch of the safety kernel is reached by its unit tests alone."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.support import kernel, mutants

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ("audit", "decide", "execute", "flow", "trust")
MORE = ("tests/unit/playbook/test_playbook_conditions.py",
        "tests/unit/playbook/test_playbook_conditions_edges.py")  # fmt: skip
# Long searches and other parts of the product, which tracing makes twice as long.
WITHOUT = ("audit/test_audit_export", "decide/test_advice_adversary", "decide/test_diagnosis_",
           "decide/test_injected_texts", "decide/test_text_noninterference",
           "flow/test_flow_hindsight")  # fmt: skip


@pytest.mark.timeout(600)
def test_the_unit_tests_reach_every_branch_of_the_kernel(tmp_path):
    data = f"--data-file={tmp_path / 'coverage'}"
    environment = {name: value for name, value in os.environ.items() if name != "EFFORT"}
    environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(tmp_path)

    def coverage(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "coverage", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    places = [*(f"tests/unit/{name}" for name in TESTS), *MORE]
    quiet = ["-q", "-p", "no:cacheprovider", "-m", "not property"]
    quiet += [f"--ignore-glob={ROOT}/tests/unit/{one}*.py" for one in WITHOUT]
    files = ",".join(str(mutants.file_of(f"sentienguard.{name}")) for name in kernel.MODULES)
    kernel_only = f"--include={files}"  # also while it runs: to trace all the rest doubles the time
    ran = coverage("run", "--branch", data, kernel_only, "-m", "pytest", *quiet, *places)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    report = coverage("report", data, kernel_only, "--show-missing", "--fail-under=100")
    assert report.returncode == 0, report.stdout + report.stderr
    listed = coverage("report", data, kernel_only, "--no-skip-covered")
    told = {line.split()[0] for line in listed.stdout.splitlines() if ".py" in line}
    assert len(told) == len(kernel.MODULES), "a module of the kernel was not looked at"
