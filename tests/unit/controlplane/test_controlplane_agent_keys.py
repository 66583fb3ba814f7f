"""By which keys the log knows hosts: each by one name, and read once."""

from types import SimpleNamespace

from sentienguard.controlplane import app
from sentienguard.ports.agent_store import NoSuchAgent
from sentienguard.stages.audit import checkpoint
from sentienguard.trust.keys import SigningKey

HOST, LOG = SigningKey.from_seed(b"h" * 32), SigningKey.from_seed(b"l" * 32)


class Agents:
    """Knows one host, and counts how often it is asked."""

    def __init__(self):
        self.asked = []

    def get(self, agent):
        self.asked.append(agent)
        if agent != "db-1":
            raise NoSuchAgent.called(agent)
        return SimpleNamespace(executor_key=HOST.public.text)


def test_a_host_is_known_by_one_name_and_its_key_is_read_once():
    agents = Agents()
    key_of = app._agent_key(agents)
    assert [key_of("agent:db-1") for _ in range(3)] == [HOST.public] * 3
    assert [key_of(name) for name in ("db-1", "log.example/main", "agent:web-1", "")] == [None] * 4
    assert agents.asked == ["db-1", "web-1"]


def test_a_host_that_signs_under_two_names_is_one_witness():
    note = checkpoint.sign(checkpoint.Checkpoint("log.example/main", 3, bytes(32)), LOG)
    for name in ("agent:db-1", "db-1"):
        note = checkpoint.cosign(note, name, HOST, 100)
    found = checkpoint.cosignatures(note, app._agent_key(Agents()))
    assert [one.name for one in found] == ["agent:db-1"]
