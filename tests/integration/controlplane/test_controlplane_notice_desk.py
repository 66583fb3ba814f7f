"""The desk that tells people: what it takes in, what becomes of a message, who hears of it.

Each rule of controlplane.notice_desk has a test that fails without it; rule 5 and the order of
messages have theirs in test_controlplane_notice_order.py.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sentienguard.adapters.sql_store import database
from sentienguard.controlplane import notice_desk
from sentienguard.controlplane.notice_desk import NoticeDesk
from sentienguard.flow.telling import routes
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.care import Signed
from sentienguard.model.incident import Outcome
from sentienguard.model.notice import NoticeKind
from sentienguard.ports.notifier import Letter, NotNow, NotTaken
from sentienguard.ports.outbox import OutboxStatus
from tests.support import notice_world
from tests.support.notice_world import BASE, World

pytestmark = pytest.mark.integration


@pytest.fixture
def stores() -> Iterator[database.Database]:
    with notice_world.stores() as opened:
        yield opened


@pytest.fixture
def world(stores: database.Database) -> World:
    return notice_world.build(stores, notice_world.ASKS_ON)


def test_what_was_in_the_log_before_the_desk_is_told_to_nobody(stores: database.Database) -> None:
    made = notice_world.build(stores, routes.Routes((routes.Route(("ops",)),)))
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
    made = notice_world.build(stores, routes.Routes((routes.Route(("ops", "pager")),)))
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
    name = notice_world.question(world)
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
    notice_world.question(world)
    world.desk.round()
    assert world.pager.got == []
    world.clock.pass_by(minutes=10, seconds=1)
    world.desk.round()
    assert world.pager.titles == ["Approval Required"]


def test_when_somebody_has_it_in_hand_nobody_else_is_woken(world: World) -> None:
    name = notice_world.question(world)
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
    made = notice_world.build(stores, routes.Routes((routes.Route(("ops", "pager")),), storm))
    for number in range(2, 8):
        made.opens(number)
    notice_world.question(made)
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
    made = notice_world.build(stores, routes.Routes((routes.Route(("ops",)),), storm))
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
    name = notice_world.question(world)
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
