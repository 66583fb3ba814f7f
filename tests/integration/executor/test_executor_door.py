"""The executor's door: who may speak, what is answered, what it trusts and what it witnesses."""

import base64
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sentienguard.playbook import parse
from sentienguard.stages.audit import checkpoint, merkle
from tests.support import execution

pytestmark = pytest.mark.integration

PLAYBOOK = """
name: nothing
version: "{version}"
description: Does nothing; a playbook of the tests.
match: {{system: linux, resource: disk, symptom: full}}
risk: SAFE
steps:
  - {{name: nothing, action: ssh_command, command: /bin/true, rollback: {{skip: it does nothing}}}}
verification:
  - {{name: never, type: condition, condition: "disk_usage > 100%", retry: 1}}
"""


def stored(version="1.0.0"):
    return PLAYBOOK.format(version=version).encode()


@pytest.fixture
def agent(make_agent):
    made = make_agent()
    made.start()
    return made


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b"{}\n",
        b'{"op":1}\n',
        b'{"op":"unknown"}\n',
        b'{"op":"events"}\n',
        b'{"op":"events","after":-1,"wait_s":0}\n',
        b'{"op":"events","after":"1","wait_s":0}\n',
        b'{"op":"events","after":0,"wait_s":1e9}\n',
        b'{"op":"events","after":0,"wait_s":NaN}\n',
        b'{"op":"acked"}\n',
        b'{"op":"attempt","command":5,"user":"x"}\n',
        b'{"op":"checkpoint","checkpoint":null}\n',
        b'{"op":"\xff"}\n',
        b"[" * 100_000 + b"\n",
        b'{"op":"attempt","command":"' + b"x" * 5000 + b'","user":"x"}\n',
    ],
    ids=lambda line: line[:40].decode(errors="replace"),
)
def test_a_line_that_is_no_request_is_answered_with_an_error(agent, line):
    assert set(agent.say(line)) == {"error"}
    assert agent.ask("hello")["agent_id"] == execution.AGENT


@pytest.mark.parametrize("envelope", [None, 5, "x", [], {}, {"payload": []}, {"a": {"b": {}}}])
def test_an_envelope_that_is_none_is_refused(agent, envelope):
    assert agent.ask("order", envelope=envelope)["admitted"] is False
    assert agent.ask("stop", envelope=envelope)["stopping"] is False


def test_a_line_that_is_too_long_is_answered_and_cut_off(agent):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(agent.socket))
        try:
            for _ in range(17):
                connection.sendall(b"x" * 1024 * 1024)
        except BrokenPipeError:
            pass
        try:
            answer = connection.makefile("rb").readline()
        except ConnectionResetError:
            answer = b""
    assert answer == b"" or b"at most" in answer
    assert agent.ask("hello")["agent_id"] == execution.AGENT


def test_more_connections_than_it_serves_wait_and_are_served(agent):
    idle = []
    for _ in range(15):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(agent.socket))
        idle.append(connection)
    assert agent.ask("hello")["agent_id"] == execution.AGENT
    for connection in idle:
        connection.close()
    assert agent.ask("hello")["agent_id"] == execution.AGENT


def test_the_socket_is_for_its_owner_alone(agent):
    assert agent.socket.stat().st_mode & 0o777 == 0o600
    assert agent.socket.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can pose as another user")
def test_another_user_is_not_answered_even_where_the_file_lets_it_in(agent):
    agent.socket.chmod(0o777)
    client = """
import os, socket, sys
os.chdir(sys.argv[1])
os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.connect("executor.sock")
try:
    s.sendall(b'{"op":"ticket"}\\n')
except BrokenPipeError:
    pass
print(s.makefile().readline())
"""
    agent.socket.parent.chmod(0o777)
    run = subprocess.run(
        [sys.executable, "-c", client, str(agent.socket.parent)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "nonce" not in run.stdout
    assert "may not speak" in run.stdout


def listening(pid):
    """Return the TCP and UDP sockets that a process listens on or has bound."""
    own = set()
    for place in Path(f"/proc/{pid}/fd").iterdir():
        try:
            own.add(str(place.readlink()))
        except OSError:
            continue
    return [
        line
        for table in ("tcp", "tcp6", "udp", "udp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        if f"socket:[{line.split()[9]}]" in own
    ]


def test_it_has_no_network_socket_at_all(agent):
    agent.configure(stored())
    remedy = parse.load(stored(), origin="test")
    answer = agent.send(remedy)
    assert answer["admitted"], answer
    assert listening(agent.process.pid) == []
    agent.finished(answer["order_id"])
    assert listening(agent.process.pid) == []


def test_it_stays_small(agent):
    agent.configure(stored())
    answer = agent.send(parse.load(stored(), origin="test"))
    agent.finished(answer["order_id"])
    rollup = Path(f"/proc/{agent.process.pid}/smaps_rollup").read_text()
    pss = int(rollup.split("\nPss:")[1].split()[0])
    assert pss <= 25_000, rollup


# -- trust -----------------------------------------------------------------------------------------


def test_a_configuration_is_kept_over_a_restart(agent):
    assert agent.configure(stored(), version=3)["catalogue_version"] == 3
    agent.kill()
    agent.start()
    assert agent.send(parse.load(stored(), origin="test"))["admitted"]


def test_an_older_catalogue_is_refused_also_after_a_restart(agent):
    agent.configure(stored(), version=3)
    for _ in range(2):
        answer = agent.configure(stored(), version=2)
        assert answer["accepted"] is False
        assert answer["catalogue_version"] == 3
        agent.kill()
        agent.start()


def test_an_older_catalogue_put_back_on_disk_is_not_used(agent):
    agent.configure(stored(), version=2)
    kept = agent.directory / "executor" / "trust" / "catalogue.json"
    old = kept.read_bytes()
    agent.configure(stored("1.0.1"), version=3)
    agent.kill()
    kept.write_bytes(old)
    agent.start()
    assert agent.send(parse.load(stored(), origin="test"))["rule"] == "configured"


def test_a_catalogue_by_other_signers_or_a_foreign_playbook_is_refused(agent):
    remedy = parse.load(stored(), origin="test")
    centre = agent.centre
    good = centre.catalogue_envelope(execution.listed(remedy))
    text = base64.b64encode(stored()).decode()
    root = centre.root_envelope()
    bad = centre.catalogue_envelope(execution.listed(remedy), signers=[execution.key(66)])
    for catalogue, playbooks in [
        (bad, {remedy.digest: text}),
        (good, {remedy.digest: base64.b64encode(b"other").decode()}),
        (good, {"sha256:" + "0" * 64: text}),
        (good, {remedy.digest: 5}),
        (good, None),
        (None, {}),
    ]:
        answer = agent.ask("config", root=root, catalogue=catalogue, playbooks=playbooks)
        assert answer["accepted"] is False
        assert answer["reason"]
    assert agent.send(remedy)["rule"] == "configured"


def test_a_root_that_the_old_root_did_not_sign_is_refused_and_a_chained_one_kept(agent):
    agent.configure(stored())
    centre = agent.centre
    stranger = execution.Centre(now=centre.now)
    stranger.root_key = execution.key(77)
    catalogue = centre.catalogue_envelope(
        execution.listed(parse.load(stored(), origin="t")), version=2
    )
    foreign = stranger.root_envelope(version=2)
    assert not agent.ask("config", root=foreign, catalogue=catalogue, playbooks={})["accepted"]
    centre.dispatch = execution.key(33)  # the dispatch key is changed
    chained = centre.root_envelope(version=2)
    assert agent.ask("config", root=chained, catalogue=catalogue, playbooks={})["accepted"]
    agent.kill()
    agent.start()
    assert agent.send(parse.load(stored(), origin="test"))["admitted"]


def test_an_expired_root_admits_nothing_and_can_be_replaced(make_agent, centre):
    centre_now = centre.now
    original = centre.root_envelope
    centre.root_envelope = lambda **more: original(
        **{"expires_at": centre_now - timedelta(days=1), **more}
    )
    agent = make_agent()
    agent.start()
    assert not agent.configure(stored())["accepted"]
    later = centre.root_envelope(version=2, expires_at=centre_now + timedelta(days=1))
    remedy = parse.load(stored(), origin="test")
    catalogue = centre.catalogue_envelope(execution.listed(remedy))
    answer = agent.ask(
        "config",
        root=later,
        catalogue=catalogue,
        playbooks={remedy.digest: base64.b64encode(stored()).decode()},
    )
    assert answer["accepted"], answer
    assert agent.send(remedy)["admitted"]


def test_a_playbook_altered_on_disk_is_not_executed(agent):
    agent.configure(stored())
    (file,) = (agent.directory / "executor" / "trust" / "playbooks").iterdir()
    file.write_bytes(stored().replace(b"/bin/true", b"/bin/echo"))
    assert agent.send(parse.load(stored(), origin="test"))["rule"] == "stored_bytes"


def test_an_attempt_by_hand_is_recorded_without_its_secrets(agent):
    command = "mysql -u root --password=hunter2 -e 'drop table x'"
    assert agent.ask("attempt", command=command, user="mallory") == {"recorded": True}
    (event,) = agent.events()
    assert (event["kind"], event["actor"]) == ("playbook.tried", "user:mallory")
    assert "hunter2" not in json.dumps(event)


# -- witness ---------------------------------------------------------------------------------------


class Log:
    """An audit log whose checkpoints the centre signs."""

    def __init__(self, centre):
        self.tree = merkle.Tree()
        self.centre = centre

    def grow(self, count, text="entry"):
        for _ in range(count):
            self.tree.append(merkle.leaf_hash(f"{text} {len(self.tree)}".encode()))

    def note(self, size=None, key=None):
        size = len(self.tree) if size is None else size
        seen = checkpoint.Checkpoint(execution.ORIGIN, size, self.tree.root(size))
        return checkpoint.sign(seen, key or self.centre.log)

    def proof(self, old, new=None):
        new = len(self.tree) if new is None else new
        if old == 0:
            return []
        return [base64.b64encode(one).decode() for one in self.tree.consistency(old, new)]


def test_growth_is_cosigned_with_the_executors_key_and_remembered(agent):
    agent.configure(stored())
    log = Log(agent.centre)
    for old, more in ((0, 3), (3, 4), (7, 1)):
        log.grow(more)
        seen = agent.ask("checkpoint", checkpoint=log.note(), consistency=log.proof(old))
        assert seen == {"cosigned": True, "reason": ""}
    agent.kill()
    agent.start()
    ticket = agent.ask("ticket")
    assert ticket["tree_size"] == 8
    name = f"agent:{execution.AGENT}"
    found = checkpoint.cosignatures(
        ticket["checkpoint"], lambda one: agent.key.public if one == name else None
    )
    assert [one.name for one in found] == [name]


def test_a_rewritten_shrunk_or_foreign_log_is_not_cosigned(agent):
    agent.configure(stored())
    log, other = Log(agent.centre), Log(agent.centre)
    log.grow(5)
    other.grow(9, "rewritten")
    assert agent.ask("checkpoint", checkpoint=log.note(), consistency=[])["cosigned"]
    agent.kill()
    agent.start()
    log.grow(4)
    for note, proof in [
        (other.note(), other.proof(5)),
        (other.note(5), []),
        (log.note(), []),
        (log.note(3), []),
        (log.note(key=execution.key(66)), log.proof(5)),
        (log.note(), "nonsense"),
        (log.note(), [5]),
        ("nonsense", []),
    ]:
        answer = agent.ask("checkpoint", checkpoint=note, consistency=proof)
        assert answer.get("cosigned") is False, answer
    assert agent.ask("ticket")["tree_size"] == 5
    assert agent.ask("checkpoint", checkpoint=log.note(), consistency=log.proof(5))["cosigned"]
