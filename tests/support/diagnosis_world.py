"""A shop whose page, orders service and database run on three hosts, in memory.

Called by tests of diagnosing incidents. The stores answer as their ports say; what they hold is
given by `World`'s methods, in seconds before `NOW`.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np

from sentienguard.flow import diagnosing
from sentienguard.model import ids
from sentienguard.model.anomaly import Anomaly, Ground, Severity
from sentienguard.model.evidence import Changed
from sentienguard.model.incident import Incident
from sentienguard.model.telemetry import Series
from sentienguard.model.topology import CallKind, Edge, SeenEdge
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.metric_store import Readings
from sentienguard.ports.outside_logs import NewLine

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
EVERY_S = 15


class Metrics:
    """Readings in memory."""

    def __init__(self) -> None:
        self.kept: dict[Series, list[tuple[int, float]]] = {}
        self.reads = 0

    def metrics(self) -> tuple[str, ...]:
        return tuple(sorted({one.metric for one in self.kept}))

    def find(self, metric: str) -> list[Series]:
        return [one for one in self.kept if one.metric == metric]

    def series(self, host: str) -> tuple[Series, ...]:
        return tuple(sorted(one for one in self.kept if one.host == host and not one.labels))

    def range(self, series: Series, start: datetime, end: datetime) -> Readings:
        first, last = (round(at.timestamp() * 1000) for at in (start, end))
        points = [one for one in self.kept.get(series, []) if first <= one[0] < last]
        return Readings(
            np.array([at for at, _ in points], dtype=np.int64),
            np.array([value for _, value in points], dtype=np.float64),
        )

    def read(self, series: Iterable[Series], start: datetime, end: datetime) -> list[Readings]:
        self.reads += 1
        return [self.range(one, start, end) for one in series]


class World:
    """Everything that a diagnosis can look at."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.calls: list[SeenEdge] = []
        self.lines: list[NewLine] = []
        self.changes: list[Changed] = []
        self.agents: list[Agent] = []
        self.samples: dict[str, list[Any]] = {}
        self.unfinished: list[Incident] = []  # oldest first
        self.looked_through: list[int] = []  # how many of them somebody asked for
        self.monotonic: Callable[[], float] = lambda: 0.0

    def host(self, name: str, environment: str = "production") -> None:
        self.agents.append(Agent(ids.AgentId(f"agent-{name}"), name, environment, {}, "", "", NOW))

    def measure(
        self,
        host: str,
        metric: str,
        subject: str = "",
        *,
        usual: float,
        now: float | None = None,
        since_s: int = 300,
        labels: tuple[tuple[str, str], ...] = (),
    ) -> Series:
        """Have an hour of readings that wander a little, and differ since some seconds ago."""
        series = Series(host, metric, subject, labels)
        end = round(NOW.timestamp())
        wander = 0.0 if metric in {"service.up", "service.healthy"} else 0.01
        self.metrics.kept[series] = [
            (
                (end - ago) * 1000,
                now if now is not None and ago <= since_s else usual * (1 + wander * (ago % 7 - 3)),
            )
            for ago in range(3900, 0, -EVERY_S)
        ]
        return series

    def call(self, caller: str, callee: str, kind: CallKind = CallKind.REQUEST) -> None:
        self.calls.append(SeenEdge("production", Edge(caller, callee, kind), NOW, NOW, 10))

    def line(self, service: str, host: str, ago_s: int, text: str, severity: str = "error") -> None:
        at = NOW - timedelta(seconds=ago_s)
        self.lines.append(NewLine("production", host, service, at, at, severity, text))

    def change(self, service: str, ago_s: int, kind: str = "deploy", summary: str = "") -> None:
        at = NOW - timedelta(seconds=ago_s)
        self.changes.append(Changed(f"{service}-{ago_s}", at, service, kind, "v2", "ci", summary))

    def centre(self) -> Any:
        return SimpleNamespace(
            clock=SimpleNamespace(now=lambda: NOW, monotonic=self.monotonic),
            agents=SimpleNamespace(
                hosts=lambda place: {
                    one.host: one.id for one in self.agents if one.environment == place
                }
            ),
            incidents=SimpleNamespace(newest_unfinished=self._newest_unfinished),
            metrics=self.metrics,
        )

    def _newest_unfinished(self, place: str, *, most: int) -> list[Incident]:
        self.looked_through.append(most)
        return [one for one in self.unfinished if one.environment == place][-most:]

    def sources(self) -> diagnosing.Sources:
        def between(place: str, start: datetime, end: datetime, *, limit: int) -> list[NewLine]:
            found = [
                one for one in self.lines if one.environment == place and start <= one.at < end
            ]
            return sorted(found, key=lambda one: one.at, reverse=True)[:limit]

        def changed(_place: str, start: datetime, end: datetime, *, limit: int) -> list[Changed]:
            found = [one for one in self.changes if start <= one.at < end]
            return sorted(found, key=lambda one: one.at, reverse=True)[:limit]

        stores: Any = SimpleNamespace
        return diagnosing.Sources(
            stores(edges=lambda _places, since: self.calls),
            stores(between=between),
            stores(between=changed),
        )

    def looking(self, **more: Any) -> diagnosing.Diagnosing:
        samples: Any = SimpleNamespace(recent_samples=lambda agent: self.samples.get(agent, ()))
        return diagnosing.Diagnosing(self.centre(), samples, self.sources(), **more)

    def look(self, incident: Incident, **more: Any) -> diagnosing.Looked:
        return self.looking(**more).look(incident, NOW)


def incident(series: Series, value: float, *, ago_s: int = 60, number: int = 1) -> Incident:
    at = NOW - timedelta(seconds=ago_s)
    anomaly = Anomaly(
        series=series,
        at=at,
        value=value,
        severity=Severity.CRITICAL,
        ground=Ground.LIMIT,
        sigma=None,
        baseline=None,
        trend=None,
        reason=f"{series} is {value:g}",
    )
    return Incident(
        id=ids.incident_id(at, number.to_bytes(4, "big")),
        agent=ids.AgentId(f"agent-{series.host}"),
        host=series.host,
        environment="production",
        tags={},
        fingerprint=anomaly.fingerprint,
        anomaly=anomaly,
        opened_at=at,
    )


def shop(*, database_fails: bool = True) -> tuple[World, Incident]:
    """Return a page that is slow, because the database's host two calls below it is busy."""
    world = World()
    for name in ("web-1", "app-1", "db-1"):
        world.host(name)
    world.call("shop", "orders")
    world.call("orders", "postgresql@db-1.internal", CallKind.DATABASE)
    slow = world.measure("web-1", "service.http_ms", "shop", usual=80.0, now=2400.0, since_s=240)
    world.measure("app-1", "service.http_ms", "orders", usual=30.0,
                  now=2300.0 if database_fails else None, since_s=300)  # fmt: skip
    for name in ("web-1", "app-1"):
        world.measure(name, "system.cpu_percent", usual=20.0)
        world.measure(name, "system.disk_usage_percent", "/", usual=40.0)
    world.measure("db-1", "system.disk_latency_ms", "vda", usual=2.0,
                  now=400.0 if database_fails else None, since_s=480)  # fmt: skip
    world.measure("db-1", "system.cpu_percent", usual=25.0)
    return world, incident(slow, 2400.0)
