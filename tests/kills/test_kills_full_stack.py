"""Kill -9 of real control planes, collectors and executors, while incidents go through them.

The moments that a kill is aimed at stand in kill_plan.MOMENTS; each process meets each of them.
"""

import json
import os
import pathlib

import pytest

from tests.servers import postgresql
from tests.support import effort, kill_harness, kill_plan, kill_processes

pytestmark = [
    pytest.mark.stories,
    pytest.mark.timeout(effort.pick(600, thorough=7_200)),
    # The HTTP client drops, unclosed, a socket whose peer was killed in the handshake.
    pytest.mark.filterwarnings("ignore:unclosed .ssl.SSLSocket:ResourceWarning"),
]
KILLS = effort.pick(100, thorough=1_000)
ON_POSTGRESQL = effort.pick(12, thorough=120)
RECOVERS_S = 5.0  # the promise, on a machine that has a core for it
LOAD = 2.0  # runnable processes for each core up to which the promise is measured as it stands


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a directory with a short name: sockets have at most 107 bytes."""
    return tmp_path_factory.mktemp("k")


def test_nothing_is_lost_nothing_runs_twice_nothing_is_stuck(place: pathlib.Path) -> None:
    report = kill_harness.run(place, kill_harness.Wish(kills=KILLS, seed=1), print)
    print(json.dumps(report.figures(), indent=1))
    assert not report.findings, report.findings[:10]
    assert report.kills.total() >= KILLS
    assert set(report.kills) == set(kill_plan.PROCESSES)
    assert report.orders >= KILLS // 10, "the kills fell into little work"
    assert report.acknowledged >= KILLS
    recovered = sorted(one for some in report.recoveries.values() for one in some)
    crowded = max(1.0, os.getloadavg()[1] / ((os.cpu_count() or 1) * LOAD))
    assert recovered[int(len(recovered) * 0.99)] <= RECOVERS_S * crowded
    assert recovered[-1] < kill_processes.GIVE_UP_S


@pytest.mark.skipif(postgresql.missing() is not None, reason=str(postgresql.missing()))
def test_the_same_holds_on_postgresql(place: pathlib.Path) -> None:
    wish = kill_harness.Wish(kills=ON_POSTGRESQL, seed=2, hosts=2, database="postgresql")
    report = kill_harness.run(place, wish, print)
    assert not report.findings, report.findings[:10]
    assert report.kills.total() >= ON_POSTGRESQL


@pytest.mark.parametrize("moment", kill_plan.MOMENTS)
@pytest.mark.parametrize("process", kill_plan.PROCESSES)
def test_the_plan_aims_each_process_at_each_moment(process: str, moment: str) -> None:
    strikes = kill_plan.draw(KILLS, seed=1)
    assert sum(len(strike.targets) for strike in strikes) == KILLS
    assert any(strike.moment == moment and process in strike.targets for strike in strikes)


def test_the_same_seed_is_the_same_plan() -> None:
    assert kill_plan.draw(50, seed=3) == kill_plan.draw(50, seed=3)
    assert kill_plan.draw(50, seed=3) != kill_plan.draw(50, seed=4)
    dealt = kill_plan.dealt(kill_plan.draw(50, seed=3), 20)
    assert [strike for some in dealt for strike in some] == kill_plan.draw(50, seed=3)
