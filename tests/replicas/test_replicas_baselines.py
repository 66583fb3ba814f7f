"""What a host normally does is known to every control plane, whoever has its readings."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.controlplane.baselines import Baselines
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Series
from sentienguard.ports.profile_store import SharedProfiles
from sentienguard.stages.detect.settings import DetectSettings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
NOW = datetime(2026, 2, 12, 12, tzinfo=UTC)
CPU = Series("web-1", "system.cpu_percent", "")


@pytest.fixture
def replica(tmp_path, database):
    """Make control planes with readings of their own; `hours` of them, around `mean`."""
    with contextlib.ExitStack() as opened:

        def make(name, hours, mean=30.0):
            store = opened.enter_context(contextlib.closing(BlockStore(tmp_path / f"{name}.db")))
            for minute in range(0, hours * 60, 5):
                value = mean + (minute % 25) / 50
                at = NOW - timedelta(minutes=minute)
                store.append(AgentId("a"), at, [(CPU, value)])
            return Baselines(store, DetectSettings(), database.profiles)

        yield make


def test_an_agent_that_moves_is_judged_by_what_the_first_control_plane_learned(replica):
    first, second = replica("first", 30), replica("second", 0)
    assert second.learn(CPU.host, NOW) == 0
    assert second.of(CPU, NOW) is None
    first.learn(CPU.host, NOW)
    second.learn(CPU.host, NOW)
    assert second.of(CPU, NOW) == first.of(CPU, NOW)
    assert second.of(CPU, NOW).mean == pytest.approx(30.2, abs=0.1)


def test_who_has_more_readings_teaches_the_other(replica):
    many, few = replica("many", 30, mean=30.0), replica("few", 15, mean=70.0)
    many.learn(CPU.host, NOW)
    few.learn(CPU.host, NOW)
    assert few.of(CPU, NOW).mean == pytest.approx(30.2, abs=0.1)
    many.learn(CPU.host, NOW + timedelta(minutes=10))
    assert many.of(CPU, NOW).mean == pytest.approx(30.2, abs=0.1)


def test_what_nobody_renewed_for_a_week_gives_way(replica):
    many, few = replica("many", 30, mean=30.0), replica("few", 15, mean=70.0)
    many.learn(CPU.host, NOW - timedelta(days=0))
    later = NOW + timedelta(days=8)
    assert few._shared.get(CPU.host).learned_at == NOW
    mine = SharedProfiles(1, later, b"")
    assert few._shared.put(CPU.host, mine, outdated=later - timedelta(days=7))


def test_unreadable_profiles_leave_everybody_with_their_own(replica, database):
    database.profiles.put(CPU.host, SharedProfiles(10**9, NOW, b"junk"), outdated=NOW)
    own = replica("own", 15)
    own.learn(CPU.host, NOW)
    assert own.of(CPU, NOW).mean == pytest.approx(30.2, abs=0.1)
