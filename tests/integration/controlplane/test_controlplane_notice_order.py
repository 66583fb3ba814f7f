"""When the desk tells people: quiet hours, digests, and in which order.

Rules 3 and 5 of controlplane.notice_desk; what it takes in and who hears of it is tested in
test_controlplane_notice_desk.py.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.adapters.sql_store import database
from sentienguard.controlplane.notice_desk import NoticeDesk
from sentienguard.flow.telling import routes
from sentienguard.model.anomaly import Severity
from sentienguard.model.care import Signed
from sentienguard.model.incident import Outcome
from sentienguard.model.notice import NoticeKind
from sentienguard.ports.notifier import NotNow
from sentienguard.ports.outbox import OutboxStatus
from tests.support import notice_world
from tests.support.notice_world import BASE, World

pytestmark = pytest.mark.integration
QUIET = {"from": "22:00", "to": "07:00", "zone": "UTC", "below": "critical"}
NIGHT = datetime(2026, 2, 12, 23, 30, tzinfo=UTC)
MORNING = datetime(2026, 2, 13, 7, 0, 1, tzinfo=UTC)


@pytest.fixture
def stores() -> Iterator[database.Database]:
    with notice_world.stores() as opened:
        yield opened


@pytest.fixture
def world(stores: database.Database) -> World:
    return notice_world.build(stores, notice_world.ASKS_ON)


@pytest.fixture
def asleep(stores: database.Database) -> World:
    """Two channels that are left alone at night, one of which hears of beginnings only."""
    document = {
        "routes": [
            {"to": ["ops"], "quiet": QUIET},
            {"to": ["pager"], "events": ["opened"], "quiet": QUIET},
        ]
    }
    made = notice_world.build(stores, routes.read(document, ("ops", "pager")))
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
    made = notice_world.build(stores, routes.read(document, ("ops", "pager")))
    made.clock.at = NIGHT
    names = [notice_world.question(made, number, severity=Severity.WARNING) for number in (1, 2)]
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
    made = notice_world.build(stores, routes.read(document, ("ops",)))
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
    made = notice_world.build(stores, routes.Routes((routes.Route(("pager",)),)))
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
    made = notice_world.build(stores, routes.Routes((routes.Route(("pager",)),)))
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
    name = notice_world.question(world)
    for _ in range(2):
        desk.round()
    world.stores.care.acknowledge(name, Signed("rita@local", world.clock.now()))
    world.log.say("incident.acknowledged", name, world.clock.now())
    desk.round()
    assert world.kinds(world.pager) == ["opened", "approval", "handled"]
