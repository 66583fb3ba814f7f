"""Run what is too long for every change, in order, and report what ran.

    python scripts/nightly.py [--report FILE]        default: dist/nightly.json

Called by `make nightly`, which `.ci/nightly` calls. In order: what is known of vulnerabilities,
which must have been read; every suite in its long form, as `make thorough` runs them; and the build
of a release, unsigned. Rules:

1. Every job runs, whether or not an earlier one failed.
2. The night is good where every job ended well and every suite that `check.py` declares ran and
   passed. One that was left out, is not in the tree or is not in the report at all, fails it.
3. The report is written after each job, so that a night that was cut off shows what it had.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))  # also when a test imports this
import check

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

REPORT: Final = check.ROOT / "dist/nightly.json"
GOOD: Final = (check.Result.PASSED, check.Result.UNSTEADY)  # the latter is named in the report


@dataclasses.dataclass(frozen=True)
class Job:
    """One thing that is run at night."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    suites: tuple[str, ...] = ()  # that have to have passed in it
    outcomes: pathlib.Path | None = None  # where it writes what became of them


@dataclasses.dataclass(frozen=True)
class Ran:
    """What became of a job."""

    name: str
    status: int  # exit status of its command
    seconds: float
    wrong: tuple[str, ...]  # why it is not good; empty: it is
    suites: tuple[check.Outcome, ...] = ()


def main() -> int:
    """Run everything; return the exit status."""
    parser = argparse.ArgumentParser(description="Run what is too long for every change.")
    parser.add_argument("--report", type=pathlib.Path, default=REPORT, metavar="FILE")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sg-nightly-") as place:
        return run(jobs(pathlib.Path(place)), wanted.report)


def jobs(place: pathlib.Path) -> list[Job]:
    """List what is run, in order; `place` is theirs."""
    python, outcomes = sys.executable, place / "outcomes.json"
    suites = tuple(one.name for one in (*check.always(), *check.only_when_thorough()))
    thorough = (python, "scripts/check.py", "--thorough", "--outcomes", str(outcomes))
    return [
        Job("advisories", (python, "scripts/advisories.py", "--must-read")),
        Job("thorough", thorough, {"EFFORT": "thorough", "CI": "true"}, suites, outcomes),
        Job("release", (python, "scripts/release.py", "--out", str(place / "release"))),
    ]


def run(wanted: Sequence[Job], report: pathlib.Path) -> int:
    """Run the jobs in order, write the report, and return the exit status."""
    report.parent.mkdir(parents=True, exist_ok=True)
    ran: list[Ran] = []
    for job in wanted:
        check.heading(f"nightly: {job.name}")
        ran.append(run_one(job))
        write(report, ran, left=[one.name for one in wanted[len(ran) :]])  # rule 3
    check.heading("nightly: summary")
    for one in ran:
        print(f"{one.name:<12} {'good' if not one.wrong else 'WRONG':<6} {one.seconds:>8.1f} s")
        for why in one.wrong:
            print(f"  {why}")
    print(f"report: {report}", flush=True)
    return 1 if any(one.wrong for one in ran) else 0


def run_one(job: Job) -> Ran:
    """Run one job and judge it (rule 2)."""
    began = time.monotonic()
    environment = {**os.environ, **job.environment}
    status = subprocess.run(job.command, cwd=check.ROOT, env=environment, check=False).returncode
    seconds = time.monotonic() - began
    outcomes = () if job.outcomes is None else read(job.outcomes)
    wrong = [f"exit status {status}"] if status else []
    return Ran(job.name, status, seconds, (*wrong, *missing(outcomes, job.suites)), outcomes)


def read(path: pathlib.Path) -> tuple[check.Outcome, ...]:
    """Return what `check.py` wrote; nothing where it did not come to that."""
    if not path.exists():
        return ()
    return tuple(
        check.Outcome(**{**said, "result": check.Result(said["result"])})
        for said in json.loads(path.read_text("utf-8"))
    )


def missing(outcomes: Collection[check.Outcome], suites: Collection[str]) -> Iterator[str]:
    """Yield why a suite does not count as run and passed (rule 2)."""
    found = {one.suite: one for one in outcomes}
    for name in suites:
        if name not in found:
            yield f"suite {name}: is not in the report"
        elif found[name].result not in GOOD:
            yield f"suite {name}: {found[name].result} {found[name].reason}".rstrip()


def write(report: pathlib.Path, ran: Sequence[Ran], left: Sequence[str]) -> None:
    """Write what ran so far and what did not yet."""
    said = {
        "good": not left and not any(one.wrong for one in ran),
        "jobs": [dataclasses.asdict(one) for one in ran],
        "not_run_yet": list(left),
    }
    report.write_text(json.dumps(said, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
