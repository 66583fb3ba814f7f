"""Watching a cluster over HTTPS, against an API server of our own, with its faults."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from sentienguard.adapters.kubernetes import api, events
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.controlplane import app_clusters, cluster_watch
from sentienguard.controlplane.cluster_watch import ClusterWatch, Watched
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.settings import SettingWrong
from sentienguard.model import errors
from sentienguard.model.alert import AlertStatus
from sentienguard.ports.cluster_events import ClusterAway, ClusterRefused, Expired
from sentienguard.ports.secrets import SecretMissing, SecretsAway
from sentienguard.stages.observe import alert_batch
from sentienguard.stages.observe.cluster_events import Place
from tests.servers import kubernetes
from tests.support import outbound_ways

pytestmark = pytest.mark.integration
NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
BACK_OFF = "Back-off restarting failed container app in pod web"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Ask again soon, so that tests do not wait."""
    monkeypatch.setattr(cluster_watch, "FIRST_PAUSE_S", 0.02)


@pytest.fixture
def server(place):
    with kubernetes.running(place) as served:
        yield served
        served.events.end()


def credentials(server, /, **changes):
    known = {
        "server": server.address, "ca_file": server.ca_file, "token_file": server.token_file,
        **changes,
    }  # fmt: skip
    return api.Credentials(**known)


class World:
    """A watch of the server, and what it kept."""

    def __init__(self, server, namespace="prod"):
        self.now = NOW
        self.kept, self.changes = [], []
        self.trouble = None
        self.counters = Counters()
        centre = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: self.now),
            counters=self.counters,
            changes=SimpleNamespace(put=lambda _, made, received_at: self.changes.extend(made)),
        )
        way = outbound_ways.to(server.address)  # as the centre asks
        self.source = events.Events(credentials(server), namespace, way.connect)
        watched = Watched(Place("shop", "relay-1"), "production", "cluster shop")
        self.watch = ClusterWatch(centre, self.source, watched, self._keep)

    async def _keep(self, alerts):
        if self.trouble is not None:
            raise self.trouble
        self.kept += alerts

    def alerts(self):
        """Return status and name of the object of each alert that was kept."""
        found = [alert_batch.decode(one.text) for one in self.kept]
        return [(one.status.value, one.name, one.labels["name"]) for one in found]

    def count(self, kind):
        return self.counters.get("cluster_events_total", kind)

    def ended(self, how):
        return self.counters.get("cluster_watches_total", how)


@pytest.fixture
def world(server):
    made = World(server)
    yield made
    made.watch.stop()


def until(condition, limit_s=5.0):
    """Wait for a condition that another thread makes true."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


CRASHES = ("firing", "KubernetesCrashLoop", "web")


def deployed(server):
    """Have a deployment of one pod; return the pod's name."""
    server.cluster.deploy("prod", "web", "web:1", replicas=1)
    (pod,) = server.cluster.each("pods", "prod", "")
    return pod["metadata"]["name"]


def test_what_is_there_and_what_comes_are_alerts_of_the_deployment(server, world):
    pod = deployed(server)
    server.events.say("BackOff", BACK_OFF, name=pod, count=3)
    world.watch.start()
    until(lambda: world.kept and server.events.watches)
    server.events.say("FailedScheduling", "0/3 nodes", name="job-1")
    server.events.say("ScalingReplicaSet", "Scaled up", kind="Deployment", name="web")
    server.events.say("Pulled", "image present", name=pod)
    server.events.say("FailedScheduling", "0/3 nodes", name="other", namespace="dev")
    server.events.say("FailedMount", "no volume", name="job-2", count=3)
    until(lambda: world.count("alert") == 3)  # counted after it was kept
    assert world.alerts() == [
        CRASHES,
        ("firing", "KubernetesFailedScheduling", "job-1"),
        ("firing", "KubernetesFailedMount", "job-2"),
    ]
    assert [one.service for one in world.changes] == ["web"]
    assert {one.environment for one in world.kept} == {"production"}
    assert (world.count("alert"), world.count("change"), world.count("other")) == (3, 1, 1)
    assert not any("dev" in path for path in server.requests)


def test_what_is_told_again_is_nothing_twice(server, world):
    uid = server.events.say("BackOff", BACK_OFF, name="gone", count=3)
    for count in (4, 4, 5):
        server.events.say("BackOff", BACK_OFF, uid=uid, name="gone", count=count)
    server.events.end()
    world.watch.start()
    until(lambda: server.events.watches)
    server.events.say("BackOff", BACK_OFF, uid=uid, name="gone", count=5)
    server.events.say("BackOff", BACK_OFF, uid=uid, name="gone", count=6)
    until(lambda: world.count("other") == 1)
    assert world.count("repeated") == 1
    assert len(world.kept) == 1


def test_a_watch_that_ended_goes_on_from_the_last_version_without_a_list(server, world):
    world.watch.start()
    until(lambda: server.events.watches == 1)
    server.events.bookmark()
    server.events.end()
    until(lambda: server.events.watches == 2)
    server.events.say("FailedScheduling", name="a")
    until(lambda: world.kept)
    lists = [one for one in server.requests if "events" in one and "watch" not in one]
    assert len(lists) == 1
    versions = [one for one in server.requests if "watch=1" in one]
    assert "resourceVersion=100" in versions[0]
    assert "resourceVersion=101" in versions[1], "the bookmark's version"
    assert world.ended("ended") == 1


@pytest.mark.parametrize("inside", [True, False])
def test_a_version_that_is_gone_is_listed_anew_and_nothing_is_twice(server, world, inside):
    server.events.say("FailedScheduling", name="a")
    if inside:
        world.watch.start()
        until(lambda: server.events.watches == 1)
        server.events.compact()
    else:
        world.watch.round = _after_compaction(server, world.watch.round)
        world.watch.start()
    until(lambda: world.ended("expired") == 1)
    server.events.say("FailedScheduling", name="b")
    until(lambda: len(world.kept) == 2)
    assert [name for _, _, name in world.alerts()] == ["a", "b"]


def _after_compaction(server, usual):
    """Have the server forget its versions between the list and the watch, once."""
    told = []

    def round_():
        if not told:
            told.append(True)
            server.meddle = lambda _, path: "watch=1" in path and server.events.compact()
        else:
            server.meddle = None
        usual()

    return round_


@pytest.mark.parametrize(
    ("line", "end"),
    [
        (b"{not json", b"\n"),
        (b'{"type":"ADDED"}', b"\n"),
        (b'{"type":"ADDED","object":[]}', b"\n"),
        (b'{"type":"ERROR","object":{"code":500,"message":"etcd"}}', b"\n"),
        (b"x" * (api.LONGEST_LINE + 10), b"\n"),
        (b'{"type":"ADDED","object":{"metadata":', b""),
    ],
)
def test_a_line_that_is_no_event_ends_the_watch_and_not_the_watching(server, world, line, end):
    world.watch.start()
    until(lambda: server.events.watches == 1)
    server.events.raw(line, end)
    if not end:
        server.events.end()
    until(lambda: world.ended("away") == 1)
    server.events.say("FailedScheduling", name="a")
    until(lambda: world.kept)


def test_an_event_of_another_shape_is_counted_and_passed_over(server, world):
    world.watch.start()
    until(lambda: server.events.watches == 1)
    server.events.raw(b'{"type":"ADDED","object":{"kind":"Event","metadata":{"uid":"x"}}}')
    server.events.say("FailedScheduling", name="a")
    until(lambda: world.kept)
    assert world.count("malformed") == 1
    assert world.ended("away") == 0


def test_what_could_not_be_kept_is_heard_again(server, world):
    server.events.say("FailedScheduling", name="a")
    world.trouble = errors.Unavailable("the disk is full")
    world.watch.attempt()
    assert (world.kept, world.ended("away")) == ([], 1)
    assert world.watch.pause_s == cluster_watch.FIRST_PAUSE_S
    world.trouble = None
    world.watch.start()
    until(lambda: world.kept)


def test_an_episode_that_nobody_speaks_of_any_more_is_over(server, world):
    server.events.say("FailedScheduling", name="a")
    world.watch.start()
    until(lambda: world.kept and server.events.watches)
    world.now = NOW + timedelta(minutes=16)
    server.events.bookmark()
    until(lambda: len(world.kept) == 2)
    first, second = world.kept
    assert (first.status, second.status) == (AlertStatus.FIRING, AlertStatus.RESOLVED)
    assert (first.fingerprint, first.starts_at) == (second.fingerprint, second.starts_at)


def test_stopping_does_not_wait_for_the_next_event(server, world):
    world.watch.start()
    until(lambda: server.events.watches == 1)
    began = time.monotonic()
    world.watch.stop()
    assert time.monotonic() - began < 2
    assert world.ended("away") == 0


def test_who_may_not_is_told_so_and_asks_seldom(server, world):
    server.forbidden.add("GET")
    world.watch.attempt()
    assert world.ended("refused") == 1
    assert world.watch.pause_s == 300.0


def test_a_list_comes_in_pages_and_is_bounded(server, monkeypatch):
    for number in range(23):
        server.events.say("FailedScheduling", name=f"p{number}")
    monkeypatch.setattr(api, "PAGE", 10)
    found = events.Events(credentials(server)).list()
    assert (len(found.events), found.more, found.version) == (23, 0, "123")
    assert len(server.requests) == 3
    monkeypatch.setattr(events, "MOST_EVENTS", 12)
    found = events.Events(credentials(server)).list()
    assert (len(found.events), found.more) == (12, 8)


def absent(kind):
    def fetch():
        raise kind("vault:kv/shop#token: the store answered 503")

    return fetch


def test_a_token_comes_by_its_name_too(server):
    known = credentials(
        server,
        token_file=None,
        token=outbound_ways.key(Path(server.token_file).read_text().strip()),
    )
    assert events.Events(known).list().version


@pytest.mark.parametrize(
    ("resolved", "said"),
    [(["169.254.169.254"], "never asked"), (["10.0.0.5"], "public address"),
     (["93.184.215.14", "10.0.0.5"], "public address")],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_not_connected_to(server, resolved, said):
    url = "https://cluster.example.com:6443"
    way = GuardedClient([Allowed.of(url)], resolver=lambda _host, _port: resolved)
    found = events.Events(credentials(server, server=url), "prod", way.connect)
    for ask in (found.list, lambda: list(found.watch("1"))):
        with pytest.raises(ClusterRefused, match=said):
            ask()
    assert not server.requests


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"server": "https://127.0.0.1:9"}, ClusterAway),
        ({"token_file": None, "token": absent(SecretMissing)}, ClusterRefused),
        ({"token_file": None, "token": absent(SecretsAway)}, ClusterAway),
        ({"token_file": "/nonexistent"}, (ClusterAway, ClusterRefused)),
        ({"ca_file": "/nonexistent"}, (ClusterAway, ClusterRefused)),
    ],
)
def test_a_cluster_that_cannot_be_asked_says_so(server, changes, expected):
    with pytest.raises(expected):
        events.Events(credentials(server, **changes)).list()


def test_a_watch_from_a_version_that_is_gone_has_expired(server):
    server.events.compact()
    with pytest.raises(Expired):
        list(events.Events(credentials(server)).watch("1"))


CLOCK = SimpleNamespace(now=lambda: NOW)
FILE = """
clusters:
  - name: shop
    environment: production
    server: {server}
    ca_file: {ca}
    token_file: {token}
    namespaces: [prod, jobs]
    host: relay-1
"""


def watches(place, text):
    path = place / "clusters.yaml"
    path.write_text(text)
    centre = SimpleNamespace(environments=("production",), clock=CLOCK, counters=Counters())
    return list(app_clusters.watching(centre, path, None))


def test_the_file_names_clusters_and_each_namespace_is_watched_by_itself(server, tmp_path):
    text = FILE.format(server=server.address, ca=server.ca_file, token=server.token_file)
    assert [one._watched.what for one in watches(tmp_path, text)] == [
        "cluster shop prod",
        "cluster shop jobs",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("environment: production", "environment: nowhere", "nowhere"),
        ("https:", "http:", "https address"),
        ("    token_file: t\n", "", "token_file"),
        ("token_file: t", "token: vault:kv/shop#token", "begins with one of"),
        ("https://10.0.0.5", "https://ann:word@10.0.0.5", "server: destination"),
        ("host:", "hots:", "perhaps"),
        ("[prod, jobs]", "prod", "list"),
        ("clusters:", "cluster:", "clusters"),
        ("name: shop", "name: [", "YAML"),
    ],
)
def test_a_file_that_is_wrong_is_told_so(tmp_path, old, new, said):
    text = FILE.format(server="https://10.0.0.5", ca="c", token="t")
    assert old in text
    with pytest.raises(SettingWrong, match=said):
        watches(tmp_path, text.replace(old, new))
