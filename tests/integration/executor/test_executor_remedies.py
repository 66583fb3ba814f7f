"""Bundled playbooks on real processes and files: real faults, fixed or undone by the executor."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sentienguard.playbook import parse
from tests.support import execution

pytestmark = pytest.mark.integration

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = open(sys.argv[2]).read()
        wanted = sys.argv[3]
        self.send_response(200 if wanted in text else 503); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Service:
    def __init__(self, place: Path, wanted: str):
        place.mkdir()
        self.place = place
        (place / "server.py").write_text(SERVER)
        self.config = place / "web.conf"
        self.config.write_bytes(b"# settings\nsafe_mode = off\nport = 1")
        self.pid_file = place / "web.pid"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.argv = [sys.executable, str(place / "server.py"), str(self.port), str(self.config)]
        self.argv.append(wanted)

    @property
    def declared(self):
        return {
            "start": self.argv,
            "pid_file": str(self.pid_file),
            "health_url": f"http://127.0.0.1:{self.port}/health",
            "log_file": str(self.place / "web.log"),
            "config_file": str(self.config),
        }

    def start(self):
        """Start it as its owner would, detached, with a pid file that it writes itself."""
        pid = os.posix_spawn(self.argv[0], self.argv, {}, setsid=True)
        self.pid_file.write_text(f"{pid}\n")
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return pid
            time.sleep(0.05)
        raise AssertionError("the server did not come up")

    def close(self):
        for pid in execution.processes_with(str(self.place / "server.py")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


@pytest.fixture
def serve(tmp_path):
    made = []

    def make(wanted="port"):
        made.append(Service(tmp_path / "service", wanted))
        return made[-1]

    yield make
    for service in made:
        service.close()


def bundled(name):
    stored = (PLAYBOOKS / name / "playbook.yaml").read_bytes()
    return stored, parse.load(stored, origin=name)


def remedy(agent, name, **parameters):
    """Send the order for a bundled playbook and wait for its end."""
    stored, playbook = bundled(name)
    assert agent.configure(stored)["accepted"]
    answer = agent.send(playbook, parameters=parameters)
    assert answer["admitted"], answer
    return agent.finished(answer["order_id"], 50)


def test_a_hung_service_is_ended_and_answers_again(make_agent, serve):
    web = serve()
    agent = make_agent(services={"web": web.declared})
    agent.start()
    before = web.start()
    os.kill(before, signal.SIGSTOP)
    ended = remedy(agent, "service_restart_hung", service="web")
    assert ended["outcome"] == "SUCCESS", ended
    assert int(web.pid_file.read_text()) != before
    with socket.create_connection(("127.0.0.1", web.port)):
        pass


def test_a_stopped_service_is_started_and_outlives_the_executor(make_agent, serve):
    web = serve()
    agent = make_agent(services={"web": web.declared})
    agent.start()
    assert remedy(agent, "service_start_stopped", service="web")["outcome"] == "SUCCESS"
    agent.kill()
    with socket.create_connection(("127.0.0.1", web.port)):
        pass


def test_safe_mode_that_helps_stays(make_agent, serve):
    web = serve("safe_mode = on")
    agent = make_agent(services={"web": web.declared})
    agent.start()
    web.start()
    assert remedy(agent, "service_safe_mode", service="web")["outcome"] == "SUCCESS"
    assert web.config.read_bytes() == b"# settings\nsafe_mode = on\nport = 1"


def test_safe_mode_that_does_not_help_is_undone_byte_for_byte(make_agent, serve):
    web = serve("something else")
    agent = make_agent(services={"web": web.declared})
    agent.start()
    web.start()
    before = web.config.read_bytes()
    ended = remedy(agent, "service_safe_mode", service="web")
    assert (ended["outcome"], ended["left_behind"]) == ("ROLLED_BACK", [])
    assert web.config.read_bytes() == before
    with socket.create_connection(("127.0.0.1", web.port)):
        pass


def test_a_runaway_process_is_ended_and_no_other(make_agent):
    agent = make_agent()
    agent.start()
    stored, _ = bundled("runaway_process_terminate")
    # How much a process gets of this machine, and how busy others keep it, is not for this test.
    stored = stored.replace(b"process_cpu > 90% and cpu_percent > 50%", b"process_cpu > 1%")
    stored = stored.replace(b'"< 90%"', b'"<= 100%"')
    playbook = parse.load(stored, origin="test")
    agent.configure(stored)
    spin = [sys.executable, "-c", "while True: pass"]
    runaway, other = subprocess.Popen(spin), subprocess.Popen(spin)
    try:
        answer = agent.send(playbook, parameters={"pid": str(runaway.pid)})
        assert answer["admitted"], answer
        assert runaway.wait(30) == -signal.SIGTERM
        assert agent.finished(answer["order_id"], 50)["outcome"] == "SUCCESS"
        assert other.poll() is None
    finally:
        for one in (runaway, other):
            one.kill()
            one.wait()


def test_sessions_and_temporary_files_are_cleaned_by_their_playbooks_own_rules(
    make_agent, tmp_path
):
    volume = tmp_path / "volume"
    (volume / "tmp").mkdir(parents=True)
    (tmp_path / "precious").write_bytes(b"x" * 100)
    for name, age_days in (("tmp_old", 30), ("tmp_young", 0), ("kept.db", 30), ("x.part", 30)):
        path = volume / "tmp" / name
        path.write_bytes(b"x" * 2_300_000)
        then = time.time() - age_days * 86_400
        os.utime(path, (then, then))
    (volume / "tmp" / "tmp_link").symlink_to(tmp_path / "precious")
    agent = make_agent(volumes=[{"path": str(volume), "budget_bytes": 10_000_000}])
    agent.start()
    ended = remedy(agent, "disk_cleanup_temp_files", mount=str(volume))
    assert ended["outcome"] == "SUCCESS", ended
    left = {path.name for path in (volume / "tmp").iterdir()}
    assert {"tmp_young", "kept.db", "tmp_link"} <= left
    assert "tmp_old" not in left
    assert (tmp_path / "precious").exists()
