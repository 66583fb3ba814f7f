"""A person says yes with their OpenSSH key, and a host that trusts no control plane acts on it.

As docs/how-to/people-and-roles.md says: the root names the key, hosts take the remedy of this
playbook only with a yes that it signed, `ssh-keygen` signs, and the host looks for itself.
"""

import io
import json
import os
import subprocess
import sys
import time

import pytest

from sentienguard.cli import client, main
from sentienguard.cli.installation import bundled
from sentienguard.cli.installation import sandbox as sandboxes
from sentienguard.controlplane import evaluation
from sentienguard.model import ids
from sentienguard.trust import catalogue
from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(300)]

NAME, VERSION = "disk_cleanup_rotated_logs", "9.0.0"
METRIC = "system.disk_usage_percent"
LOGS = 5  # of which a tenth of the volume is left free
OLD_S = 10 * 86_400


@pytest.fixture
def whole(tmp_path):
    with installation.running(tmp_path) as found:
        yield found


def test_a_host_acts_on_a_yes_that_ssh_keygen_signed(whole, tmp_path, capsys, monkeypatch):
    data = str(whole.places.data)
    key = made_key(tmp_path / "id_ed25519")
    fingerprint = keygen("-l", "-f", str(key)).split()[1]
    trust_key(whole, capsys, tmp_path, key)
    logs = fill(whole.sandbox.volume)
    incident = whole.incident_about(METRIC, str(whole.sandbox.volume))["incident"]["id"]
    with whole.client() as asked:
        question = installation.wait_for(lambda: pending(asked, incident), "a question", 60)
        assert (question["playbook"], question["signed"]) == (NAME, True)
        with pytest.raises(client.Refused, match="--ssh-key"):
            asked.post(f"/approvals/{question['id']}/approve", {"note": ""})
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        words = ["approvals", "approve", question["id"], "--ssh-key", str(key), "--data", data]
        capsys.readouterr()
        assert main.main(words) == 0, capsys.readouterr().err
        said = capsys.readouterr()
        assert f"approved: {NAME}" in said.out
        assert f"incident_id: {incident}" in said.err, "what is signed is shown before"
        told = installation.wait_for(lambda: closed(asked, incident), "the end", 120)
        shown = asked.get(f"/approvals/{question['id']}")
    assert told["incident"]["outcome"] == "resolved", whole.logs()
    assert [one["by"] for one in shown["agreements"]] == ["admin"]
    (decided,) = [one for one in told["timeline"] if one["kind"] == "approval.decided"]
    assert decided["data"]["signed_with"] == f"ssh {fingerprint}"
    assert not [one for one in logs if one.exists()]


def made_key(path):
    keygen("-t", "ed25519", "-N", "", "-q", "-C", "ann@desk", "-f", str(path))
    return path


def keygen(*words):
    words = ["/usr/bin/ssh-keygen", *words]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=20).stdout


def trust_key(whole, capsys, place, key):
    """Have the root name the key, and the catalogue a version that asks for a signed yes."""
    data, file = str(whole.places.data), str(place / "trust.json")
    stored = bundled.playbooks()[f"playbooks/{NAME}/playbook.yaml"].decode()
    version = next(line for line in stored.splitlines() if line.startswith("version:"))
    asking = f'version: "{VERSION}"\napproval_gate: {{required: true}}'
    playbook = place / "playbook.yaml"
    playbook.write_text(stored.replace(version, asking))
    run(capsys, "trust", "export", "--out", file, "--data", data)
    run(capsys, "trust", "rotate", file, "--list", str(playbook),
        "--add-ssh-key", f"admin={key}.pub")  # fmt: skip
    for name in ("root", "signer"):
        run(capsys, "trust", "sign", file, "--yes", "--key",
            str(whole.places.offline / f"{name}.pem"))  # fmt: skip
    run(capsys, "trust", "import", file, "--data", data)
    digest = ids.digest(playbook.read_bytes())
    record = catalogue.ProvingRecord(
        NAME, VERSION, digest, (catalogue.Proven("disk-full", 20, 20),)
    )
    evaluation.sign_proving(whole.places.centre, whole.places.offline, record)
    whole.kill("control plane")
    whole.restart("control plane")
    before = whole.kill("collector")
    whole.restart("collector", before=before)
    with whole.client() as asked:
        installation.wait_for(lambda: follows(asked), "a host that follows the root", 60)


def run(capsys, *words):
    """Run a command; return the JSON that it printed."""
    capsys.readouterr()
    assert main.main([*words, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def follows(asked):
    return asked.get("/hosts")["items"][0]["root_version"] == 2


def fill(volume):
    """Fill the volume with logs that were rotated days ago."""
    (volume / "logs").mkdir()
    logs = [volume / "logs" / f"app.log.{at}" for at in range(1, LOGS + 1)]
    then = time.time() - OLD_S
    for one in logs:
        one.write_bytes(b"x" * int(0.97 * sandboxes.VOLUME_BYTES / LOGS))
        os.utime(one, (then, then))
    return logs


def pending(asked, incident):
    found = asked.get("/approvals", status="pending")["items"]
    return next((one for one in found if one["incident"] == incident), None)


def closed(asked, incident):
    story = asked.get(f"/incidents/{incident}")
    return story if story["incident"]["status"] == "CLOSED" else None
