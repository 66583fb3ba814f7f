"""The whole product under strace, from the set-up to the verified log: it calls nobody outside."""

import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.stories, pytest.mark.timeout(240)]

PROGRAM = str(pathlib.Path(sys.executable).with_name("sentienguard"))
CALLS = "connect,sendto,sendmsg,sendmmsg"
FAMILY = re.compile(r"sa_family=(AF_\w+)")
ADDRESS = re.compile(r'inet_addr\("([0-9.]+)"\)|inet_pton\(AF_INET6, "([0-9a-f:.]+)"')
PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
WITHIN_S = 150
DNS = 53


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_demo_from_the_set_up_to_the_verified_log_calls_nobody_outside(tmp_path):
    trace, data = tmp_path / "trace", tmp_path / "data"
    command = [
        *("strace", "-f", "-qq", "--seccomp-bpf", "-e", f"trace={CALLS}", "-e", "signal=none"),
        *("-o", str(trace), PROGRAM, "demo", "--data", str(data)),
    ]
    with (tmp_path / "said").open("wb") as said:
        traced = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
    try:
        shown = wait_for((tmp_path / "said").read_text, "stop with", traced)
        assert "resolved by disk_cleanup_rotated_logs" in shown
    finally:
        subprocess.run([PROGRAM, "down", "--data", str(data)], check=False, capture_output=True)
        try:
            traced.wait(30)  # strace ends with the last process that it follows
        except subprocess.TimeoutExpired:
            traced.kill()
            traced.wait()

    lines = [one for one in trace.read_text(errors="replace").splitlines() if "sa_family" in one]
    families = {found[1] for one in lines if (found := FAMILY.search(one))}
    assert families <= {"AF_INET", "AF_INET6", "AF_UNIX", "AF_UNSPEC"}, families
    called = [
        (found[1] or found[2], int(port[1]))
        for one in lines
        if (found := ADDRESS.search(one)) and (port := PORT.search(one))
    ]
    assert len(called) > 10, "the agent and the command line called the control plane"
    outside = [one for one in called if not (one[0].startswith("127.") or one[0] == "::1")]
    assert outside == []
    assert DNS not in {port for _, port in called}, "no name was looked up"


def wait_for(look, wanted, process):
    deadline = time.monotonic() + WITHIN_S
    while wanted not in (found := look()):
        assert process.poll() is None, f"it ended:\n{found}"
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s:\n{found}"
        time.sleep(0.2)
    return found
