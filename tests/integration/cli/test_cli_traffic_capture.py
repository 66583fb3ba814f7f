"""The traffic of a real agent with a real control plane, captured by tcpdump and judged."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from sentienguard.agent import settings
from tests.support import installation

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        shutil.which("tcpdump") is None or os.geteuid() != 0,
        reason="only root can capture, with tcpdump (apt-get install tcpdump)",
    ),
]


@pytest.fixture
def tcpdump(tmp_path):
    """Start a capture of one port of loopback; end it and return its file."""
    started = []

    def start(port):
        file = tmp_path / "agent.pcap"
        argv = ["tcpdump", "-i", "lo", "-U", "-Z", "root", "-w", file, "tcp", "port", str(port)]
        process = subprocess.Popen(argv, stderr=subprocess.PIPE)
        started.append(process)
        assert process.stderr.readline()  # it says that it listens

        def end():
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
            return file

        return end

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def verify(file, *options):
    found = subprocess.run(
        [sys.executable, "-m", "sentienguard.cli.main", "verify-agent-traffic", file, "--json",
         *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.returncode, json.loads(found.stdout)


def test_a_real_agent_is_found_to_do_what_it_should(tmp_path, tcpdump):
    with installation.running(tmp_path) as installed:
        known = settings.read(installed.places.agent)
        [(_, port)] = known.server_addresses
        end = tcpdump(port)
        collector = installed.kill("collector")
        installed.restart("collector", before=collector)  # so that the openings are captured
        time.sleep(6 * installation.INTERVAL_S)
        file = end()
    server = ("--server", f"127.0.0.1:{port}")
    status, judged = verify(file, *server)
    assert [one["outcome"] for one in judged["checks"]] == ["PASS"] * 4, judged
    assert status == 0
    assert judged["connections"] >= 2
    assert judged["pattern"]["most_bytes"] < 100_000
    status, judged = verify(file, "--server", "127.0.0.1:1")
    assert status == 1
    assert {one["name"]: one["outcome"] for one in judged["checks"]}["destinations"] == "FAIL"
