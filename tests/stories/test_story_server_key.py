"""The key of the agents' listener is followed by another, and the host never loses its centre.

As docs/how-to/rotate-keys.md says: the next key is made, a root names both, the host follows, the
next root names the new key and a spare one; the control plane takes the new key, and samples go on.
"""

import hashlib
import json

import pytest

from sentienguard.cli import main
from sentienguard.trust import certificates
from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(300)]
SPARE = hashlib.sha256(b"a key in a safe").hexdigest()


@pytest.fixture
def whole(tmp_path):
    with installation.running(tmp_path) as found:
        yield found


def run(capsys, *words):
    """Run a command; return the JSON that it printed."""
    capsys.readouterr()
    assert main.main([*words, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def with_root(whole, capsys, *changes):
    """Let the root key of this machine sign a root with these changes, and take it over."""
    data, file = str(whole.places.data), str(whole.places.data / "trust.json")
    run(capsys, "trust", "export", "--out", file, "--data", data)
    run(capsys, "trust", "rotate", file, *changes)
    run(capsys, "trust", "sign", file, "--yes", "--key",
        str(whole.places.offline / "root.pem"))  # fmt: skip
    run(capsys, "trust", "import", file, "--data", data)


def restarted(whole):
    """Start the control plane anew, and the collector: it asks for its configuration at once."""
    whole.kill("control plane")
    whole.restart("control plane")
    before = whole.kill("collector")
    whole.restart("collector", before=before)


def host(whole):
    with whole.client() as asked:
        return asked.get("/hosts")["items"][0]


def pin_served(whole):
    return certificates.pin_of((whole.places.centre / "tls/server.pem").read_bytes())


def test_the_listener_s_key_is_followed_by_another_and_no_sample_is_lost(whole, capsys):
    data = str(whole.places.data)
    made = run(capsys, "trust", "online-key", "server", "--data", data)
    old, new = made["present"], made["pin"]
    assert run(capsys, "trust", "online-key", "server", "--data", data)["pin"] == new
    assert pin_served(whole) == old != new

    with_root(whole, capsys, "--server-pin", old, "--server-pin", new)
    restarted(whole)
    kept = whole.places.agent / "collector/pins.json"
    installation.wait_for(
        lambda: kept.exists() and json.loads(kept.read_bytes()) == [old, new],
        "the host going by both", 90,
    )  # fmt: skip
    installation.wait_for(lambda: host(whole)["root_version"] == 2, "its word for it", 60)
    assert pin_served(whole) == old

    with_root(whole, capsys, "--server-pin", new, "--server-pin", SPARE)
    before = host(whole)["last_seen"]
    restarted(whole)
    assert pin_served(whole) == new
    installation.wait_for(lambda: host(whole)["last_seen"] > before, "a sample by the new key", 60)
    installation.wait_for(lambda: host(whole)["root_version"] == 3, "its word for it", 90)
    assert json.loads(kept.read_bytes()) == [new, SPARE]
    assert run(capsys, "audit", "verify", "--data", data)["passed"]
