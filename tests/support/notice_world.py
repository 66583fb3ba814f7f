"""The desk that tells people, for tests: real stores, a clock that obeys, services that obey.

with notice_world.stores() as stores:
    world = notice_world.build(stores, routes.Routes((routes.Route(("ops",)),)))
    world.opens(1)
    world.desk.round()
"""

import contextlib
import functools
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sentienguard.adapters.sql_store import database
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.notice_desk import NoticeDesk
from sentienguard.flow.telling import routes
from sentienguard.model.anomaly import Severity
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Outcome, Status
from sentienguard.ports.audit_log import StoredEntry
from sentienguard.ports.notifier import Channel, Letter
from sentienguard.ports.outbox import Outgoing
from sentienguard.trust import root as roots
from tests.contract import stores_nouns as nouns

BASE = "https://guard.test"
# One channel, and another that is told when nobody answers for ten minutes.
ASKS_ON = routes.Routes((
    routes.Route(("ops",), escalate=(routes.Escalation(timedelta(minutes=10), ("pager",)),)),
))  # fmt: skip


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = nouns.NOW

    def now(self) -> Any:
        return self.at

    def pass_by(self, **spans: float) -> None:
        self.at += timedelta(**spans)


@dataclass
class Service:
    """A service that takes what it gets, or does what `answer` does."""

    answer: Callable[[Letter], str] = lambda letter: f"ref-{letter.id[:8]}"
    got: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> str:
        found = self.answer(letter)
        self.got.append(letter)
        return found

    @property
    def titles(self) -> list[str]:
        return [one.notice.title for one in self.got]


class Log:
    """Entries in memory, as the desk reads them."""

    def __init__(self) -> None:
        self.kept: list[StoredEntry] = []

    def say(self, kind: str, incident: str, at: Any, **data: Any) -> None:
        fields = {"kind": kind, "incident": incident, "ts_ms": round(at.timestamp() * 1000),
                  "src": "cp", "actor": "rita@local", "data": data}  # fmt: skip
        self.kept.append(StoredEntry(len(self.kept), json.dumps(fields).encode()))

    def size(self) -> int:
        return len(self.kept)

    def entries(self, start: int, end: int) -> list[StoredEntry]:
        return self.kept[start:end]

    def by_incident(self, incident: IncidentId) -> list[StoredEntry]:
        return [one for one in self.kept if one.fields["incident"] == incident]


@dataclass
class World:
    """One desk with everything around it."""

    stores: database.Database
    clock: Clock
    log: Log
    centre: Any
    ops: Service
    pager: Service
    desk: NoticeDesk

    def opens(
        self,
        number: int,
        *,
        host: str = "web-1",
        severity: Severity = Severity.CRITICAL,
        subject: str = "",
    ) -> IncidentId:
        """Open an incident and let the log say so."""
        made = nouns.incident(number, host=host, subject=subject or f"/srv{number}")
        made = replace(made, anomaly=replace(made.anomaly, severity=severity))
        self.stores.incidents.open(made)
        self.log.say("incident.opened", made.id, self.clock.now())
        return made.id

    def closes(self, incident: IncidentId, outcome: Outcome) -> None:
        """Close an incident and let the log say so."""
        now = self.clock.now()
        for status in (Status.ANALYZING, Status.CLOSED):
            ends = {"outcome": outcome, "at": now} if status is Status.CLOSED else {}
            self.stores.incidents.move(incident, status, summary="it ended", **ends)
        said = {"outcome": outcome.value, "duration_ms": 300_000, "summary": "it ended"}
        self.log.say("incident.closed", incident, now, **said)

    def kinds(self, service: Service) -> list[str]:
        """Return what a service was told, in order."""
        return [one.notice.kind.value for one in service.got]

    def listed(self) -> dict[tuple[str, str], list[Outgoing]]:
        """Return what is kept, by channel and kind, oldest first."""
        found: dict[tuple[str, str], list[Outgoing]] = {}
        for one in reversed(self.stores.outbox.list(limit=500)):
            found.setdefault((one.channel, one.kind), []).append(one)
        return found


def build(stores: database.Database, plan: routes.Routes) -> World:
    clock, log = Clock(), Log()
    trust = SimpleNamespace(
        root=SimpleNamespace(roles={roots.RoleName.APPROVER: SimpleNamespace(keyids=())})
    )
    centre = SimpleNamespace(
        clock=clock, log=log, trust=trust, counters=Counters(), outbox=stores.outbox,
        incidents=stores.incidents, approvals=stores.approvals, care=stores.care,
        library=SimpleNamespace(named=lambda _: None),
    )  # fmt: skip
    ops, pager = Service(), Service()
    channels = [
        Channel("ops", "webhook", ops, folds=True),
        Channel("pager", "pagerduty", pager, folds=False),
    ]
    desk = NoticeDesk(cast("Any", centre), channels, plan, f"{BASE}/")
    made = World(stores, clock, log, centre, ops, pager, desk)
    assert not desk.take_in()  # the first time: where the log ends is where the desk begins
    return made


@contextlib.contextmanager
def stores() -> Iterator[database.Database]:
    """Open stores of their own: a copy of one that was made once, with its tables."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "store.db"
        path.write_bytes(_made_once())
        opened = database.open_database(f"sqlite:///{path}")
        try:
            yield opened
        finally:
            opened.close()


@functools.cache
def _made_once() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "store.db"
        database.open_database(f"sqlite:///{path}").close()
        return path.read_bytes()


def question(
    world: World, number: int = 1, *, severity: Severity = Severity.CRITICAL
) -> IncidentId:
    """Open an incident that waits for a person."""
    name = world.opens(number, severity=severity)
    world.stores.approvals.open(nouns.approval(number))
    world.log.say("approval.requested", name, world.clock.now())
    return name
