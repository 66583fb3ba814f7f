"""HAProxy playbooks on a real HAProxy with two real servers behind it."""

import contextlib
import http.server
import socket
import threading

import pytest

from tests.servers import programs
from tests.support import real_kinds, real_playbooks

NAMES = ("haproxy", "/usr/sbin/haproxy")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        programs.missing(NAMES, "haproxy") is not None,
        reason=str(programs.missing(NAMES, "haproxy")),
    ),
]
CONFIGURATION = """
global
  stats socket {socket} mode 600 level admin
  maxconn 500
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
frontend web
  bind 127.0.0.1:{port}
  maxconn 10
  default_backend app
frontend other
  bind 127.0.0.1:{other}
  maxconn 7
  default_backend app
backend app
  option httpchk GET /health
  default-server check inter 100ms fall 1 rise 1
  server one 127.0.0.1:{one}
  server two 127.0.0.1:{two}
"""


class Backend:
    """A server whose health can be switched."""

    def __init__(self):
        self.well = True
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                well = backend.well or self.path != "/health"
                self.send_response(200 if well else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Balancer:
    """An HAProxy with its backends and the agent beside it."""

    def __init__(self, place, stack):
        self.one, self.two = Backend(), Backend()
        for each in (self.one, self.two):
            stack.callback(each.close)
        self.stack = stack
        self.socket = place / "admin"
        self.port, other = programs.free_port(), programs.free_port()
        file = place / "haproxy.cfg"
        file.write_text(
            CONFIGURATION.format(
                socket=self.socket,
                port=self.port,
                other=other,
                one=self.one.port,
                two=self.two.port,
            )
        )
        argv = [programs.found(NAMES), "-db", "-f", str(file)]
        self.daemon = real_playbooks.Daemon(argv, place / "lb")
        stack.callback(self.daemon.close)
        self.daemon.start(self.port)
        self.bench = real_playbooks.Bench(
            place,
            services={"lb": self.daemon.declared},
            controls={"lb": {"haproxy": {"address": str(self.socket)}}},
        )
        stack.callback(self.bench.close)
        self.serves("two")

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as talk:
            talk.connect(str(self.socket))
            talk.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: talk.recv(65_536), b"")).decode()

    def row(self, name, place="app"):
        head, *lines = self.ask("show stat").removeprefix("# ").strip().splitlines()
        rows = (dict(zip(head.split(","), line.split(","), strict=False)) for line in lines)
        return next(row for row in rows if (row["pxname"], row["svname"]) == (place, name))

    def status(self, name):
        return self.row(name)["status"]

    def serves(self, name):
        """Wait until a server serves: on a busy machine HAProxy holds one for down for a moment."""
        programs.wait_for(lambda: self.status(name).startswith("UP"), f"{name} UP")

    def flap(self, backend, name, times):
        for _ in range(times):
            for well, word in ((False, "DOWN"), (True, "UP")):
                backend.well = well
                programs.wait_for(lambda: self.status(name).startswith(word), f"{name} {word}")  # noqa: B023 - called at once


@pytest.fixture
def balancer(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Balancer(tmp_path, stack)


@real_kinds.runs("step haproxy.ready_drained")
def test_a_drained_server_that_is_well_serves_again(balancer):
    balancer.ask("set server app/two state drain")
    assert balancer.status("two") == "DRAIN"
    balancer.bench.heals("haproxy_ready_drained", service="lb")
    balancer.serves("two")
    assert balancer.daemon.process.poll() is None


def test_a_server_in_maintenance_or_ill_stays_out(balancer):
    balancer.ask("set server app/one state maint")
    balancer.ask("set server app/two state drain")
    balancer.two.well = False
    programs.wait_for(lambda: balancer.status("two").startswith("DOWN"), "the failing check")
    balancer.bench.leaves_alone("haproxy_ready_drained", service="lb")
    assert balancer.status("one") == "MAINT"


@real_kinds.runs("step haproxy.drain_flapping")
def test_a_flapping_server_is_drained_and_the_steady_one_serves(balancer):
    balancer.flap(balancer.two, "two", 3)
    balancer.bench.heals("haproxy_drain_flapping", service="lb")
    assert balancer.status("two") == "DRAIN"
    balancer.serves("one")


def test_the_last_server_stays_however_it_flaps(balancer):
    balancer.ask("set server app/one state maint")
    balancer.flap(balancer.two, "two", 3)
    ended = balancer.bench.give("haproxy_drain_flapping", service="lb")
    assert ended["outcome"] == "ROLLED_BACK", ended
    [step] = balancer.bench.steps()
    assert step["data"]["detail"] == "nothing to change at lb"
    balancer.serves("two")


def test_a_server_that_failed_once_is_left_alone(balancer):
    balancer.flap(balancer.two, "two", 1)
    balancer.bench.leaves_alone("haproxy_drain_flapping", service="lb")
    balancer.serves("two")
