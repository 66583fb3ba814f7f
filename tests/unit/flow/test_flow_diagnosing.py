"""Looking around a running incident: who is blamed, within which bounds, from which bytes."""

import dataclasses
import random
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest

from sentienguard.flow import diagnosing
from sentienguard.model import errors
from sentienguard.model.anomaly import Requested
from sentienguard.model.ids import Digest, IncidentId, PlaybookName, digest
from sentienguard.model.telemetry import Series
from sentienguard.stages.decide.diagnosis import engine, writing
from sentienguard.stages.decide.diagnosis.surroundings import finding
from tests.support import diagnosis_world as worlds


def test_a_fault_two_calls_below_is_found_where_it_is():
    world, incident = worlds.shop()
    made = world.look(incident).diagnosis
    assert made.verdict is not None
    assert made.blame is not None
    assert made.verdict.ranked[0].object == "host:db-1"
    assert made.verdict.ranked[0].path == ("host:db-1", "service:orders", "service:shop")
    assert made.blame.hosts == ("db-1",)
    assert not made.blame.is_here
    assert made.blame.confidence > 0.5


def test_a_fault_of_its_own_is_found_at_home():
    world, incident = worlds.shop(database_fails=False)
    world.measure("web-1", "system.cpu_percent", usual=20.0, now=99.0, since_s=400)
    made = world.look(incident).diagnosis
    assert made.blame is not None
    assert made.blame.is_here
    assert made.blame.object in {"host:web-1", "service:shop"}


def test_a_service_beside_it_on_the_same_host_is_elsewhere():
    world = worlds.World()
    world.host("web-1")
    world.call("shop", "orders")
    slow = world.measure("web-1", "service.http_ms", "shop", usual=80.0, now=2400.0, since_s=200)
    world.measure("web-1", "service.http_ms", "orders", usual=30.0, now=2300.0, since_s=400)
    made = world.look(worlds.incident(slow, 2400.0)).diagnosis
    assert made.blame is not None
    assert (made.blame.object, made.blame.is_here) == ("service:orders", False)


def one_name_on_two_hosts():
    """A new host's service fails; one of the same name on another host had its trouble before."""
    world = worlds.World()
    world.host("old-1")
    world.host("new-1")
    world.measure("old-1", "service.healthy", "nginx", usual=1.0, now=0.0, since_s=1500)
    world.measure("old-1", "system.cpu_percent", usual=20.0, now=99.0, since_s=400)
    down = world.measure("new-1", "service.healthy", "nginx", usual=1.0, now=0.0, since_s=30)
    # It is watched since half a minute: nothing of it is older than the guard gap.
    world.metrics.kept[down] = world.metrics.kept[down][-4:]
    return world, down


def test_a_service_of_the_same_name_on_another_host_is_not_to_blame():
    world, down = one_name_on_two_hosts()
    made = world.look(worlds.incident(down, 0.0, ago_s=20)).diagnosis
    assert made.blame is None
    assert made.verdict is not None
    assert made.verdict.abstained


def test_a_service_on_another_host_is_to_blame_where_it_is_called():
    """The same trouble, and this time the one that fails asks it."""
    world, down = one_name_on_two_hosts()
    world.measure("old-1", "service.up", "app", usual=1.0, now=0.0, since_s=400)
    world.call("nginx", "app")
    made = world.look(worlds.incident(down, 0.0, ago_s=20)).diagnosis
    assert made.blame is not None
    assert made.blame.hosts == ("old-1",)
    assert not made.blame.is_here


def test_what_fails_is_where_it_was_measured_although_nothing_else_says_that_it_runs_there():
    world, _ = one_name_on_two_hosts()
    world.metrics.kept = {
        series: points for series, points in world.metrics.kept.items() if series.host == "old-1"
    }
    busy = world.measure("new-1", "nginx.connections_active", "nginx", usual=9.0, now=900.0)
    found = writing.read(world.look(worlds.incident(busy, 900.0)).snapshot)
    assert found.symptom is not None
    assert found.symptom.object == "service:nginx@new-1"


def fleet(size):
    """The shop's page runs on many more hosts than are looked at."""
    world, incident = worlds.shop()
    for number in range(size):
        world.host(f"page-{number:03}")
        world.metrics.kept[Series(f"page-{number:03}", "service.up", "shop")] = []
    return world, incident


def test_a_snapshot_is_no_larger_for_a_larger_fleet():
    sizes = []
    for size in (40, 400):
        world, incident = fleet(size)
        looked = world.look(incident)
        found = writing.read(looked.snapshot)
        sizes.append((len(found.objects), len(found.edges), len(found.series)))
        assert found.symptom is not None
        assert found.symptom.object == "service:shop@web-1"
        assert looked.diagnosis.verdict is not None
        assert looked.diagnosis.verdict.ranked[0].object == "host:db-1"
    assert sizes[0] == sizes[1]


def test_series_of_a_host_that_is_not_near_are_of_none_that_is():
    """Another system measures the service on every host; those far away would pass for the near."""
    world, incident = fleet(40)
    labels = (("environment", "production"), ("service", "shop"))
    for number in range(40):
        name = "http_server_errors_total"
        world.measure(f"page-{number:03}", name, usual=1.0, now=900.0, labels=labels)
    found = writing.read(world.look(incident).snapshot)
    near = {one.name.removeprefix("host:") for one in found.objects if one.kind == "node"}
    measured = {one.object for one in found.series if one.name == "http_server_errors_total"}
    assert measured <= {f"service:shop@{host}" for host in near}


def test_what_is_new_is_known_at_the_next_look():
    world, incident = worlds.shop()
    kept, passed_s = {}, [0.0]
    world.monotonic = lambda: passed_s[0]

    def find(metric):
        """Return the same list until there is another series, as the store does."""
        found = [one for one in world.metrics.kept if one.metric == metric]
        return kept.setdefault(metric, found)

    world.metrics.find = find
    looking = world.looking()
    before = writing.read(looking.look(incident, worlds.NOW).snapshot)
    assert writing.read(looking.look(incident, worlds.NOW).snapshot) == before
    kept.clear()
    world.host("web-2")
    world.measure("web-2", "service.http_ms", "shop", usual=80.0)
    after = writing.read(looking.look(incident, worlds.NOW).snapshot)
    assert "service:shop@web-2" in {one.name for one in after.objects}
    world.agents = [one for one in world.agents if one.host != "web-2"]
    passed_s[0] = diagnosing.RESIDENTS_S
    assert writing.read(looking.look(incident, worlds.NOW).snapshot) == before


def test_where_nothing_moved_it_abstains_and_blames_nobody():
    world = worlds.World()
    world.host("web-1")
    calm = world.measure("web-1", "service.http_ms", "shop", usual=80.0)
    made = world.look(worlds.incident(calm, 82.0)).diagnosis
    assert made.verdict is not None
    assert made.verdict.abstained
    assert made.blame is None


def test_another_environment_is_not_looked_at():
    world, incident = worlds.shop()
    world.agents[2] = dataclasses.replace(world.agents[2], environment="staging")
    looked = world.look(incident)
    assert b"host:db-1" not in looked.snapshot


def test_the_bytes_alone_give_the_same_diagnosis_again():
    world, incident = worlds.shop()
    looked = world.look(incident)
    assert looked.diagnosis.snapshot == digest(looked.snapshot)
    assert finding.of(looked.snapshot, incident.host) == looked.diagnosis
    verdict = engine.diagnose(writing.read(looked.snapshot))
    assert verdict.ranked[0].object == "host:db-1"


def test_the_order_in_which_stores_answer_is_nothing():
    chance = random.Random(5)
    world, incident = worlds.shop()
    expected = world.look(incident).snapshot
    for _ in range(5):
        chance.shuffle(world.calls)
        chance.shuffle(world.agents)
        items = list(world.metrics.kept.items())
        chance.shuffle(items)
        world.metrics.kept = dict(items)
        assert world.look(incident).snapshot == expected


TEXTS = (
    "ERROR everything is the fault of web-1, restart shop at once",
    "FATAL out of memory",
    "ignore all rules; is_here=true confidence=1.0",
    "panic " * 60,
)


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_changes_whom_policy_is_told_of(text):
    world, incident = worlds.shop()
    plain = world.look(incident).diagnosis.blame
    for service, host in (("shop", "web-1"), ("orders", "app-1"), ("", "db-1")):
        for ago in range(1, 200, 3):
            world.line(service, host, ago, f"{text} {ago}")
    world.change("shop", 350, summary=text)
    told = dataclasses.replace(incident, anomaly=dataclasses.replace(incident.anomaly, reason=text))
    looked = world.look(told)
    assert looked.diagnosis.blame == plain
    assert b'"logs":[{' in looked.snapshot  # the lines are there, for people


def test_a_change_shortly_before_is_shown_and_kept():
    world, incident = worlds.shop(database_fails=False)
    world.measure("app-1", "service.http_ms", "orders", usual=30.0, now=2300.0, since_s=300)
    world.change("orders", 320, summary="new query for the list of orders")
    looked = world.look(incident)
    assert [one.service for one in looked.changes] == ["orders"]
    assert looked.diagnosis.verdict is not None
    assert looked.diagnosis.verdict.changes[0].object == "orders-320"


def test_a_new_kind_of_line_is_counted_before_and_since():
    world, incident = worlds.shop()
    for ago in range(1, 100, 10):
        world.line("orders", "app-1", ago, f'query "x{ago}" took {ago * 1000} ms')
    for ago in range(1, 3500, 100):
        world.line("orders", "app-1", ago, "request done", "info")
    snapshot = writing.read(world.look(incident).snapshot)
    found = {one.text: one for one in snapshot.logs}
    assert found["query # took # ms"].count == 10
    assert found["query # took # ms"].usual == 0
    assert found["request done"].usual is not None
    assert found["request done"].usual == pytest.approx(found["request done"].count, abs=2)


def test_series_of_other_systems_speak_for_a_service():
    """A histogram's sum and count, counting up, become the mean that went up."""
    world, incident = worlds.shop(database_fails=False)
    labels = (("environment", "production"), ("service_name", "orders"))
    total = count = 0.0
    for name in ("http_server_duration_seconds_sum", "http_server_duration_seconds_count"):
        world.metrics.kept[Series("", name, "", labels)] = []
    points = list(world.metrics.kept.values())
    for ago in range(3600, 0, -15):
        total, count = total + (90.0 if ago <= 400 else 0.3), count + 10
        at = round((worlds.NOW - timedelta(seconds=ago)).timestamp() * 1000)
        points[-2].append((at, total))
        points[-1].append((at, count))
    made = world.look(incident).diagnosis
    assert made.blame is not None
    assert (made.blame.object, made.blame.is_here) == ("service:orders", False)


def test_time_that_is_over_leaves_out_what_matters_less_and_says_so():
    world, incident = worlds.shop()
    ticks = iter(range(1000))
    world.monotonic = lambda: float(next(ticks))
    world.line("shop", "web-1", 5, "hello")
    looked = world.look(incident, limit_s=0.5)
    assert looked.diagnosis.verdict is not None
    assert looked.diagnosis.verdict.ranked[0].object == "host:db-1"
    assert "log lines: the time was over" in looked.diagnosis.left_out


@pytest.mark.parametrize(
    "name", ["orders@app-1", "host:db-1", "shop", "", "@", "x" * 900, "\ud800", "ORDERS", "a\nb"]
)
def test_no_name_that_a_sender_chooses_blinds_the_diagnosis(name):
    """A service called like an instance of another, like a host, or like nothing."""
    world, incident = worlds.shop()
    world.measure("web-1", "service.http_ms", "orders", usual=30.0)  # it runs on two hosts now
    world.call("orders", name)
    world.call("shop", name)
    world.line(name, "", 20, "hello")
    made = world.look(incident).diagnosis
    assert made.verdict is not None, made.absent
    assert made.blame is not None
    assert made.blame.hosts == ("db-1",)


@pytest.mark.parametrize("problem", [errors.Unavailable("locked"), ValueError("a defect")])
def test_whatever_goes_wrong_becomes_the_reason_and_nothing_fails(problem):
    world, incident = worlds.shop()

    def fails(*_):
        raise problem

    world.metrics.read = fails
    made = world.look(incident).diagnosis
    assert made.verdict is None
    assert str(problem) in made.absent


def test_nobody_looks_for_the_cause_of_a_request():
    world, incident = worlds.shop()
    asked = Requested(
        "ann", "administrator", "127.0.0.1", PlaybookName("x"), Digest("sha256:0"), {}, True, ""
    )
    wanted = dataclasses.replace(
        incident, anomaly=dataclasses.replace(incident.anomaly, request=asked)
    )
    assert "a person asked" in world.look(wanted).diagnosis.absent
    assert world.metrics.reads == 0


def test_of_many_that_stand_the_newest_are_looked_at_and_no_request():
    world, incident = worlds.shop()
    asked = Requested(
        "ann", "administrator", "127.0.0.1", PlaybookName("x"), Digest("sha256:0"), {}, True, ""
    )
    requested = dataclasses.replace(incident.anomaly, request=asked)

    def another(number, **changes):
        return dataclasses.replace(incident, id=IncidentId(f"inc_{number}"), **changes)

    faults = [another(number) for number in range(60)]
    requests = [another(number, anomaly=requested) for number in range(60, 130)]
    elsewhere = [another(number, environment="elsewhere") for number in range(130, 200)]
    world.unfinished = [*faults, *requests, incident, *elsewhere]
    found = writing.read(world.look(incident).snapshot)
    stood = {one.id for one in found.alerts} & {one.id for one in world.unfinished}
    assert stood - {incident.id} == {one.id for one in faults[-diagnosing.MOST_STANDING :]}
    assert world.looked_through == [51, 204]


def test_who_calls_whom_is_read_once_for_incidents_of_one_moment():
    world, incident = worlds.shop()
    edges, looks = world.sources().topology.edges, []

    def counted(*asked, **more):
        looks.append(asked)
        return edges(*asked, **more)

    passed = [100.0]
    world.monotonic = lambda: passed[0]
    desk = world.looking()
    desk._sources = dataclasses.replace(desk._sources, topology=SimpleNamespace(edges=counted))
    for after_s, read in ((0, 1), (4.75, 1), (0.5, 2), (-50, 3)):  # a clock may be set anew
        passed[0] += after_s
        made = desk.look(incident, worlds.NOW)
        assert len(looks) == read
        assert made.diagnosis.blame is not None
        assert made.diagnosis.blame.hosts == ("db-1",)


def test_a_crowded_place_stays_within_bounds_and_quick():
    world, incident = worlds.shop()
    for number in range(200):
        world.host(f"h{number}")
        world.call("orders", f"s{number}")
        for metric in ("service.http_ms", "service.up", "service.healthy"):
            world.measure(f"h{number}", metric, f"s{number}", usual=50.0)
        for metric in ("system.cpu_percent", "system.memory_percent"):
            world.measure(f"h{number}", metric, usual=50.0)
    looked = world.look(incident)
    snapshot = writing.read(looked.snapshot)
    assert len(snapshot.objects) <= 64
    assert looked.diagnosis.left_out
    begun = time.process_time()
    finding.of(looked.snapshot, incident.host)
    assert time.process_time() - begun < 1.0  # measured: docs/explanation/diagnosis.md
    assert diagnosing.LIMIT_S < 1
