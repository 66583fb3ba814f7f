"""Probes of addresses, and what is asked less often while the host is short of time."""

import http.server
import socket
import threading

import pytest

from sentienguard.agent import collectors, diary, sampler, settings
from sentienguard.agent.collectors import probes
from sentienguard.agent.collectors.logs import telling


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def tried(**addresses):
    collector = probes.Probes(addresses)
    collector.prepare()
    for run in collector._runs.values():
        run._thread.join(10)
    into = collectors.Reading(0, 0)
    collector.read(into)
    return into.values


@pytest.mark.parametrize(("status", "up"), [(200, 1), (204, 1), (302, 1), (404, 0), (500, 0)])
def test_an_address_is_up_where_it_answers_well(port, status, up):
    values = tried(web=f"http://127.0.0.1:{port}/{status}")
    assert values["probe.up", "web"] == up
    assert values["probe.status", "web"] == status
    assert values["probe.ms", "web"] > 0


def test_a_connection_that_opens_is_enough_for_tcp(port, closed_port):
    values = tried(a=f"tcp://127.0.0.1:{port}", b=f"tcp://127.0.0.1:{closed_port}")
    assert values["probe.up", "a"] == 1
    assert values["probe.ms", "a"] > 0
    assert values["probe.up", "b"] == 0
    assert ("probe.ms", "b") not in values


def test_an_address_that_refuses_has_status_0(closed_port):
    values = tried(web=f"http://127.0.0.1:{closed_port}/")
    assert values == {("probe.up", "web"): 0, ("probe.status", "web"): 0}


def test_what_has_not_answered_yet_says_nothing_and_is_not_tried_twice(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        collector = probes.Probes({"web": f"http://127.0.0.1:{silent.getsockname()[1]}/"})
        collector.prepare()
        first = collector._runs["web"]
        into = collectors.Reading(0, 0)
        collector.read(into)
        collector.prepare()
        assert into.values == {}
        assert collector._runs["web"] is first
        monkeypatch.setattr(probes.services, "LIMIT_S", 0.0)
        collector.read(into)
        assert into.values["probe.up", "web"] == 0
    first._thread.join(10)


@pytest.mark.parametrize(
    "address",
    ["tcp://host", "tcp://:5", "tcp://host:99999", "tcp://host:5/x", "tcp://u@host:5", "udp://h:5",
     "http://user:pw@host/", "ftp://host/", "", 7],
)  # fmt: skip
def test_an_address_that_cannot_be_tried_is_refused(address):
    reader = settings._Reader("agent.json")
    with pytest.raises(settings.SettingsInvalid, match=r"probes\.web"):
        reader.probes({"web": address}, "probes")


class Asks:
    """A collector that counts how often it is asked."""

    def __init__(self, *, spare, pressure=None):
        self.name, self.spare, self.asked, self.pressure = "asks", spare, 0, pressure

    def prepare(self):
        self.asked += 1

    def read(self, into):
        for resource, level in (self.pressure or {}).items():
            into.values["system.pressure_percent", resource] = level


@pytest.mark.parametrize(
    ("pressure", "asked"),
    [({}, 8), ({"cpu": 59.9, "io": 99.0}, 8), ({"cpu": 60.0}, 2), ({"memory": 20.0}, 2)],
)
def test_while_the_host_is_strained_others_are_asked_at_every_fourth_sample(pressure, asked):
    spare, needed = Asks(spare=True), Asks(spare=False, pressure=pressure)
    running = sampler.Sampler(
        settings._Reader("x").settings(
            {
                "agent_id": "00000000-0000-4000-8000-000000000000", "host": "h",
                "environment": "test", "server": "https://127.0.0.1:1", "pins": ["0" * 64],
                "root_digest": "sha256:" + "0" * 64,
            }
        ),
        [spare, needed],
        logs=telling.Logs([], most_lines=1),
        keep_logs=lambda: None,
        kept=type("Kept", (), {"depth": None})(),
        told=diary.Diary("test"),
    )  # fmt: skip
    for _ in range(8):
        running.read()
        running._prepare()
    assert spare.asked == asked
    assert needed.asked == 8
