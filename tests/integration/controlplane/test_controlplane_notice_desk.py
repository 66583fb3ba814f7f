"""The desk that tells people: real stores, a clock that obeys, services that do as they are told.

Each rule of controlplane.notice_desk has a test that fails without it.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sentienguard.adapters.sql_store import database
from sentienguard.controlplane import notice_desk
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.notice_desk import NoticeDesk
from sentienguard.flow.telling import routes
from sentienguard.model.anomaly import Severity
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.care import Signed
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Outcome, Status
from sentienguard.model.notice import NoticeKind
from sentienguard.ports.audit_log import StoredEntry
from sentienguard.ports.notifier import Channel, Letter, NotNow, NotTaken
from sentienguard.ports.outbox import OutboxStatus, Outgoing
from sentienguard.trust import root as roots
from tests.contract import stores_nouns as nouns

pytestmark = pytest.mark.integration
BASE = "https://guard.test"


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


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables, made once: each test takes a copy."""
    place = tmp_path_factory.mktemp("empty") / "store.db"
    database.open_database(f"sqlite:///{place}").close()
    return place


@pytest.fixture
def stores(empty: Path, tmp_path: Path) -> Iterator[database.Database]:
    shutil.copy(empty, tmp_path / "store.db")
    opened = database.open_database(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture
def world(stores: database.Database) -> World:
    escalate = (routes.Escalation(timedelta(minutes=10), ("pager",)),)
    return build(stores, routes.Routes((routes.Route(("ops",), escalate=escalate),)))


def question(
    world: World, number: int = 1, *, severity: Severity = Severity.CRITICAL
) -> IncidentId:
    """Open an incident that waits for a person."""
    name = world.opens(number, severity=severity)
    world.stores.approvals.open(nouns.approval(number))
    world.log.say("approval.requested", name, world.clock.now())
    return name


def test_what_was_in_the_log_before_the_desk_is_told_to_nobody(stores: database.Database) -> None:
    made = build(stores, routes.Routes((routes.Route(("ops",)),)))
    assert made.desk.round() == 0
    made.opens(1)
    again = NoticeDesk(made.centre, list(made.desk.channels.values()),
                       routes.Routes((routes.Route(("ops",)),)), BASE)  # fmt: skip
    assert again.round() == 1  # rule 2: another process goes on where this one was
    assert made.desk.round() == 0
    assert len(made.ops.got) == 1


def test_an_incident_is_told_with_its_page_and_later_news_name_the_first_message(
    world: World,
) -> None:
    name = world.opens(1)
    assert world.desk.round() == 1
    assert world.ops.got[0].notice.page == f"{BASE}/incidents/{name}"
    assert world.ops.got[0].previous == ""
    world.log.say("incident.acknowledged", name, world.clock.now())
    world.desk.round()
    first, second = world.ops.got
    assert second.previous == f"ref-{first.id[:8]}"
    assert "has it in hand" in second.notice.title


def test_what_is_old_when_it_is_read_first_is_no_news(world: World) -> None:
    world.opens(1)
    world.clock.pass_by(hours=1, seconds=1)
    assert world.desk.round() == 0
    assert world.ops.got == []


def test_an_entry_of_an_incident_that_nobody_knows_holds_up_no_other(world: World) -> None:
    world.log.say("incident.opened", "inc_20260212_112600_ffffffff", world.clock.now())
    world.opens(1)
    assert world.desk.round() == 1


def test_what_a_service_cannot_take_now_is_tried_again_later_each_time(world: World) -> None:
    refusals = 3

    def busy(_: Letter) -> str:
        raise NotNow("it restarts")

    world.ops.answer = busy
    world.opens(1)
    pauses = []
    for _ in range(refusals):
        assert world.desk.round() == 0
        [waiting] = world.listed()["ops", "opened"]
        assert waiting.problem == "it restarts"
        pauses.append((waiting.due_at - world.clock.now()).total_seconds())
        assert world.desk.deliver() == 0  # not before its time
        world.clock.at = waiting.due_at
    assert pauses == [2.0, 4.0, 8.0]
    world.ops.answer = lambda _: "taken"
    assert world.desk.round() == 1
    [sent] = world.listed()["ops", "opened"]
    assert (sent.status, sent.attempts) == (OutboxStatus.SENT, refusals + 1)


def test_a_service_that_names_a_time_is_left_alone_until_then(world: World) -> None:
    world.ops.answer = lambda _: (_ for _ in ()).throw(NotNow("slow down", after_s=90.0))
    world.opens(1)
    world.desk.round()
    world.ops.answer = lambda _: "taken"
    world.clock.pass_by(seconds=60)
    world.opens(2)
    assert world.desk.round() == 0
    world.clock.pass_by(seconds=31)
    assert world.desk.round() == 2


def test_a_message_that_was_tried_for_a_day_is_given_up_and_says_so(world: World) -> None:
    world.ops.answer = lambda _: (_ for _ in ()).throw(NotNow("away"))
    world.opens(1)
    world.desk.round()
    world.clock.pass_by(hours=24, seconds=1)
    assert world.desk.round() == 1
    [left] = world.listed()["ops", "opened"]
    assert (left.status, left.problem) == (OutboxStatus.FAILED, "given up: away")


def test_what_a_service_will_never_take_is_left_at_once(world: World) -> None:
    world.ops.answer = lambda _: (_ for _ in ()).throw(NotTaken("no such room"))
    world.opens(1)
    assert world.desk.round() == 1
    [left] = world.listed()["ops", "opened"]
    assert (left.status, left.problem) == (OutboxStatus.FAILED, "no such room")


def test_an_error_that_nobody_foresaw_in_one_service_holds_up_no_other(
    stores: database.Database,
) -> None:
    made = build(stores, routes.Routes((routes.Route(("ops", "pager")),)))
    made.ops.answer = lambda _: str(1 // 0)
    made.opens(1)
    assert made.desk.round() == 1  # rule 4
    assert len(made.pager.got) == 1
    [waiting] = made.listed()["ops", "opened"]
    assert waiting.status is OutboxStatus.WAITING
    assert "ZeroDivisionError" in waiting.problem


def test_a_channel_that_left_the_file_ends_its_messages(world: World) -> None:
    world.opens(1)
    world.desk.take_in()
    bare = NoticeDesk(world.centre, [], routes.Routes(), BASE)
    assert bare.deliver() == 1
    [left] = world.listed()["ops", "opened"]
    assert left.problem == "no channel has this name any more"


def test_a_question_that_was_answered_meanwhile_is_not_asked(world: World) -> None:
    name = question(world)
    world.desk.take_in()
    asked = world.stores.approvals.of(name)
    assert asked is not None
    world.stores.approvals.decide(
        asked.id, ApprovalStatus.DENIED, by="rita@local", at=world.clock.now(), note=""
    )
    for _ in range(2):
        world.desk.round()
    assert "Approval Required" not in world.ops.titles
    [dropped] = world.listed()["ops", "approval"]
    assert (dropped.status, dropped.problem) == (OutboxStatus.DROPPED, "the question is denied")


def test_when_nobody_answers_the_next_one_hears_of_it(world: World) -> None:
    question(world)
    world.desk.round()
    assert world.pager.got == []
    world.clock.pass_by(minutes=10, seconds=1)
    world.desk.round()
    assert world.pager.titles == ["Approval Required"]


def test_when_somebody_has_it_in_hand_nobody_else_is_woken(world: World) -> None:
    name = question(world)
    world.desk.round()
    world.stores.care.acknowledge(name, Signed("rita@local", world.clock.now()))
    world.clock.pass_by(minutes=10, seconds=1)
    world.desk.round()
    assert world.pager.got == []
    [dropped] = world.listed()["pager", "approval"]
    assert (dropped.status, dropped.problem) == (OutboxStatus.DROPPED, "somebody has it in hand")


def test_a_storm_becomes_one_message_and_a_question_in_it_stands_by_itself(
    stores: database.Database,
) -> None:
    storm = routes.Storm(more_than=3, within=timedelta(minutes=1))
    made = build(stores, routes.Routes((routes.Route(("ops", "pager")),), storm))
    for number in range(2, 8):
        made.opens(number)
    question(made)
    made.desk.round()
    made.desk.round()  # of one incident a message at a time: its question comes after its opening
    kinds = [one.notice.kind for one in made.ops.got]
    assert sorted(kinds) == [NoticeKind.APPROVAL, NoticeKind.DIGEST]
    digest = next(one.notice for one in made.ops.got if one.notice.kind is NoticeKind.DIGEST)
    assert digest.title.startswith("7 messages about 7 incidents")
    folded = made.listed()["ops", "opened"]
    assert {one.status for one in folded} == {OutboxStatus.FOLDED}
    assert NoticeKind.DIGEST not in {one.notice.kind for one in made.pager.got}  # it folds nothing


def test_within_a_minute_of_a_digest_more_of_the_storm_waits_for_the_next(
    stores: database.Database,
) -> None:
    storm = routes.Storm(more_than=2, within=timedelta(minutes=1))
    made = build(stores, routes.Routes((routes.Route(("ops",)),), storm))
    for number in range(1, 5):
        made.opens(number)
    made.desk.round()
    for number in range(5, 9):
        made.opens(number)
    made.clock.pass_by(seconds=5)
    made.desk.round()
    assert len(made.ops.got) == 1
    made.clock.pass_by(seconds=60)
    made.desk.round()
    assert [one.notice.kind for one in made.ops.got] == [NoticeKind.DIGEST] * 2


def test_two_desks_send_a_message_once(world: World) -> None:
    world.opens(1)
    world.desk.take_in()
    message = world.stores.outbox.list(limit=1)[0]
    now = world.clock.now()
    assert world.stores.outbox.claim(message.id, now=now, until=now + notice_desk.CLAIM)
    assert world.desk.deliver() == 0
    assert world.ops.got == []
    world.clock.pass_by(seconds=notice_desk.CLAIM.total_seconds() + 1)  # the other one died
    assert world.desk.deliver() == 1


def test_a_channel_is_tried_by_name_and_an_unknown_one_names_those_there_are(
    world: World,
) -> None:
    world.desk.try_channel("pager", "rita@local")
    assert world.pager.got[0].notice.kind is NoticeKind.TEST
    assert "rita@local" in world.pager.got[0].notice.lines[0]
    with pytest.raises(notice_desk.NoSuchChannel, match="known: ops, pager"):
        world.desk.try_channel("nobody", "rita@local")


def test_who_is_called_reads_how_the_same_was_settled_by_hand_before(world: World) -> None:
    for number in (1, 2):
        name = world.opens(number, subject="/pool")
        world.closes(name, Outcome.ESCALATED)
        who = Signed(f"ann{number}@local", world.clock.now())
        world.stores.care.settle(name, who, f"restarted the pool, number {number}")
        world.clock.pass_by(days=3)
    other = world.opens(3, subject="/other")
    world.closes(other, Outcome.ESCALATED)
    world.stores.care.settle(other, Signed("eve@local", world.clock.now()), "not this one")
    last = world.opens(4, subject="/pool")
    world.closes(last, Outcome.ESCALATED)
    for _ in range(2):
        world.desk.round()
    told = {(one.notice.incident, one.notice.kind): one.notice.lines for one in world.ops.got}
    lines = told[last, NoticeKind.ESCALATED]
    at = lines.index("Settled before:")
    assert lines[at + 1 :] == (
        "- 2026-02-15 ann2@local fixed it by hand: restarted the pool, number 2",
        "- 2026-02-12 ann1@local fixed it by hand: restarted the pool, number 1",
    )


def test_a_first_yes_is_told_where_it_was_asked_and_stays_a_question(world: World) -> None:
    name = question(world)
    for _ in range(2):
        world.desk.round()
    said = {"approvers": "rita@local", "needed": 2, "note": ""}
    world.log.say("approval.agreed", name, world.clock.now(), **said)
    world.desk.round()
    assert world.kinds(world.ops) == ["opened", "approval", "agreed"]
    told = world.ops.got[-1]
    assert told.notice.lines[0] == "1 of 2: rita@local agreed"
    assert told.notice.question is not None
    assert told.previous == f"ref-{world.ops.got[1].id[:8]}"
    assert world.pager.got == []


QUIET = {"from": "22:00", "to": "07:00", "zone": "UTC", "below": "critical"}
NIGHT = datetime(2026, 2, 12, 23, 30, tzinfo=UTC)
MORNING = datetime(2026, 2, 13, 7, 0, 1, tzinfo=UTC)


@pytest.fixture
def asleep(stores: database.Database) -> World:
    """Two channels that are left alone at night, one of which hears of beginnings only."""
    document = {
        "routes": [
            {"to": ["ops"], "quiet": QUIET},
            {"to": ["pager"], "events": ["opened"], "quiet": QUIET},
        ]
    }
    made = build(stores, routes.read(document, ("ops", "pager")))
    made.clock.at = NIGHT
    return made


def test_what_began_and_ended_in_quiet_hours_is_told_to_nobody(asleep: World) -> None:
    name = asleep.opens(1, severity=Severity.WARNING)
    asleep.desk.round()
    asleep.clock.pass_by(minutes=5)
    asleep.closes(name, Outcome.SELF_RECOVERED)
    asleep.desk.round()
    assert asleep.ops.got == asleep.pager.got == []
    asleep.clock.at = MORNING
    for _ in range(3):
        asleep.desk.round()
        asleep.clock.pass_by(seconds=1)
    assert asleep.ops.got == asleep.pager.got == []
    kept = asleep.stores.outbox.list(limit=10)
    assert {one.status for one in kept} == {OutboxStatus.DROPPED}
    assert {one.problem for one in kept} == {
        "it was over before anybody was told",
        "nobody was told that it had begun",
    }


def test_what_began_in_quiet_hours_and_stands_is_told_after_them_once_and_in_order(
    asleep: World,
) -> None:
    name = asleep.opens(1, severity=Severity.WARNING)
    asleep.desk.round()
    asleep.log.say("incident.acknowledged", name, asleep.clock.now())
    asleep.desk.round()
    assert asleep.ops.got == asleep.pager.got == []
    asleep.clock.at = MORNING
    for _ in range(3):
        asleep.desk.round()
        asleep.clock.pass_by(seconds=1)
    assert asleep.kinds(asleep.ops) == asleep.kinds(asleep.pager) == ["opened", "handled"]
    asleep.closes(name, Outcome.SELF_RECOVERED)
    asleep.desk.round()
    assert asleep.kinds(asleep.pager) == ["opened", "handled", "resolved"]
    assert asleep.ops.got[-1].previous == f"ref-{asleep.ops.got[1].id[:8]}"


def test_what_falls_to_people_in_quiet_hours_is_told_at_once_after_its_beginning(
    asleep: World,
) -> None:
    name = asleep.opens(1, severity=Severity.WARNING)
    asleep.desk.round()
    asleep.clock.pass_by(minutes=5)
    asleep.closes(name, Outcome.ESCALATED)
    for _ in range(2):
        asleep.desk.round()
    assert asleep.kinds(asleep.ops) == asleep.kinds(asleep.pager) == ["opened", "escalated"]
    asleep.clock.at = MORNING
    assert asleep.desk.round() == 0


def test_a_reminder_waits_for_no_morning_and_a_stale_beginning_follows_nothing(
    stores: database.Database,
) -> None:
    document = {
        "routes": [
            {"to": ["pager"], "events": ["opened"], "quiet": QUIET},
            {"to": ["ops"], "events": ["approval"],
             "escalate": [{"after_minutes": 10, "to": ["pager"]}]},
        ]
    }  # fmt: skip
    made = build(stores, routes.read(document, ("ops", "pager")))
    made.clock.at = NIGHT
    names = [question(made, number, severity=Severity.WARNING) for number in (1, 2)]
    made.desk.round()
    assert made.pager.got == []
    made.clock.pass_by(minutes=11)
    made.desk.round()
    assert made.kinds(made.pager) == ["approval", "approval"]
    made.log.say("incident.acknowledged", names[0], made.clock.now())
    for _ in range(2):
        made.desk.round()
    assert made.kinds(made.pager) == ["approval", "approval", "handled"]
    made.clock.at = MORNING
    for _ in range(2):
        made.desk.round()
    assert len(made.pager.got) == 3
    kept = made.listed()["pager", "opened"]
    assert {one.problem for one in kept} == {"people heard of it since"}


def test_what_is_as_severe_as_the_route_says_waits_for_no_morning(asleep: World) -> None:
    name = asleep.opens(1)
    asleep.desk.round()
    asleep.closes(name, Outcome.SELF_RECOVERED)
    asleep.desk.round()
    assert asleep.kinds(asleep.ops) == asleep.kinds(asleep.pager) == ["opened", "resolved"]


def test_what_began_and_ended_before_the_desk_looked_again_is_told_in_order(
    world: World,
) -> None:
    escalated = routes.Routes((routes.Route(("ops",), kinds=frozenset({NoticeKind.OPENED})),))
    desk = NoticeDesk(world.centre, list(world.desk.channels.values()), escalated, BASE)
    name = world.opens(1)
    world.closes(name, Outcome.SELF_RECOVERED)
    for _ in range(2):
        desk.round()
    assert world.kinds(world.ops) == ["opened", "resolved"]


def test_in_the_morning_a_digest_tells_nothing_of_what_is_over(stores: database.Database) -> None:
    document = {"routes": [{"to": ["ops"], "quiet": QUIET}], "digest": {"more_than": 2}}
    made = build(stores, routes.read(document, ("ops",)))
    made.clock.at = NIGHT
    opened = [made.opens(number, severity=Severity.WARNING) for number in range(1, 8)]
    made.desk.round()
    for name in opened[:3]:
        made.closes(name, Outcome.SELF_RECOVERED)
    made.desk.round()
    made.clock.at = MORNING
    made.desk.round()
    [digest] = made.ops.got
    assert digest.notice.title.startswith("4 messages about 4 incidents")


def test_a_later_message_never_overtakes_one_that_is_tried_again(stores: database.Database) -> None:
    made = build(stores, routes.Routes((routes.Route(("pager",)),)))
    made.pager.answer = lambda _: (_ for _ in ()).throw(NotNow("503"))
    name = made.opens(1)
    made.desk.round()
    made.clock.pass_by(seconds=2)
    made.desk.round()
    made.pager.answer = lambda letter: f"ref-{letter.id[:8]}"
    made.closes(name, Outcome.SELF_RECOVERED)
    assert made.desk.round() == 0, "it waits for its turn"
    made.clock.pass_by(seconds=5)
    for _ in range(2):
        made.desk.round()
    assert made.kinds(made.pager) == ["opened", "resolved"]


def test_what_was_given_up_holds_up_nothing_for_ever(stores: database.Database) -> None:
    made = build(stores, routes.Routes((routes.Route(("pager",)),)))
    made.pager.answer = lambda _: (_ for _ in ()).throw(NotNow("503"))
    name = made.opens(1)
    made.desk.round()
    made.clock.pass_by(hours=24, seconds=1)
    made.closes(name, Outcome.SELF_RECOVERED)
    made.desk.round()
    made.pager.answer = lambda _: "taken"
    made.desk.round()
    assert made.kinds(made.pager) == ["resolved"]


def test_a_reminder_whose_time_has_not_come_holds_up_nothing(world: World) -> None:
    route = routes.Route(
        ("ops", "pager"), escalate=(routes.Escalation(timedelta(minutes=10), ("pager",)),)
    )
    desk = NoticeDesk(
        world.centre, list(world.desk.channels.values()), routes.Routes((route,)), BASE
    )
    name = question(world)
    for _ in range(2):
        desk.round()
    world.stores.care.acknowledge(name, Signed("rita@local", world.clock.now()))
    world.log.say("incident.acknowledged", name, world.clock.now())
    desk.round()
    assert world.kinds(world.pager) == ["opened", "approval", "handled"]
