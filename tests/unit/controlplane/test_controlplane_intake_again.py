"""A sample whose consequences could not be kept is sent again, and then has all of them."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.settings import Settings
from sentienguard.model import errors, ids
from sentienguard.model.telemetry import Sample
from sentienguard.ports.agent_store import Agent
from sentienguard.stages.observe import payload, wire
from tests.support import tables

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
WEB = ids.AgentId("8f14e45f-ceea-467f-a1d1-2b7a5f0c9e11")


class Fails:
    """Passes calls on, but for one call of one name."""

    def __init__(self, target: object, name: str) -> None:
        self._target, self._name = target, name
        self.failed = False

    def __getattr__(self, name: str) -> Any:
        if name == self._name and not self.failed:
            self.failed = True

            def away(*_: object, **__: object) -> None:
                raise errors.Unavailable("the disk is full")

            return away
        return getattr(self._target, name)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tables.in_file(tmp_path / "store.db"))
    opened.agents.add(Agent(WEB, "web-1", "drill", {}, "pin", "key", NOW))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("store", "call"),
    [
        ("incidents", "open"),
        ("episodes", "start"),
        ("episodes", "save_detector_state"),
        ("workflows", "begin"),
    ],
)
def test_what_failed_once_is_made_good(database: Database, store: str, call: str) -> None:
    begun: list[str] = []
    empty = SimpleNamespace(times_ms=np.array([]), values=np.array([]))
    metrics = SimpleNamespace(append=lambda *_: None, range=lambda *_: empty)
    parts: dict[str, Any] = {
        "incidents": database.incidents,
        "episodes": database.episodes,
        "agents": database.agents,
        "switches": database.switches,
        "workflows": SimpleNamespace(begin=begun.append),
    }
    parts[store] = Fails(parts[store], call)
    numbers = itertools.count()
    centre: Any = SimpleNamespace(
        settings=Settings(),
        clock=SimpleNamespace(now=lambda: NOW + timedelta(minutes=2)),
        entropy=SimpleNamespace(bytes=lambda count: next(numbers).to_bytes(count, "big")),
        metrics=metrics,
        baselines=SimpleNamespace(lookup=lambda *_: lambda _: None),
        counters=Counters(),
        live=SimpleNamespace(changed=lambda *_: None),
        begin=lambda name: parts["workflows"].begin(name),  # noqa: PLW0108  found when called
        tell=lambda *_, **__: None,
        **{name: parts[name] for name in ("incidents", "episodes", "agents", "switches")},
    )
    intake = Intake(centre)

    def send(seq: int, percent: float) -> None:
        sample = Sample(WEB, "web-1", "drill", {}, seq, NOW + timedelta(seconds=seq),
                        {("system.disk_usage_percent", "/srv"): percent})  # fmt: skip
        intake.accept(database.agents.get(WEB), wire.encode(payload.encode(sample), seq))

    parts[store].failed = True
    send(1, 40.0)
    parts[store].failed = False
    with pytest.raises(errors.Unavailable):
        send(2, 98.0)
    send(2, 98.0)
    [opened] = database.incidents.unfinished()
    assert [one.incident for one in database.episodes.standing(WEB)] == [opened.id]
    assert set(begun) == {opened.id}
    send(3, 98.0)
    assert len(database.incidents.unfinished()) == 1
