"""What receipts keep, record and tell, to the last detail, and in which order."""

import dataclasses
import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sentienguard.flow import ledger as pens
from sentienguard.flow import receipts
from sentienguard.model.ids import IncidentId, OrderId
from sentienguard.model.order import ExecutionOutcome, OrderStatus
from sentienguard.ports import audit_log
from sentienguard.simulation.stores.database import Database
from sentienguard.simulation.stores.orders import Orders
from sentienguard.trust import canonical
from tests.unit.flow.test_flow_incident import NOW
from tests.unit.flow.test_flow_receipts import KEYS, OURS, Host, Log

OUTPUT = b"89 closed\n"
SHA256 = hashlib.sha256(OUTPUT).hexdigest()


class Diary(Log):
    """A log that writes into a diary what was made durable."""

    def __init__(self, diary):
        super().__init__()
        self._diary = diary
        self.blobs = []

    def append(self, new):
        appended = super().append(new)
        self._diary.append("durable")
        return appended

    def put_blob(self, plain, media_type):
        self.blobs.append((plain, media_type))
        self._diary.append("blob")


class Site:
    """The parts that receipts touch, over the order store of the pretend world."""

    def __init__(self):
        self.diary, self.told, self.alarms = [], [], []
        self.log = Diary(self.diary)
        self.orders = Orders(Database(lambda _: None), lambda _: None)
        self.orders.release(OURS, at=NOW)
        self.clock = SimpleNamespace(now=lambda: NOW)
        self.counted = Counter()
        self.counters = SimpleNamespace(add=self._count)
        self.live = SimpleNamespace(changed=lambda *what: self.diary.append(what))
        self.agents = SimpleNamespace(events_through=lambda *what: self.diary.append(what))
        self.audit = pens.Ledger(SimpleNamespace(append=self.alarms.append), self.clock, None)
        self.host = Host("aaaa")

    def _count(self, name, label="", amount=1):
        self.counted[f"{name} {label}"] += amount

    def tell(self, incident, event, *, key):
        self.diary.append(key)
        self.told.append((incident, event, key))

    def takes(self, *events):
        return receipts.Receipts(self).take(self.host.agent, events)

    def hears(self, kind, data=None, incident=OURS.incident):
        said = {"order_id": OURS.id} if data is None else data
        return self.takes(self.host.says(kind, said, incident))

    @property
    def kept(self):
        return self.orders.get(OURS.id)


@pytest.fixture
def site():
    return Site()


def with_blobs(event, named, *sent):
    """Let an event name blobs and carry others, signed as the host would."""
    fields = canonical.decode_object(event.leaf)
    fields["blobs"] = [{"sha256": one, "len": 1, "type": "text/plain"} for one in named]
    leaf = canonical.encode(fields)
    return receipts.Event(leaf, KEYS[fields["src"]].sign(leaf), sent)


# --- taking in


def test_an_event_is_durable_before_anything_follows_and_only_then_acknowledged(site):
    site.hears("order.finished", {"order_id": OURS.id, "outcome": "SUCCESS"})
    assert site.diary == [
        "durable",
        f"ended/{OURS.id}",
        ("incident", OURS.incident, NOW),
        ("aaaa", 1),
    ]


def test_several_events_are_taken_in_order_and_counted(site):
    events = [site.host.says("step.done", {"name": f"{n}"}) for n in range(3)]
    assert site.takes(*events) == 3
    assert [one for one in site.diary if one[0] == "aaaa"] == [("aaaa", n) for n in (1, 2, 3)]
    assert site.counted == {"agent_events_total accepted": 3}


def test_events_that_come_again_never_take_back_what_was_acknowledged(site):
    first = site.host.says("step.done", {"name": "1"})
    site.takes(first, site.host.says("step.done", {"name": "2"}))
    site.host.agent.events_through = 2
    assert site.takes(first) == 2
    assert site.takes() == 2
    assert len(site.log.kept) == 2


def test_from_the_first_gap_on_nothing_is_taken(site):
    first, _, third = (site.host.says("step.done", {"name": f"{n}"}) for n in range(3))
    with pytest.raises(audit_log.SourceGap):
        site.takes(first, third)
    assert len(site.log.kept) == 1
    assert site.diary[-1] == ("aaaa", 1)
    assert site.counted == {}


@pytest.mark.parametrize(("speaker", "sender"), [("bbbb", "aaaa"), ("aaaa", "bbbb")])
def test_an_event_of_another_host_is_refused_before_it_is_kept(site, speaker, sender):
    site.host = Host(sender)
    other = Host(speaker).says("step.done", {})
    with pytest.raises(audit_log.EntryRefused, match=f"'agent:{speaker}' came from agent {sender}"):
        site.takes(other)
    assert (site.log.kept, site.diary) == ([], [])


def test_an_event_without_an_incident_changes_none(site):
    site.hears("agent.alarm", {"what": "stop_refused"}, incident=None)
    site.hears("order.refused", {"order_id": OURS.id, "reason": "forged"}, incident=None)
    assert site.diary == ["durable", ("aaaa", 1), "durable", ("aaaa", 2)]
    assert site.kept.status is OrderStatus.RELEASED


def test_what_is_no_word_on_an_order_changes_no_order(site):
    site.hears("step.done", {"order_id": "ord_made_up"})
    assert (site.told, site.alarms) == ([], [])
    assert ("incident", OURS.incident, NOW) in site.diary


# --- blobs


def test_bytes_that_an_event_names_are_kept_before_it(site):
    event = site.host.says("step.done", {})
    site.takes(with_blobs(event, [SHA256], (SHA256, "text/plain", OUTPUT)))
    assert site.log.blobs == [(OUTPUT, "text/plain")]
    assert site.diary[:2] == ["blob", "durable"]


@pytest.mark.parametrize(
    ("named", "sha256", "plain"),
    [
        ([SHA256], SHA256, b"other bytes"),
        *(([digit * 64], digit * 64, OUTPUT) for digit in "0f"),
        (["0" * 64], SHA256, OUTPUT),
        ([], SHA256, OUTPUT),
        ([SHA256], "0" * 64, OUTPUT),
    ],
)
def test_bytes_that_are_not_those_that_the_event_names_are_refused_with_it(
    site, named, sha256, plain
):
    event = with_blobs(site.host.says("step.done", {}), named, (sha256, "text/plain", plain))
    found = hashlib.sha256(plain).hexdigest()
    with pytest.raises(receipts.BlobWrong, match=f"blob {sha256}: .* found {found}"):
        site.takes(event)
    assert (site.log.blobs, site.log.kept) == ([], [])


def test_bytes_that_are_named_and_not_sent_do_not_hold_back_the_event(site):
    assert site.takes(with_blobs(site.host.says("step.done", {}), [SHA256])) == 1
    assert site.log.blobs == []


# --- what follows


def test_an_order_that_the_host_admitted_is_under_way(site):
    site.hears("order.admitted")
    assert site.kept.status is OrderStatus.ADMITTED
    assert site.told == []


def test_an_order_that_the_host_refused_ends_its_incident_with_the_reason(site):
    site.hears("order.refused", {"order_id": OURS.id, "reason": "the guard is false"})
    assert (site.kept.status, site.kept.refused_because) == (
        OrderStatus.REFUSED,
        "the guard is false",
    )
    ((incident, event, key),) = site.told
    assert (incident, key) == (OURS.incident, f"ended/{OURS.id}")
    assert (event.at, event.order) == (NOW, OURS.id)
    assert event.outcome is ExecutionOutcome.REFUSED
    assert (event.reason, event.left_behind) == ("host-aaaa refused: the guard is false", ())


def test_a_refusal_without_a_reason_is_a_refusal(site):
    site.hears("order.refused")
    assert site.kept.refused_because == ""


def test_the_end_is_kept_with_the_steps_the_times_and_what_was_left_behind(site):
    intent = audit_log.NewEntry(
        "order.intent", NOW, "drill", "cp", "cp", "i", OURS.incident, {"agent": "aaaa"}
    )
    site.log.append(intent)
    site.hears("step.done", {"order_id": OURS.id, "name": "clean", "status": "success"})
    began = datetime(2026, 2, 12, 11, 0, tzinfo=UTC)
    site.hears(
        "order.finished",
        {
            "order_id": OURS.id,
            "outcome": "PARTIALLY_ROLLED_BACK",
            "reason": "it did not help",
            "left_behind": ["restart", 7],
            "started_ms": int(began.timestamp() * 1000),
            "finished_ms": int(began.timestamp() * 1000) + 1_500,
        },
    )
    report = site.kept.report
    assert (report.order, report.incident) == (OURS.id, OURS.incident)
    assert report.outcome is ExecutionOutcome.PARTIALLY_ROLLED_BACK
    assert (report.reason, report.left_behind) == ("it did not help", ("restart", "7"))
    assert (report.started_at, report.finished_at) == (began, began + timedelta(seconds=1.5))
    assert [step.name for step in report.records] == ["clean"]
    ((_, event, _),) = site.told
    assert (event.outcome, event.reason) == (report.outcome, report.reason)
    assert event.left_behind == report.left_behind


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"started_ms": "noon", "finished_ms": None},
        {"started_ms": 2**53 - 1, "finished_ms": []},
        {"started_ms": "9" * 400, "finished_ms": "1" + "0" * 20},
    ],
)
def test_times_that_are_not_understood_are_the_centre_s(site, said):
    site.hears("order.finished", {"order_id": OURS.id, "outcome": "SUCCESS", **said})
    report = site.kept.report
    assert (report.started_at, report.finished_at) == (NOW, NOW)
    assert (report.reason, report.left_behind) == ("", ())


def test_what_was_left_behind_in_a_form_that_is_not_understood_is_not_made_up(site):
    said = {"order_id": OURS.id, "outcome": "SUCCESS", "left_behind": "everything"}
    site.hears("order.finished", said)
    assert site.kept.report.left_behind == ()


# --- what a host has no say in


LOWER, HIGHER = (IncidentId(f"inc_20260212_112600_{digit * 8}") for digit in "0f")


def others(site):
    other = dataclasses.replace(OURS, id=OrderId("ord_2"), agent="bbbb")
    site.orders.release(other, at=NOW)
    return {"order_id": "ord_2"}, OURS.incident, "order ord_2 was another host's"


def made_up(_site):
    said = {"order_id": "x" * 100}
    return said, OURS.incident, f"it was never given an order {'x' * 64}"


def for_another_incident(other):
    def made(_site):
        why = f"order {OURS.id} was for incident {OURS.incident}, not for {other}"
        return {"order_id": OURS.id}, other, why

    return made


@pytest.mark.parametrize(
    "made", [others, made_up, for_another_incident(LOWER), for_another_incident(HIGHER)]
)
def test_people_are_told_who_spoke_of_what_is_not_its_own(site, made):
    said, incident, why = made(site)
    site.hears("order.admitted", said, incident)
    (alarm,) = site.alarms
    assert (alarm.kind, alarm.environment) == ("agent.alarm", "production")
    assert (alarm.key, alarm.incident) == ("aaaa/1/foreign", None)
    assert alarm.data == {
        "agent": "aaaa",
        "host": "host-aaaa",
        "rule": "speaks_for_itself",
        "reason": f"host-aaaa sent order.admitted, but {why}",
    }
    assert site.counted == {"agent_events_total foreign": 1, "agent_events_total accepted": 1}
    assert site.kept.status is OrderStatus.RELEASED
