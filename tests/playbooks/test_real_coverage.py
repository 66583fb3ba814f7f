"""Which playbooks are proven on the real thing, read from the tests themselves.

A playbook counts where a test in tests/playbooks/real has it heal: `heals`, `heals_once` or `mends`
of `tests.support.real_playbooks.Bench` and `database_repairs.Repairs`, with its name written there.
Each of these gives an order to a real executor and fails unless it ends with SUCCESS.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from sentienguard.playbook import parse

ROOT = Path(__file__).parents[2]
REAL = ROOT / "tests/playbooks/real"
PROVING = {"heals", "heals_once", "mends"}
ELSEWHERE = {"cloud", "kubernetes"}  # what a playbook needs that a Debian machine has not
# What no machine can show that shares its kernel with others, and why.
IMPOSSIBLE = {"clock_resync": "it steps the clock, which is everybody's on this kernel"}


def healed_in(source: str) -> Iterator[str]:
    """Yield the playbooks that tests of a file have heal."""
    for test in ast.walk(ast.parse(source)):
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            for call in ast.walk(test):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Attribute)
                    and call.func.attr in PROVING
                    and call.args
                    and isinstance(call.args[0], ast.Constant)
                ):
                    yield str(call.args[0].value)


def of_a_debian_machine() -> set[str]:
    """Return the playbooks whose service runs on a Debian machine without a container engine."""
    found = set()
    for file in (ROOT / "playbooks").glob("*/playbook.yaml"):
        playbook = parse.load(file.read_bytes(), origin=file.parent.name)
        if not ELSEWHERE & set(playbook.needs):
            found.add(file.parent.name)
    return found


def test_every_playbook_whose_service_runs_here_heals_it_in_a_test():
    proven = {name for file in REAL.glob("test_*.py") for name in healed_in(file.read_text())}
    wanted = of_a_debian_machine()
    assert not proven - wanted, "these tests name playbooks that are not there"
    assert wanted - proven == set(IMPOSSIBLE), "each needs a test in tests/playbooks/real"
    assert len(proven) >= 35
    assert f"{len(proven)} of them on the real service" in (ROOT / "README.md").read_text()


def test_only_a_test_that_has_it_heal_counts():
    said = (
        "def test_one(bench):\n"
        "    bench.heals('healed', service='web')\n"
        "    bench.leaves_alone('left', service='web')\n"
        "    bench.give('given')\n"
        "def helper(bench):\n"
        "    bench.heals('in no test')\n"
    )
    assert list(healed_in(said)) == ["healed"]
