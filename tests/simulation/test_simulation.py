"""The pretend world: no seed breaks a rule, a seed is always the same, and it goes on exploring."""

import json
import os
import subprocess
import sys

import pytest

from sentienguard.simulation import faults, remedies, search, signatures, world
from tests.support import effort

SEEDS = effort.pick(300, thorough=10_000)
SIZE = effort.pick(world.SHORT, thorough=world.LONG)

HAPPENS = [
    *(f"fault {name}" for name in faults.KINDS),
    *(f"ill {one.name}" for one in remedies.ILLS),
    *(f"route {name}" for name in ("ESCALATE", "DRY_RUN", "ASK", "RUN_AND_VERIFY", "RUN")),
    *(f"answer {name}" for name in ("approved", "denied", "expired", "withdrawn")),
    *(f"attack {name}" for name in ("replays", "reseals", "numbers_low", "misdirects")),
    "attack old_catalogue", "attack other_history",
    *(f"execution {name}" for name in (
        "SUCCESS", "DRY_RUN", "ABORTED", "ROLLED_BACK", "PARTIALLY_ROLLED_BACK", "UNKNOWN",
    )),
    *(f"outcome {name}" for name in (
        "resolved", "rolled_back", "failed", "rejected", "escalated", "expired", "self_recovered",
    )),
    *(f"refused by {name}" for name in (
        "answers_a_ticket", "for_this_agent", "guard_holds", "journal_works", "not_forbidden",
        "root_current", "sequence_rises", "within_budget",
    )),
    "message lost", "message late", "message twice", "message tenfold", "cut", "bytes lost",
    "centre killed", "centre lost power", "centre did not start",
    "executor killed", "collector killed", "host lost power",
    "healed by itself", "person silent", "person late", "two people disagree", "answer refused",
    "stop asked", "order stopped", "order taken back", "order known already", "order recovered",
    "order dispatched", "order admitted", "effect", "undo", "checkpoint", "cosigned",
]  # fmt: skip


@pytest.fixture(scope="module")
def gate():
    return search.search(range(SEEDS), SIZE)


@pytest.mark.timeout(effort.pick(240, thorough=3_600))
def test_no_seed_breaks_a_rule(gate):
    shown = [
        f"seed {one.seed}, step {found.step}: {found.rule}: {found.detail}"
        for one in gate.failed
        for found in one.violations
    ]
    assert not shown
    assert gate.seeds == SEEDS


@pytest.mark.timeout(effort.pick(240, thorough=3_600))
@pytest.mark.parametrize("what", HAPPENS)
def test_it_still_explores(gate, what):
    assert gate.tally[what] > 0, f"in {gate.seeds} seeds {what!r} never happened"


def test_a_seed_is_the_same_in_every_process():
    program = (
        "import json; from sentienguard.simulation import world;"
        "made = [world.World(seed, world.SHORT).run() for seed in (3, 22, 57)];"
        "print(json.dumps([[one.digest, one.steps, sorted(one.tally.items())] for one in made]))"
    )
    told = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", program],
                env={**os.environ, "PYTHONHASHSEED": hashed},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for hashed in ("1", "4242")
    ]
    assert told[0] == told[1]


def test_remembered_signatures_change_nothing():
    bare = world.World(5, world.SHORT).run()
    with signatures.remembered():
        assert world.World(5, world.SHORT).run().digest == bare.digest


def test_a_seed_can_be_replayed_from_the_command_line():
    told = subprocess.run(
        [sys.executable, "-m", "sentienguard.simulation", "--seed", "3", "--trace"],
        capture_output=True,
        check=True,
        text=True,
    )
    outcome = world.World(3, world.SHORT).run()
    assert f"seed 3: {outcome.steps} events, trace {outcome.digest}" in told.stdout
    assert len(told.stdout.splitlines()) >= outcome.steps
