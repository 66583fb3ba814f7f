"""The durable engine: deadlines, repeated messages, a broken log.

Every incident is closed before a test ends: a thread that waits for one would hold this process.
Going on after a crash is tested with real processes, in test_controlplane_approvals and stories.
"""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy
from dbos import DBOS
from dbos._sys_db import SystemDatabase, ThreadSafeEventDict

from sentienguard.controlplane import engine
from sentienguard.flow import incident as flow
from sentienguard.model import errors, ids
from sentienguard.model.anomaly import Anomaly, Ground, Severity
from sentienguard.model.approval import Approval
from sentienguard.model.decision import Route
from sentienguard.model.incident import Incident, Outcome
from sentienguard.model.order import ExecutionOutcome, Order
from sentienguard.model.telemetry import Series
from sentienguard.ports.replicas import TakenOver

pytestmark = pytest.mark.integration


class World:
    """Does what the engine asks for, and remembers it; it survives the engine like a database."""

    def __init__(self, route=Route.RUN, expires_in=timedelta(minutes=5)):
        self.route, self.expires_in = route, expires_in
        self.deeds = []
        self.closed = threading.Event()
        self.failing = 0  # times that the next intents fail
        self.away = 0  # times that the next incidents cannot be read
        self.lost = False  # another replica took over

    def now(self):
        return datetime.now(UTC)

    def load(self, incident):
        if self.away:
            self.away -= 1
            raise errors.Unavailable("the database is away")
        series = Series("h", "system.disk_usage_percent", "/")
        anomaly = Anomaly(
            series, self.now(), 99.0, Severity.CRITICAL, Ground.LIMIT, None, None, None, "full"
        )
        return Incident(
            incident, ids.AgentId("a"), "h", "drill", {}, anomaly.fingerprint, anomaly, self.now()
        )

    def opened(self, incident):
        self.deeds.append("opened")

    def perform(self, incident, deed):
        if isinstance(deed, flow.RecordIntent) and self.lost:
            self.deeds.append("lost")
            raise TakenOver("another one's")
        if isinstance(deed, flow.RecordIntent) and self.failing:
            self.failing -= 1
            raise errors.Broken("the log is read-only")
        self.deeds.append(deed)
        if isinstance(deed, flow.Close):
            self.closed.set()

    def order(self, incident):
        digest = ids.digest(b"playbook")
        return Order(
            ids.order_id(incident, digest, dry_run=False), incident, ids.AgentId("a"), "drill",
            ids.PlaybookName("p"), "1.0.0", digest, {}, {}, False, self.now(), 60,
        )  # fmt: skip

    def decide(self, incident, question):
        order = self.order(incident)
        asked = None
        if self.route is Route.ASK:
            asked = Approval(
                ids.approval_id(incident, order.digest), incident, "drill", order.playbook,
                order.digest, "may I?", "risk", self.now(), self.now() + self.expires_in,
            )  # fmt: skip
        return flow.Decided(self.now(), self.route, "because", order, asked)

    def release(self, question):
        self.deeds.append(question)
        return flow.Released(self.now())

    def withdraw(self, question):
        return flow.Withdrawn(self.now(), taken_back=True)

    def silence(self, incident):
        return flow.NothingCame()

    def outcome(self):
        return next(deed.outcome for deed in self.deeds if isinstance(deed, flow.Close))

    def releases(self):
        return [deed for deed in self.deeds if isinstance(deed, flow.Release)]


@pytest.fixture
def records(tmp_path):
    """Where the workflows are recorded; tests/replicas has them on PostgreSQL."""
    return tmp_path / "flow.db"


@pytest.fixture
def started(records):
    running = []

    def start(world):
        made = engine.Engine(records, world)
        made.start()
        running.append(made)
        return made

    yield start
    for each in running:
        each.stop()


INCIDENT = ids.incident_id(datetime(2026, 2, 12, 11, 26, tzinfo=UTC), b"abcd")


def until(condition, what):
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_an_incident_that_cannot_be_read_just_now_waits_and_lives_on(started):
    world = World(Route.ESCALATE)
    world.away = 1
    started(world).begin(INCIDENT)
    assert world.closed.wait(15)
    assert world.outcome() is Outcome.ESCALATED
    assert world.deeds[0] == "opened"


def test_a_question_that_nobody_answers_expires(started):
    world = World(Route.ASK, expires_in=timedelta(seconds=0.5))
    started(world).begin(INCIDENT)
    assert world.closed.wait(15)
    assert world.outcome() is Outcome.EXPIRED
    assert world.releases() == []


def test_a_wait_that_the_clock_would_not_end_ends_when_it_is_told_so(started):
    world = World(Route.ASK, expires_in=timedelta(days=365))  # as after a clock was set back
    running = started(world)
    running.begin(INCIDENT)
    until(lambda: any(isinstance(deed, flow.OpenApproval) for deed in world.deeds), "a question")
    running.tell(INCIDENT, flow.NothingCame(), key="overdue")
    assert world.closed.wait(15)
    assert world.outcome() is Outcome.EXPIRED
    assert world.releases() == []


def test_the_same_message_many_times_is_one(started):
    world = World()
    running = started(world)
    running.begin(INCIDENT)
    until(world.releases, "a release")
    order = world.order(INCIDENT).id
    ended = flow.OrderEnded(world.now(), order, ExecutionOutcome.SUCCESS, "done")
    for _ in range(10):
        running.begin(INCIDENT)
        running.tell(INCIDENT, ended, key="ended")
    assert world.closed.wait(15)
    assert len(world.releases()) == 1
    assert world.outcome() is Outcome.RESOLVED


def test_a_message_wakes_who_waits_for_it_and_nobody_has_to_look(started, monkeypatch):
    monkeypatch.setattr(SystemDatabase, "_notification_listener_polling", lambda _records: None)
    world = World(Route.ASK)
    running = started(world)
    running.begin(INCIDENT)
    until(lambda: any(isinstance(deed, flow.OpenApproval) for deed in world.deeds), "a question")
    yes = flow.Answered(approved=True, by="anna")
    running.tell(INCIDENT, yes, key="answer")
    until(world.releases, "a release")
    for _ in range(20):  # nobody is woken by what was heard before: it would end the wait
        running.tell(INCIDENT, yes, key="answer")
        time.sleep(0.01)
    ended = flow.OrderEnded(world.now(), world.order(INCIDENT).id, ExecutionOutcome.SUCCESS, "done")
    running.tell(INCIDENT, ended, key="ended")
    running.tell(INCIDENT, flow.Recovered(world.now()), key="recovered")
    assert world.closed.wait(15)
    assert world.outcome() is Outcome.RESOLVED


def test_a_message_that_woke_nobody_is_found_and_who_has_none_is_not_looked_for(
    started, monkeypatch
):
    monkeypatch.setattr(engine.Engine, "_wake", lambda *_: None)
    world = World(Route.ASK)
    running = started(world)
    others = [ids.incident_id(world.now(), n.to_bytes(4, "big")) for n in range(5)]
    for incident in (INCIDENT, *others):
        running.begin(incident)
    waiting = running._dbos._sys_db.notifications_map
    until(lambda: len(ThreadSafeEventDict.snapshot(waiting)) == 6, "six that wait")
    assert waiting.told() == []
    no = flow.Answered(approved=False, by="anna")
    running.tell(INCIDENT, no, key="answer")
    assert [one[1][0] for one in waiting.told()] in ([INCIDENT], [])  # it may be gone by now
    assert world.closed.wait(15)
    until(lambda: len(ThreadSafeEventDict.snapshot(waiting)) == 5, "five that wait")
    for incident in others:
        running.tell(incident, no, key="answer")
    until(lambda: sum(isinstance(one, flow.Close) for one in world.deeds) == 6, "six closed")


def test_a_step_that_waits_when_the_engine_is_told_to_stop_is_done_after_the_next_start(started):
    world = World()
    world.failing = 1000
    stopped = started(world)
    stopped.begin(INCIDENT)
    until(lambda: world.failing < 1000, "an intent that cannot be recorded")
    stopped.stop()
    world.failing = 0
    running = started(world)
    until(world.releases, "the release after the next start")
    ended = flow.OrderEnded(world.now(), world.order(INCIDENT).id, ExecutionOutcome.SUCCESS, "done")
    running.tell(INCIDENT, ended, key="ended")
    assert world.closed.wait(15)
    assert world.outcome() is Outcome.RESOLVED


def test_a_step_of_a_run_that_was_taken_over_ends_it_without_a_record(started):
    world = World()
    world.lost = True
    lost = started(world)
    lost.begin(INCIDENT)
    until(lambda: "lost" in world.deeds, "an intent that is another one's")
    lost.stop()
    world.lost = False
    running = started(world)
    until(world.releases, "the release by who took over")
    ended = flow.OrderEnded(world.now(), world.order(INCIDENT).id, ExecutionOutcome.SUCCESS, "done")
    running.tell(INCIDENT, ended, key="ended")
    assert world.closed.wait(15)
    assert len(world.releases()) == 1


def holding(running, name):
    """Return the tables of the engine's records that hold a name, on whatever database."""
    database = running._dbos._sys_db.engine
    schema = engine.SCHEMA if database.dialect.name == "postgresql" else None
    with database.connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names(schema=schema)
        rows = {
            table: connection.execute(sqlalchemy.text(f'SELECT * FROM {place}"{table}"')).all()
            for place in [f"{schema}." if schema else ""]
            for table in tables
        }
    return [table for table, found in rows.items() if any(name in str(row) for row in found)]


def test_the_records_of_a_life_that_is_over_go_and_it_hears_nothing_more(started):
    over, waiting = INCIDENT, ids.incident_id(datetime(2026, 2, 13, tzinfo=UTC), b"efgh")
    world = World(Route.ASK)
    running = started(world)
    running.begin(over)
    answer = flow.Answered(approved=False, by="zebulon.quist", note="no")
    running.tell(over, answer, key="answer/1")
    assert world.closed.wait(15)
    until(lambda: len(DBOS.list_workflows(status="SUCCESS")) == 1, "its end to be recorded")
    world.closed.clear()
    running.begin(waiting)
    try:
        assert holding(running, "zebulon.quist") != []
        assert running.forget(world.now() - timedelta(days=1)) == 0
        soon = world.now() + timedelta(seconds=5)
        assert [running.forget(soon), running.forget(soon)] == [1, 0]
        assert [one.workflow_id for one in DBOS.list_workflows()] == [waiting]
        assert holding(running, "zebulon.quist") == []
        # Who tells it something late is no error; the other one still hears.
        running.tell(over, answer, key="answer/2")
        assert holding(running, "zebulon.quist") == []
    finally:
        running.tell(waiting, answer, key="answer/1")
        assert world.closed.wait(15)


def test_nothing_is_released_while_the_intent_cannot_be_recorded(started):
    world = World()
    world.failing = 1
    running = started(world)
    running.begin(INCIDENT)
    time.sleep(0.3)
    assert world.releases() == []
    until(world.releases, "the release after the log is back")
    ended = flow.OrderEnded(world.now(), world.order(INCIDENT).id, ExecutionOutcome.SUCCESS, "done")
    running.tell(INCIDENT, ended, key="ended")
    assert world.closed.wait(15)
