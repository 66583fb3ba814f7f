"""The listener's and the log's key are followed by others, and the host never loses its centre.

As docs/how-to/rotate-keys.md says: the next keys are made, a root names both pins and the end of
the log's key, the host follows; the next root names the new listener's key and a spare one. The
control plane takes the new keys, samples go on, and the host witnesses the log under both.
"""

import hashlib
import json

import pytest

from sentienguard.adapters.audit_files import reader
from sentienguard.cli import main
from sentienguard.controlplane import trust_exchange, trust_store
from sentienguard.stages.audit import checkpoint
from sentienguard.trust import certificates, keys
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


def log_key(whole, name=trust_store.LOG_KEY):
    return keys.SigningKey.from_pem((whole.places.centre / name).read_bytes()).id


def witnessed_by_new_key(whole):
    """Tell whether the host cosigned a checkpoint that the log's new key signed."""
    stored = reader.read_stored(whole.places.centre / "audit")
    origin, log_keys = checkpoint.read_log_keys(stored.verifier_keys)
    ended = max(one.until or 0 for one in log_keys)
    newest = [checkpoint.open_checkpoint(one, origin, log_keys) for one in stored.cosigned[-1:]]
    return bool(ended) and any(one.size > ended for one in newest)


def pin_served(whole):
    return certificates.pin_of((whole.places.centre / "tls/server.pem").read_bytes())


def test_online_keys_are_followed_by_others_and_nothing_is_lost(whole, capsys):
    data = str(whole.places.data)
    made = run(capsys, "trust", "online-key", "server", "--data", data)
    old, new = made["present"], made["pin"]
    assert run(capsys, "trust", "online-key", "server", "--data", data)["pin"] == new
    assert pin_served(whole) == old != new
    following = run(capsys, "trust", "online-key", "log", "--data", data)
    assert run(capsys, "trust", "online-key", "log", "--data", data) == following
    assert log_key(whole) == following["present"]
    end = trust_exchange.checkpointed_size(whole.places.centre) + 1

    with_root(
        whole, capsys, "--server-pin", old, "--server-pin", new,
        "--add", f"log={following['public']}", "--log-end", f"{following['present']}={end}",
    )  # fmt: skip
    restarted(whole)
    kept = whole.places.agent / "collector/pins.json"
    installation.wait_for(
        lambda: kept.exists() and json.loads(kept.read_bytes()) == [old, new],
        "the host going by both", 90,
    )  # fmt: skip
    installation.wait_for(lambda: host(whole)["root_version"] == 2, "its word for it", 60)
    assert pin_served(whole) == old
    installation.wait_for(lambda: witnessed_by_new_key(whole), "its word on the new log key", 60)

    with_root(whole, capsys, "--server-pin", new, "--server-pin", SPARE)
    before = host(whole)["last_seen"]
    restarted(whole)
    assert pin_served(whole) == new
    assert log_key(whole) == following["key_id"]
    assert not (whole.places.centre / trust_store.NEXT_LOG_KEY).exists()
    installation.wait_for(lambda: host(whole)["last_seen"] > before, "a sample by the new key", 60)
    installation.wait_for(lambda: host(whole)["root_version"] == 3, "its word for it", 90)
    installation.wait_for(
        lambda: json.loads(kept.read_bytes()) == [new, SPARE], "the host going by the spare", 60
    )
    assert run(capsys, "audit", "verify", "--data", data)["passed"]
    assert len(run(capsys, "trust", "log-keys", "--data", data)["log_keys"]) == 2
