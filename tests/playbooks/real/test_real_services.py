"""Playbooks on declared services that hang, that stopped, or that answer with errors."""

import contextlib
import os
import signal
import sys

import httpx
import pytest

from tests.servers import programs
from tests.support import real_kinds, real_playbooks

pytestmark = pytest.mark.integration
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = open(sys.argv[2]).read()
        self.send_response(200 if sys.argv[3] in text else 503); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
SETTINGS = b"# settings\nsafe_mode = off\nport = 1"


class Web:
    """A web service whose answer depends on its settings, and the agent beside it."""

    def __init__(self, place, stack, needs):
        self.config, self.port = place / "web.conf", programs.free_port()
        self.config.write_bytes(SETTINGS)
        script = place / "server.py"
        script.write_text(SERVER)
        self.daemon = real_playbooks.Daemon(
            [sys.executable, str(script), str(self.port), str(self.config), needs],
            place / "web",
            health_url=f"http://127.0.0.1:{self.port}/health",
            config_file=str(self.config),
        )
        stack.callback(self.daemon.close)
        self.bench = real_playbooks.Bench(place, services={"web": self.daemon.declared})
        stack.callback(self.bench.close)

    def start(self):
        return self.daemon.start(self.port)

    def status(self):
        url = f"http://127.0.0.1:{self.port}/"
        return httpx.get(url, timeout=5, trust_env=False).status_code


@pytest.fixture
def web(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda needs="port": Web(tmp_path, stack, needs)


@real_kinds.runs("step service.kill_and_start")
def test_a_hung_service_is_ended_and_answers_again(web):
    one = web()
    before = one.start()
    os.kill(before, signal.SIGSTOP)
    one.bench.heals("service_restart_hung", service="web")
    assert one.daemon.pid != before
    assert one.status() == 200


def test_a_service_that_answers_with_errors_is_not_taken_for_hung(web):
    one = web("something else")
    before = one.start()
    one.bench.leaves_alone("service_restart_hung", service="web")
    assert (one.daemon.pid, one.status()) == (before, 503)


def test_a_stopped_service_is_started_and_outlives_the_executor(web):
    one = web()
    one.bench.heals("service_start_stopped", service="web")
    one.bench.agent.kill()
    assert one.status() == 200


def test_a_service_that_runs_is_not_started_again(web):
    one = web()
    before = one.start()
    one.bench.leaves_alone("service_start_stopped", service="web")
    assert one.daemon.pid == before


@real_kinds.runs("step fs.set_setting", "check setting_check")
def test_safe_mode_that_helps_stays(web):
    one = web("safe_mode = on")
    one.start()
    one.bench.heals("service_safe_mode", service="web")
    assert one.config.read_bytes() == SETTINGS.replace(b"off", b"on")


def test_safe_mode_that_does_not_help_is_undone_byte_for_byte(web):
    one = web("something else")
    one.start()
    ended = one.bench.give("service_safe_mode", service="web")
    assert (ended["outcome"], ended["left_behind"]) == ("ROLLED_BACK", []), ended
    assert one.config.read_bytes() == SETTINGS
    assert one.status() == 503


def test_a_service_that_answers_keeps_its_settings(web):
    one = web()
    one.start()
    one.bench.leaves_alone("service_safe_mode", service="web")
    assert one.config.read_bytes() == SETTINGS
