"""What follows from a host's events, and what never does."""

import dataclasses
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from sentienguard.flow import receipts, reports
from sentienguard.model.ids import AgentId, IncidentId
from sentienguard.model.order import ExecutionOutcome, StepStatus
from sentienguard.ports import audit_log, order_store
from sentienguard.stages.audit import entry, ledger
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogSigners
from tests.unit.flow.test_flow_incident import NOW, order

KEYS = {f"agent:{name}": SigningKey.from_seed(name.encode() * 8) for name in ("aaaa", "bbbb")}
OURS = dataclasses.replace(order(), agent=AgentId("aaaa"))


class Log:
    """The rules of the log over a list."""

    def __init__(self):
        known = {name: key.public for name, key in KEYS.items()}
        self._ledger = ledger.Ledger(
            "log.example", LogSigners.of(KEYS["agent:aaaa"]), agent_key=known.get
        )
        self.kept = []

    def append(self, new):
        admitted = self._ledger.admit(new)
        if admitted.stored is not None:
            self.kept.append(audit_log.StoredEntry(admitted.index, admitted.stored))
        return audit_log.Appended(admitted.index, admitted.leaf_hash)

    def by_incident(self, incident):
        return [self.kept[index] for index in self._ledger.of_incident(incident)]

    def get_blob(self, sha256):
        raise audit_log.NoSuchBlob(sha256)


class Orders:
    """One order, and what was done to it."""

    def __init__(self):
        self.done = []

    def get(self, wanted):
        if wanted != OURS.id:
            raise order_store.NoSuchOrder(wanted)
        return SimpleNamespace(order=OURS)

    def admitted(self, wanted):
        self.done.append(("admitted", wanted))

    def refused(self, wanted, *, because):
        self.done.append(("refused", wanted))

    def finished(self, report):
        self.done.append(("finished", report))


class Centre:
    """The parts that receipts touch, remembering what they were told."""

    def __init__(self):
        self.log, self.orders, self.told, self.alarms = Log(), Orders(), [], []
        self.clock = SimpleNamespace(now=lambda: NOW)
        self.live = SimpleNamespace(changed=lambda *_: None)
        self.counters = SimpleNamespace(add=lambda *_: None)
        self.agents = SimpleNamespace(events_through=lambda *_: None)
        self.audit = SimpleNamespace(append=lambda **said: self.alarms.append(said))

    def tell(self, incident, event, *, key):
        self.told.append(event)


class Host:
    """An agent that may say anything under its own name."""

    def __init__(self, name):
        self.agent = SimpleNamespace(
            id=AgentId(name), host=f"host-{name}", environment="production", events_through=0
        )
        self._state = entry.Source(f"agent:{name}")

    def says(self, kind, data, incident=OURS.incident):
        new = audit_log.NewEntry(
            kind,
            datetime(2026, 2, 12, tzinfo=UTC),
            "production",
            self._state.name,
            "executor",
            f"{self._state.seq}",
            incident,
            data,
        )
        leaf, self._state = self._state.next(new)
        return receipts.Event(leaf, KEYS[self._state.name].sign(leaf), ())


@pytest.mark.parametrize("kind", ["order.admitted", "order.refused", "order.finished"])
@pytest.mark.parametrize(
    ("speaker", "said", "incident"),
    [
        ("bbbb", {"order_id": OURS.id}, OURS.incident),  # another host's order
        ("aaaa", {"order_id": "ord_made_up"}, OURS.incident),
        ("aaaa", {"order_id": OURS.id}, IncidentId("inc_20260212_112600_ffffffff")),
        ("aaaa", {}, OURS.incident),
    ],
)
def test_a_host_speaks_for_its_own_orders_and_people_are_told_otherwise(
    kind, speaker, said, incident
):
    centre, host = Centre(), Host(speaker)
    event = host.says(kind, {**said, "outcome": "SUCCESS", "reason": "healed"}, incident)
    assert receipts.Receipts(centre).take(host.agent, [event]) == 1
    assert len(centre.log.kept) == 1
    assert (centre.orders.done, centre.told) == ([], [])
    (alarm,) = centre.alarms
    assert alarm["kind"] == "agent.alarm"
    assert alarm["data"]["agent"] == speaker


def test_a_host_s_own_order_ends_its_incident():
    centre, host = Centre(), Host("aaaa")
    event = host.says("order.finished", {"order_id": OURS.id, "outcome": "SUCCESS"})
    receipts.Receipts(centre).take(host.agent, [event])
    (told,) = centre.told
    assert (told.order, told.outcome) == (OURS.id, ExecutionOutcome.SUCCESS)
    assert centre.alarms == []


@pytest.mark.parametrize(
    "said",
    [
        {"outcome": "MAGNIFICENT"},
        {},
        {"outcome": 7, "left_behind": "everything", "started_ms": "noon"},
        {"outcome": ["SUCCESS"], "started_ms": 2**53 - 1, "finished_ms": None},
    ],
)
def test_an_end_that_is_not_understood_is_unknown_and_what_comes_behind_it_is_heard(said):
    centre, host = Centre(), Host("aaaa")
    events = [
        host.says("order.finished", {"order_id": OURS.id, **said}),
        host.says("step.done", {"order_id": OURS.id, "name": "later"}),
    ]
    assert receipts.Receipts(centre).take(host.agent, events) == 2
    (told,) = centre.told
    assert told.outcome is ExecutionOutcome.UNKNOWN


@pytest.mark.parametrize(
    "said",
    [
        {"status": "splendid", "started_ms": 2**53 - 1, "duration_ms": "long", "exit_code": "0"},
        {"status": None, "stdout": "../../etc/passwd", "stderr": 7},
        {"started_ms": -1, "name": ["a"], "detail": {"b": 1}},
    ],
)
def test_a_step_that_is_not_understood_is_shown_as_failed(said):
    centre, host = Centre(), Host("aaaa")
    intent = audit_log.NewEntry(
        "order.intent", NOW, "production", "cp", "cp", "i", OURS.incident, {"agent": "aaaa"}
    )
    centre.log.append(intent)
    receipts.Receipts(centre).take(host.agent, [host.says("step.done", said)])
    (step,) = reports.steps(centre.log, OURS.incident)
    assert step.status is StepStatus.FAILED
