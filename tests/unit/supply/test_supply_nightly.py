"""The nightly run is good only where everything that is declared ran, and says what did not."""

import dataclasses
import json
import sys

import pytest

from scripts import nightly
from scripts.nightly import check

GOOD = check.Outcome("unit", check.Result.PASSED, 1.0)


def job(name, code, tmp_path, *, suites=(), environment=None):
    command = (sys.executable, "-c", code)
    return nightly.Job(name, command, environment or {}, suites, tmp_path / f"{name}.json")


def writing(tmp_path, name, *outcomes):
    """Return a job that writes these outcomes as check.py does, and ends well."""
    text = json.dumps([dataclasses.asdict(one) for one in outcomes])
    code = f"import pathlib; pathlib.Path({str(tmp_path / name)!r} + '.json').write_text({text!r})"
    return job(name, code, tmp_path, suites=("unit", "kills"))


def told(tmp_path):
    return json.loads((tmp_path / "report/nightly.json").read_text())


def run(tmp_path, *jobs):
    return nightly.run(jobs, tmp_path / "report/nightly.json")


@pytest.mark.parametrize(
    ("kills", "status", "wrong"),
    [
        (check.Outcome("kills", check.Result.PASSED), 0, []),
        (check.Outcome("kills", check.Result.UNSTEADY, reason="once"), 0, []),
        (check.Outcome("kills", check.Result.LEFT_OUT, reason="initdb is not on PATH"), 1,
         ["suite kills: LEFT OUT initdb is not on PATH"]),
        (check.Outcome("kills", check.Result.NONE_YET), 1, ["suite kills: none yet"]),
        (check.Outcome("kills", check.Result.FAILED, reason="status 1"), 1,
         ["suite kills: FAILED status 1"]),
        (GOOD, 1, ["suite kills: is not in the report"]),
    ],
)  # fmt: skip
def test_a_suite_that_did_not_run_and_pass_fails_the_night(tmp_path, kills, status, wrong):
    assert run(tmp_path, writing(tmp_path, "thorough", GOOD, kills)) == status
    [said] = told(tmp_path)["jobs"]
    assert (said["status"], said["wrong"]) == (0, wrong)
    assert told(tmp_path)["good"] is (status == 0)


def test_a_run_that_wrote_nothing_is_no_run(tmp_path):
    assert run(tmp_path, job("thorough", "pass", tmp_path, suites=("unit",))) == 1
    assert told(tmp_path)["jobs"][0]["wrong"] == ["suite unit: is not in the report"]


def test_every_job_runs_whatever_became_of_those_before(tmp_path):
    mark = tmp_path / "ran"
    second = job("second", f"open({str(mark)!r}, 'w')", tmp_path)
    assert run(tmp_path, job("first", "raise SystemExit(3)", tmp_path), second) == 1
    assert mark.exists()
    assert [one["wrong"] for one in told(tmp_path)["jobs"]] == [["exit status 3"], []]


def test_a_night_that_was_cut_off_shows_what_it_had(tmp_path, monkeypatch):
    def cut_off(wanted):
        if wanted.name == "second":
            raise KeyboardInterrupt
        return nightly.Ran(wanted.name, 0, 1.0, ())

    monkeypatch.setattr(nightly, "run_one", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, job("first", "", tmp_path), job("second", "", tmp_path))
    assert told(tmp_path) | {"jobs": []} == {"good": False, "jobs": [], "not_run_yet": ["second"]}


def test_it_asks_for_every_suite_in_its_long_form(tmp_path):
    advisories, thorough, release = nightly.jobs(tmp_path)
    assert "--must-read" in advisories.command
    assert "--thorough" in thorough.command
    assert thorough.environment == {"EFFORT": "thorough", "CI": "true"}
    assert {"kills", "integration/controlplane", "thorough", "browser"} <= set(thorough.suites)
    assert "--key" not in release.command


def test_what_check_writes_of_its_suites_is_read_as_it_was(tmp_path, monkeypatch):
    suite = check.Suite("it", ".", ((sys.executable, "-c", ""),))
    gone = check.Suite("gone", "nowhere", ())
    monkeypatch.setattr(check, "always", lambda: [suite, gone])
    monkeypatch.setattr(check, "only_when_thorough", list)
    monkeypatch.setattr(check, "install_programs", lambda suites: None)
    monkeypatch.setattr(sys, "argv", ["check.py", "--outcomes", str(tmp_path / "said.json")])
    assert check.main() == 0
    outcomes = nightly.read(tmp_path / "said.json")
    assert [(one.suite, one.result) for one in outcomes] == [
        ("it", check.Result.PASSED), ("gone", check.Result.NONE_YET),
    ]  # fmt: skip
    assert list(nightly.missing(outcomes, ("it",))) == []
