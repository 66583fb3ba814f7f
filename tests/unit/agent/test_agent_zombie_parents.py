"""Which parents leave zombies: what a remedy needs to know, and no more of it than it needs."""

import pytest

from sentienguard.agent import collectors
from sentienguard.agent.collectors import processes


def process(root, pid, *, parent=1, state="S"):
    folder = root / str(pid)
    folder.mkdir()
    fields = [state, str(parent), *["0"] * 17, "5", "0", "1", "0 0"]
    (folder / "stat").write_text(f"{pid} (x) " + " ".join(fields))
    (folder / "statm").write_text("100 1 1 1 0 1 0")


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ({}, {}),
        ({7: 9}, {}),
        ({7: 10}, {"7": 10}),
        ({7: 12, 8: 30, 9: 11}, {"8": 30, "7": 12}),
        ({7: 60, 8: 2}, {"7": 60}),
    ],
)
def test_the_parents_that_leave_most_zombies_are_named(tmp_path, left, told):
    number = 100
    for parent, count in left.items():
        for _ in range(count):
            number += 1
            process(tmp_path, number, parent=parent, state="Z")
    into = collectors.Reading(10**9, 1000)
    processes.Processes(1, str(tmp_path)).read(into)
    assert into.values["system.zombies", ""] == sum(left.values())
    found = {
        subject: value
        for (metric, subject), value in into.values.items()
        if metric == "system.zombie_children"
    }
    assert found == told
