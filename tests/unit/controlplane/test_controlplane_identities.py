"""Two hosts with one identity are noticed; what one honest host does never counts as two."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.controlplane import identities
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.desks import Arrival
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.settings import Settings
from sentienguard.model import ids
from sentienguard.model.telemetry import Sample
from sentienguard.ports.agent_store import Agent
from sentienguard.stages.observe import payload, wire
from tests.support import tables

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
WEB = ids.AgentId("8f14e45f-ceea-467f-a1d1-2b7a5f0c9e11")
EACH = timedelta(seconds=30)


class World:
    """An intake before a real store, and what was recorded."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.records: list[dict[str, Any]] = []
        empty = SimpleNamespace(times_ms=np.array([]), values=np.array([]))
        centre: Any = SimpleNamespace(
            incidents=database.incidents,
            episodes=database.episodes,
            agents=database.agents,
            switches=database.switches,
            settings=Settings(),
            clock=SimpleNamespace(now=lambda: NOW + timedelta(days=1)),
            metrics=SimpleNamespace(
                append=lambda *_: None, append_all=lambda *_: None, range=lambda *_: empty
            ),
            baselines=SimpleNamespace(lookup=lambda *_: lambda _series: None),
            counters=Counters(),
            live=SimpleNamespace(changed=lambda *_: None),
            audit=SimpleNamespace(append=lambda **entry: self.records.append(entry)),
        )
        self.intake = Intake(centre)

    def send(self, seq: int, at: datetime, cpu: float = 3.0, *, many: bool = False) -> None:
        sample = Sample(WEB, "web-1", "drill", {}, seq, at, {("system.cpu_percent", ""): cpu})
        frame = wire.encode(payload.encode(sample), seq)
        agent = self.database.agents.get(WEB)
        if many:
            arrival = Arrival(agent, frame)
            self.intake.accept_all([arrival])
            assert arrival.problem is None
        else:
            self.intake.accept(agent, frame)

    @property
    def quarantined(self) -> str:
        return self.database.agents.get(WEB).quarantined


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = open_database(tables.in_file(tmp_path / "store.db"))
    database.agents.add(Agent(WEB, "web-1", "drill", {}, "pin", "key", NOW))
    yield World(database)
    database.close()


@pytest.mark.parametrize("many", [False, True])
def test_two_streams_of_the_same_numbers_are_two_hosts(world: World, *, many: bool) -> None:
    for number in range(1, 5):
        assert world.quarantined == ""
        world.send(number, NOW + number * EACH, 3.0, many=many)
        world.send(number, NOW + number * EACH + EACH / 3, 4.0, many=many)
        if number == identities.DOUBTS:
            break
    assert "two hosts use this identity" in world.quarantined
    [told] = world.records
    assert (told["kind"], told["env"]) == ("agent.quarantined", "drill")
    assert told["data"]["host"] == "web-1"


def test_two_streams_of_numbers_that_never_meet_are_two_hosts(world: World) -> None:
    for number in range(1, 1 + identities.DOUBTS):
        assert world.quarantined == ""
        world.send(1024 + number, NOW + number * EACH)
        world.send(number, NOW + number * EACH + EACH / 3)
    assert world.quarantined


def test_a_host_that_was_put_back_to_an_older_state_is_noticed(world: World) -> None:
    for number in range(1, 30):
        world.send(number, NOW + number * EACH)
    assert world.quarantined == ""
    for number in range(5, 5 + identities.DOUBTS):
        world.send(number, NOW + (number + 100) * EACH)
    assert world.quarantined


def test_what_an_honest_host_does_is_no_doubt(world: World) -> None:
    for number in range(1, 20):
        world.send(number, NOW + number * EACH)
        world.send(number, NOW + number * EACH)  # the answer was lost
    for number in range(3, 15):  # a power cut: all that was not known as acknowledged
        world.send(number, NOW + number * EACH)
    for number in range(1100, 1120):  # the rest of a block was given up by a crash
        world.send(number, NOW + (number - 1000) * EACH)
    for number in range(1030, 1060):  # late ones, of the time before
        world.send(number, NOW + (number - 1010) * EACH)
    for number in range(1130, 1150):  # its clock was put back by an hour
        world.send(number, NOW + number * EACH - timedelta(hours=30))
    for number in range(1106, 1118):  # and a power cut after that
        world.send(number, NOW + (number - 1000) * EACH)
    assert world.quarantined == ""
    assert world.records == []


def test_a_released_host_is_believed_until_there_are_as_many_doubts_again(world: World) -> None:
    def doubts(first: int, count: int) -> None:
        for number in range(first, first + count):
            world.send(number, NOW + number * EACH, 3.0)
            world.send(number, NOW + number * EACH, 4.0)

    doubts(1, identities.DOUBTS)
    assert world.database.agents.release(WEB)
    doubts(100, identities.DOUBTS - 1)
    assert world.quarantined == ""
    doubts(200, 1)
    assert world.quarantined
    assert len(world.records) == 2


def test_samples_of_a_host_in_quarantine_are_taken_as_before(world: World) -> None:
    world.database.agents.quarantine(WEB, why="a test")
    world.send(1, NOW)
    world.send(1, NOW, 9.0)
    assert world.database.agents.get(WEB).last_seq == 1
    assert world.database.agents.get(WEB).quarantined == "a test"
    assert replace(world.database.agents.get(WEB), quarantined="").struck_off is None
