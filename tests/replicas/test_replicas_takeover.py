"""Control planes over one PostgreSQL: one is killed, frozen or cut off, and another goes on.

Everything here is real: processes, a server, TLS. What is asserted at the end of each: the order
was released once, the log has one intent and verifies, and who was gone changes nothing more.
"""

import random
import threading
import time
from dataclasses import dataclass

import psycopg
import pytest

from tests.support import centre_process, effort, replica_set, tcp_gate
from tests.support.replica_story import CALM, FULL, Story, administrator, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(effort.pick(240, thorough=3600))]

KILLED_WITHIN_S = 5.0  # from kill -9 to the next word of its incident, on this machine
FROZEN_WITHIN_S = (
    12.0  # takeover_s (2), the server's patience with a frozen transaction (5), a queue
)
TAKEN_OVER = 75
ROUNDS = effort.pick(1, thorough=60)


@dataclass
class Trio:
    """Three replicas; the first reaches the database through a gate."""

    all: list[centre_process.Centre]
    gate: tcp_gate.Gate
    url: str


@pytest.fixture(scope="module")
def whole(tmp_path_factory, server):
    url = server.new_database()
    port = int(url.rpartition(":")[2].partition("/")[0])
    with tcp_gate.opened("127.0.0.1", port) as gate:
        through = url.replace(f":{port}/", f":{gate.port}/")
        directory = tmp_path_factory.mktemp("replicas")
        with replica_set.running(directory, url, 3, first_url=through) as replicas:
            yield Trio(replicas, gate, url)


@pytest.fixture
def trio(whole):
    """The three, all of them running again."""
    whole.gate.open()
    for each in whole.all:
        if each.process.poll() is not None:
            each.restart()
    return whole.all


@pytest.fixture
def url(whole):
    return whole.url


def released_once(url, story, centre):
    """Check what has to hold whatever happened."""
    with psycopg.connect(url) as connection:
        [(orders,)] = connection.execute(
            "SELECT count(*) FROM orders WHERE incident = %s", (story.incident,)
        ).fetchall()
    assert orders == 1
    for kind in ("incident.opened", "decision.made", "order.intent", "incident.closed"):
        assert story.count(centre, kind) == 1, kind
    verified(centre)


def verified(centre):
    found = administrator(centre).post("/api/v1/audit/verify").json()
    assert found["passed"], found["findings"]


def ended_by_itself(centre, within_s=10.0):
    """Wait for a replica that lost its place to end, and check how."""
    assert centre.process.wait(within_s) == TAKEN_OVER
    assert "another one took its place" in (centre.data / "controlplane.log").read_text()


def test_a_question_and_its_answer_cross_replicas_and_bells_wake_polls_at_the_other(trio, url):
    a, b, _ = trio
    story = Story(a.enrol("web-cross", "staging"))
    story.fill(a)  # the workflow runs at A
    assert story.question(b)["status"] == "pending"
    polling = story.speak(b)
    brought: list[object] = []
    poll = threading.Thread(
        target=lambda: brought.append((polling.poll(wait_s=20)["order"], time.monotonic()))
    )
    poll.start()
    time.sleep(0.5)
    assert story.approve(b).status_code == 200
    said = time.monotonic()
    poll.join()
    [(order, at)] = brought
    assert order is not None
    assert at - said < 2.0, "the order woke the poll at the other replica"
    assert story.approve(a).status_code == 409, "only once"
    story.finish(b)
    assert story.closed(a)["incident"]["outcome"] == "resolved"
    released_once(url, story, b)


def test_open_browsers_at_one_replica_hear_what_happens_at_the_other(trio):
    a, b, _ = trio
    host = a.enrol("web-live")
    heard: list[tuple[str, float]] = []
    client = b.login(replica_set.ADMINISTRATOR)

    def listen():
        with client.stream("GET", "/api/v1/live", timeout=20) as stream:
            for line in stream.iter_lines():
                if f'"id": "{host.agent}"' in line:
                    heard.append((line, time.monotonic()))
                    return

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(0.5)
    pushed = time.monotonic()
    assert host.push(CALM).status_code == 204
    listener.join(10)
    [(_, at)] = heard
    assert at - pushed < 1.5  # a second, and half a one for a busy machine


def test_a_killed_replica_s_question_is_answered_at_the_other_and_released_once(trio, url):
    a, b, _ = trio
    story = Story(a.enrol("web-killed", "staging"))
    story.fill(a)
    story.question(b)
    a.kill()
    killed = time.monotonic()
    assert story.approve(b).status_code == 200
    story.order(b)
    assert time.monotonic() - killed < KILLED_WITHIN_S
    story.finish(b)
    assert story.closed(b)["incident"]["outcome"] == "resolved"
    released_once(url, story, b)
    a.restart()
    verified(a)
    assert story.about(a)["incident"]["status"] == "CLOSED"


def test_a_frozen_replica_s_work_goes_on_and_its_late_steps_change_nothing(trio, url):
    a, b, _ = trio
    story = Story(a.enrol("web-frozen", "staging"))
    story.fill(a)
    story.question(b)
    replica_set.freeze(a)
    frozen = time.monotonic()
    assert story.approve(b).status_code == 200
    story.order(b)
    assert time.monotonic() - frozen < FROZEN_WITHIN_S
    before = entries(b)
    replica_set.thaw(a)
    ended_by_itself(a)
    story.finish(b)
    assert story.closed(b)["incident"]["outcome"] == "resolved"
    released_once(url, story, b)
    assert not [one for one in entries(b)[len(before) :] if one["kind"] == "order.intent"]


def entries(centre):
    admin = administrator(centre)
    return list(reversed(admin.get("/api/v1/audit/entries").json()["items"]))


def test_a_replica_cut_off_from_the_database_is_taken_over_and_ends_when_it_is_back(
    trio, url, whole
):
    a, b, _ = trio
    story = Story(a.enrol("web-cut", "staging"))
    story.fill(a)
    story.question(b)
    whole.gate.shut()
    assert story.approve(b).status_code == 200
    story.order(b)
    assert a.process.poll() is None, "it cannot know yet"
    whole.gate.open()
    ended_by_itself(a)
    story.finish(b)
    assert story.closed(b)["incident"]["outcome"] == "resolved"
    released_once(url, story, b)


def test_a_database_that_restarts_costs_no_replica_its_place(trio, server, url):
    a, b, _ = trio
    story = Story(a.enrol("web-restart", "staging"))
    story.fill(a)
    story.question(b)
    server.stop()
    time.sleep(3.0)  # longer than takeover_s
    server.start()
    until(lambda: ready(a) and ready(b), "both replicas back")
    time.sleep(3.0)
    assert (a.process.poll(), b.process.poll()) == (None, None)
    assert story.approve(b).status_code == 200
    story.order(a)
    story.finish(b)
    assert story.closed(a)["incident"]["outcome"] == "resolved"
    released_once(url, story, b)


def ready(centre):
    return centre.anonymous().get("/readyz").status_code == 200


def test_an_agent_that_moves_there_and_back_is_judged_by_what_the_other_saw(trio, url):
    a, b, _ = trio
    story = Story(a.enrol("web-moves", "drill"))
    story.calm(a)  # A remembers a healthy host
    story.fill(b)
    story.order(b)
    story.finish(a)  # the first healthy sample after the fault comes to A
    assert story.closed(a)["incident"]["outcome"] == "resolved"
    for _ in range(3):
        story.calm(a)
    first, story.incident = story.incident, ""
    assert story.speak(a).push(FULL).status_code == 204
    assert story.about(b)["incident"]["id"] != first, "A saw the first symptom end, so this is new"
    story.order(a)
    story.finish(b)
    assert story.closed(b)["incident"]["outcome"] == "resolved"
    released_once(url, story, b)


@pytest.mark.parametrize("end", effort.pick(["freeze"], thorough=["kill", "freeze"]))
def test_ended_at_any_moment_of_an_incident_the_order_goes_out_once(trio, url, end):
    """Search: the first replica ends a random while after the sample that opens the incident."""
    a, b, c = trio
    chance = random.Random(f"replicas {end}")
    for number in range(ROUNDS):
        story = Story(a.enrol(f"web-{end}-{number}", "drill"))
        story.fill(a)
        before = fenced(url)
        time.sleep(chance.uniform(0.0, 0.4))
        if end == "kill":
            a.kill()
        else:
            replica_set.freeze(a)
        story.order(b)
        story.finish(c)
        if end == "freeze":
            until(lambda count=before: fenced(url) > count, "the take-over")
            replica_set.thaw(a)
            ended_by_itself(a)
        assert story.closed(b)["incident"]["outcome"] == "resolved"
        released_once(url, story, c)
        if number + 1 < ROUNDS:
            a.restart()


def fenced(url):
    with psycopg.connect(url) as connection:
        [(count,)] = connection.execute(
            "SELECT count(*) FROM replicas WHERE fenced IS NOT NULL"
        ).fetchall()
    return count


def test_many_incidents_at_once_all_end_with_one_order_each(trio, url):
    a, b, c = trio
    stories = [
        Story(trio[number % 3].enrol(f"web-many-{number}", "drill"))
        for number in range(effort.pick(4, thorough=60))
    ]
    for number, story in enumerate(stories):
        story.fill(trio[number % 3])
    a.kill()
    for number, story in enumerate(stories):
        centre = (b, c)[number % 2]
        story.order(centre)
        story.finish(centre)
    for story in stories:
        assert story.closed(b)["incident"]["outcome"] == "resolved"
        released_once(url, story, c)
