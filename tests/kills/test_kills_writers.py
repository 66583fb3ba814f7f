"""Kill -9 of small writers of the audit log and of the executor's journal, thousands of times.

SIGKILL leaves the page cache: what a power cut may take is searched elsewhere, by crash states.
"""

import pathlib

import pytest

from tests.support import effort, kill_writing

pytestmark = [pytest.mark.integration, pytest.mark.timeout(effort.pick(180, thorough=3_600))]
KILLS = effort.pick(100, thorough=5_000)  # of each kind


@pytest.mark.parametrize("kind", ["log", "journal"])
def test_every_acknowledged_line_survives(kind: str, tmp_path: pathlib.Path) -> None:
    figures = kill_writing.run(kind, kills=KILLS, seed=1, directory=tmp_path)
    assert figures["lost"] == 0, figures
    assert figures["kills"] == KILLS
    assert figures["kills_while_opening"] >= KILLS // 10, "kills have to meet the repair as well"
    assert figures["acknowledged"] >= KILLS, "kills have to meet work"
