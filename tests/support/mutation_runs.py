"""Run the tests of a module against mutants of it, in forked children, and tell which were noticed.

Called by `kernel` and tests/kernel. `mutation_server` does it in a process of its own. A mutant is

    killed      a test failed, or the tests did not end within the limit
    survived    every test passed: a test is missing, or the mutant means the same
    stillborn   the module itself cannot be loaded any more; counts neither way
"""

import enum
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support import mutants

ROOT = pathlib.Path(__file__).resolve().parents[2]
JOBS = 2


class Fate(enum.StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    STILLBORN = "stillborn"


@dataclass(frozen=True, slots=True)
class Subject:
    """A module, and the tests that have to notice when it goes wrong."""

    module: str
    tests: tuple[str, ...]  # pytest's arguments, those that fail soonest first


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant and its fate."""

    mutant: mutants.Mutant
    fate: Fate


def run(subject: Subject, given: Sequence[mutants.Mutant], *, jobs: int = JOBS) -> list[Judged]:
    """Judge mutants of one module. Fails where the tests fail on the module as it is."""
    job = {
        "module": subject.module,
        "tests": subject.tests,
        "sources": [one.source for one in given],
        "jobs": jobs,
    }
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "EFFORT"},
            "PYTHONPYCACHEPREFIX": directory,
            "HYPOTHESIS_STORAGE_DIRECTORY": directory,
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.mutation_server"],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment,
        )
    if done.returncode != 0:
        raise AssertionError(f"{subject.module}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    fates = json.loads(done.stdout.splitlines()[-1])
    return [Judged(one, Fate(fate)) for one, fate in zip(given, fates, strict=True)]
