"""What the files that build and check this project promise one another."""

import configparser
import dataclasses
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCKS = ["requirements/runtime.txt", "requirements/dev.txt", "requirements/installer.txt"]


def declared(table: str) -> list[str]:
    """List the lines between `table = [` and its closing bracket, comments included."""
    block = re.search(
        rf"^{table} = \[\n(.*?)^\]", text_of("pyproject.toml"), re.MULTILINE | re.DOTALL
    )
    assert block, f"pyproject.toml has no list called {table}"
    return [line.strip() for line in block[1].splitlines() if line.strip().startswith('"')]


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def locked(path: str) -> dict[str, str]:
    """Map each locked `name==version` of a lock file to all lines that belong to it."""
    entries = re.findall(r"^(\S.*==\S+)(.*(?:\n[ #].*)*)", text_of(path), re.MULTILINE)
    return {name_of(head) + head[head.index("==") :]: head + rest for head, rest in entries}


def makefile_targets() -> list[str]:
    phony = re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)
    assert phony
    return phony[1].split()


@pytest.mark.parametrize(
    "line",
    declared("dependencies") + declared("build") + declared("installer") + declared("dev"),
)
def test_each_dependency_has_its_reason_on_its_line(line):
    assert re.search(r",\s+# \S.{10,}", line), f"say in a comment why we depend on {line}"


@pytest.mark.parametrize("lock", LOCKS)
def test_each_locked_requirement_has_a_hash(lock):
    without = [name for name, entry in locked(lock).items() if "--hash=sha256:" not in entry]
    assert locked(lock)
    assert not without


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_path(lock):
    found = re.findall(
        r"^.*(?:://|--index|--extra-index|--find-links|\s/|\bfile:).*$", text_of(lock), re.MULTILINE
    )
    assert not found, f"{lock} must install from any index: {found}"


def test_the_runtime_lock_holds_each_dependency_of_the_project():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    names = {entry.split("==")[0] for entry in locked(LOCKS[0])}
    missing = {name_of(requirement) for requirement in project["dependencies"]} - names
    assert not missing, f"run `make lock`: {missing} not in {LOCKS[0]}"


def test_the_dev_lock_holds_each_tool_and_the_whole_runtime_lock_at_the_same_versions():
    names = {entry.split("==")[0] for entry in locked(LOCKS[1])}
    tools = {name_of(line.strip('"')) for line in declared("dev")}
    assert not tools - names, f"run `make lock`: {tools - names} not in {LOCKS[1]}"
    apart = set(locked(LOCKS[0])) - set(locked(LOCKS[1]))
    assert not apart, f"run `make lock`: {apart} not in {LOCKS[1]}"


def test_make_help_tells_of_each_task_in_a_sentence():
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = dict(re.findall(r"^\s+make (\S+)\s+(\S.*)$", told.stdout, re.MULTILINE))
    assert sorted(lines) == sorted(makefile_targets())
    assert all(len(sentence.split()) > 2 for sentence in lines.values())


def test_help_is_what_make_does_when_asked_for_nothing():
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make test" in told.stdout


def test_ci_runs_what_the_readme_tells_people_to_run():
    assert text_of(".ci/run").splitlines()[-1] == "make test"
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert text_of(".ci/nightly").splitlines()[-1] == "make nightly"
    assert os.access(ROOT / ".ci/nightly", os.X_OK)


def test_the_contract_on_cryptography_covers_each_package_but_trust():
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter", encoding="utf-8")
    listed = contracts["importlinter:contract:one-owner-of-cryptography"]["source_modules"].split()
    there = {
        f"sentienguard.{init.parent.name}" for init in ROOT.glob("src/sentienguard/*/__init__.py")
    }
    missing = there - set(listed) - {"sentienguard.trust"}
    assert not missing, f"add {missing} to the contract one-owner-of-cryptography in .importlinter"


@pytest.mark.parametrize("script", ["bootstrap.py", "check.py", "nightly.py", "release.py"])
def test_a_script_asked_for_help_explains_itself(script):
    told = subprocess.run(
        [sys.executable, f"scripts/{script}", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.startswith("usage:")


def test_check_refuses_a_suite_that_does_not_exist():
    refused = subprocess.run(
        [sys.executable, "scripts/check.py", "--only", "no-such-suite"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "no-such-suite; there are format, lint" in refused.stderr


SOMETIMES = """
import pathlib

def test_that_fails_at_first():
    seen = pathlib.Path("seen")
    before, _ = seen.exists(), seen.touch()
    assert before
"""


@pytest.fixture
def checks(tmp_path, monkeypatch):
    """Give scripts/check.py as a module that looks at an empty tree."""
    spec = importlib.util.spec_from_file_location("check", ROOT / "scripts/check.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "check", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "tests/many").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return module


@pytest.mark.parametrize(
    ("waits", "source", "expected"),
    [
        pytest.param(True, SOMETIMES, "UNSTEADY", id="passes alone"),
        pytest.param(False, SOMETIMES, "FAILED", id="of a suite that waits for nothing"),
        pytest.param(True, "def test_it():\n    assert False\n", "FAILED", id="never passes"),
        pytest.param(
            True,
            SOMETIMES + "".join(f"def test_{n}():\n    assert False\n" for n in range(3)),
            "FAILED",
            id="too many to be an accident",
        ),
        pytest.param(True, "import nothing_like_it\n", "FAILED", id="cannot be loaded"),
    ],
)
def test_a_test_that_waits_for_servers_may_fail_once_and_is_named(
    checks, tmp_path, capfd, *, waits, source, expected
):
    (tmp_path / "tests/many/test_many.py").write_text(source)
    suite = checks.pytest_suite("many", waits=waits)
    suite = dataclasses.replace(suite, cwd=tmp_path)
    outcomes = checks.try_again([suite], [checks.run(suite)])
    status = checks.report(outcomes, in_ci=False)
    assert [one.result for one in outcomes] == [expected]
    assert status == (0 if expected == "UNSTEADY" else 1)
    shown = capfd.readouterr().out
    if expected == "UNSTEADY":
        assert "failed once, passed alone: tests/many/test_many.py::test_that_fails_at" in shown


def test_the_order_of_tests_is_drawn_from_the_tests(checks, tmp_path):
    file = tmp_path / "tests/many/test_many.py"
    file.write_text("one")
    first = checks.order_of_tests()
    checks.order_of_tests.cache_clear()
    assert checks.order_of_tests() == first
    file.write_text("two")
    checks.order_of_tests.cache_clear()
    assert checks.order_of_tests() != first
