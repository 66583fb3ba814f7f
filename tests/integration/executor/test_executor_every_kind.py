"""Kinds of steps and checks that no bundled playbook uses, run by a real executor process.

What bundled playbooks use is run in tests/playbooks/real and tests/integration/relays;
tests/playbooks/test_real_kinds.py holds that no kind is left out.
"""

import http.server
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sentienguard.playbook import parse
from tests.support import real_kinds

pytestmark = pytest.mark.integration

PLAYBOOK = """
name: one_kind
version: "1.0.0"
description: One step of the tests, and what it is judged by.
match: {{system: linux, resource: process, symptom: hung}}
risk: CRITICAL
idempotent: true
max_per_hour: 50
needs: [kill, loopback]
parameters:
  pid: {{type: pid}}
guard: process_alive
pre_execution_checks:
{before}
steps:
  - {{name: do, {step}, rollback: {{skip: a test}}}}
verification:
{after}
"""
LOOKS = "  - {type: condition, condition: process_alive, retry: 1}"


def given(agent, step, *, before="[]", after=LOOKS, pid):
    """Order one step; return how it ended, or why it was refused."""
    before = before if before.startswith(" ") else f"  {before}"
    stored = PLAYBOOK.format(step=step, before=before, after=after).encode()
    accepted = agent.configure(stored, version=agent.centre.seq + 1)
    assert accepted["accepted"], accepted
    answer = agent.send(
        parse.load(stored, origin="test"),
        parameters={"pid": str(pid)},
        incident=f"inc_20260212_112600_{agent.centre.seq:08x}",
    )
    return agent.finished(answer["order_id"]) if answer["admitted"] else answer


@pytest.fixture
def sleeper():
    """A process that says when it runs, and does nothing."""
    made = subprocess.Popen(
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
    )
    assert made.stdout.readline() == b"up\n"
    yield made
    made.kill()
    made.communicate()


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]


@real_kinds.runs("step process.kill")
def test_a_process_is_killed_and_no_other(make_agent, sleeper):
    agent = make_agent()
    agent.start()
    gone = "  - {type: condition, condition: not process_alive, retry: 5, retry_delay: 50ms}"
    collector = threading.Thread(target=sleeper.wait)  # else it stays as a zombie of this test
    collector.start()
    ended = given(agent, "action: process, operation: kill, pid: {param: pid}",
                  after=gone, pid=sleeper.pid)  # fmt: skip
    collector.join(10)
    assert ended["outcome"] == "SUCCESS", ended
    assert sleeper.returncode == -signal.SIGKILL
    assert agent.process.poll() is None


TOUCHING = """
import pathlib, sys, time
while True:
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(0.02)
"""


def there(file):
    return f"  - {{type: command, argv: [/usr/bin/test, -e, {file}], retry: 20, retry_delay: 50ms}}"


@real_kinds.runs("step process.continue")
def test_a_stopped_process_goes_on(make_agent, tmp_path):
    file = tmp_path / "alive"
    one = subprocess.Popen([sys.executable, "-c", TOUCHING, str(file)])
    try:
        agent = make_agent()
        agent.start()
        agent.wait(file.exists)
        one.send_signal(signal.SIGSTOP)
        agent.wait(lambda: state(one.pid) == "T")
        file.unlink()
        ended = given(agent, "action: process, operation: continue, pid: {param: pid}",
                      after=there(file), pid=one.pid)  # fmt: skip
        assert ended["outcome"] == "SUCCESS", ended
        assert (file.exists(), one.poll()) == (True, None)
    finally:
        one.kill()
        one.wait()


class Service(http.server.BaseHTTPRequestHandler):
    """Does what it is asked, says yes, and writes a line about it."""

    def do_POST(self):
        place = self.server.place
        (place / "done").touch()
        with (place / "log").open("a") as log:
            log.write(self.server.says + "\n")
        self.server.asked.append(self.path)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def service(tmp_path):
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    made.place, made.asked, made.says = tmp_path, [], "reloaded"
    (tmp_path / "log").write_text("ERROR from before\n")
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def asks(agent, service, sleeper, tag="web"):
    url = f"http://127.0.0.1:{service.server_address[1]}/reload"
    quiet = f"  - {{type: log_check, file: {service.place}/log, pattern: ERROR, retry: 1}}"
    return given(
        agent,
        f'action: http, method: POST, url: "{url}", expected_status: 202',
        before=f"  - {{type: tag_check, tag: role, expect_value: {tag}}}",
        after=f"{there(service.place / 'done')}\n{quiet}",
        pid=sleeper.pid,
    )


@real_kinds.runs("step http", "check tag_check", "check log_check")
def test_a_service_is_asked_over_http_where_the_tag_is_and_its_log_stays_quiet(
    make_agent, service, sleeper
):
    agent = make_agent(tags={"role": "web"})
    agent.start()
    assert asks(agent, service, sleeper)["outcome"] == "SUCCESS"
    assert service.asked == ["/reload"]


def test_a_host_with_another_tag_is_not_asked(make_agent, service, sleeper):
    agent = make_agent(tags={"role": "web"})
    agent.start()
    assert asks(agent, service, sleeper, tag="database")["outcome"] == "ABORTED"
    assert service.asked == []


def test_an_error_that_is_logged_because_of_the_step_is_no_success(make_agent, service, sleeper):
    agent = make_agent(tags={"role": "web"})
    agent.start()
    service.says = "ERROR it did not work"
    ended = asks(agent, service, sleeper)
    assert (ended["outcome"], ended["left_behind"]) == ("PARTIALLY_ROLLED_BACK", ["do"])
