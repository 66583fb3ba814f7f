"""The collector's side of the Unix socket: who may answer, and what counts as an answer."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from sentienguard.agent import executor_link
from tests.support import agent_centre

pytestmark = pytest.mark.integration

NOBODY = 65534
LISTEN = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
listener = socket.socket(fileno=int(sys.argv[1]))
listener.listen()
print("ready", flush=True)
connection, _ = listener.accept()
print(connection.recv(100), flush=True)
"""


def test_it_asks_and_keeps_its_connection(tmp_path):
    path = tmp_path / "executor.sock"
    with agent_centre.PretendExecutor(path) as executor:
        link = executor_link.ExecutorLink(path)
        assert link.ask("hello")["busy"] is None
        assert link.ask("acked", through=3) == {"through": 3}
        link.close()
        assert [request["op"] for request in executor.asked] == ["hello", "acked"]
    with pytest.raises(executor_link.ExecutorAway, match="closed"):
        link.ask("hello")


def test_an_executor_that_is_away_says_what_to_do(tmp_path):
    link = executor_link.ExecutorLink(tmp_path / "none.sock")
    with pytest.raises(executor_link.ExecutorAway, match="sentienguard-agent run executor"):
        link.ask("hello")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
def test_a_process_of_another_user_cannot_pose_as_the_executor(tmp_path):
    path = tmp_path / "executor.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        argv = [sys.executable, "-I", "-S", "-c", LISTEN, str(bound.fileno()), str(NOBODY)]
        process = subprocess.Popen(argv, pass_fds=[bound.fileno()], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    link = executor_link.ExecutorLink(path)
    with pytest.raises(executor_link.ExecutorAway, match=f"answered by user {NOBODY}"):
        link.ask("attempt", command="secret", user="x")
    assert process.communicate(timeout=5)[0] == b"b''\n"


@pytest.mark.parametrize("answer", [b"", b"no json\n", b"[]\n", b"x" * 100])
def test_an_answer_that_is_no_object_counts_as_away(tmp_path, answer):
    path = tmp_path / "executor.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(executor_link.ExecutorAway):
            executor_link.ExecutorLink(path).ask("hello")


def test_an_error_of_the_executor_is_told(tmp_path, monkeypatch):
    path = tmp_path / "executor.sock"
    refusal = lambda *_: {"error": "envelope: expected an object"}  # noqa: E731 - one answer
    monkeypatch.setattr(agent_centre.PretendExecutor, "do_order", refusal)
    with agent_centre.PretendExecutor(path):
        link = executor_link.ExecutorLink(path)
        with pytest.raises(executor_link.NotDone, match="expected an object"):
            link.ask("order", envelope=None)
        link.close()
