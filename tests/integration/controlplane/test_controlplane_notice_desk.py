"""The desk that tells people: real stores, a clock that obeys, services that do as they are told.

Each rule of controlplane.notice_desk has a test that fails without it.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sentienguard.adapters.sql_store import database
from sentienguard.controlplane import notice_desk
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.notice_desk import NoticeDesk
from sentienguard.flow.telling import routes
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.care import Signed
from sentienguard.model.ids import IncidentId
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

    def opens(self, number: int, *, host: str = "web-1") -> IncidentId:
        """Open an incident and let the log say so."""
        made = nouns.incident(number, host=host, subject=f"/srv{number}")
        self.stores.incidents.open(made)
        self.log.say("incident.opened", made.id, self.clock.now())
        return made.id

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


def question(world: World, number: int = 1) -> IncidentId:
    """Open an incident that waits for a person."""
    name = world.opens(number)
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
