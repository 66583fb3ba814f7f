"""`approvals approve` with an OpenSSH key, beside the real ssh-keygen and the real ssh-agent."""

import base64
import contextlib
import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sentienguard.cli import client, main, ssh_keygen
from sentienguard.model import ids
from sentienguard.trust import order as orders
from sentienguard.trust import ssh_approvals
from tests.support import execution

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
NAMESPACE = ssh_approvals.NAMESPACE
APPROVED = {
    "id": "apr_1", "status": "approved", "playbook": "p", "incident": "inc_1", "lapsed": [],
}  # fmt: skip


class Remedy:
    """What an order names of a playbook."""

    name, version, digest = "p", "1.0.0", ids.Digest("sha256:" + "0" * 64)


PAYLOAD = orders.approval_payload(
    execution.Centre(now=NOW).order(Remedy()).order, "ann@local", NOW + timedelta(minutes=20)
)


@pytest.fixture
def posted(monkeypatch, tmp_path):
    """What was posted to a pretended control plane."""
    seen = []

    def handle(request):
        if request.method == "POST":
            seen.append(json.loads(request.content))
            return httpx.Response(200, json=APPROVED)
        return httpx.Response(200, json={"payload": base64.b64encode(PAYLOAD).decode()})

    @contextlib.contextmanager
    def connect(data):
        with client.Client("http://127.0.0.1:1", "t", httpx.MockTransport(handle)) as made:
            yield made

    monkeypatch.setattr(client, "connect", connect)
    monkeypatch.setenv("SENTIENGUARD_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    return seen


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "id"
    keygen("-t", "ed25519", "-N", "", "-q", "-C", "ann@desk", "-f", str(path))
    return path


def keygen(*words):
    words = ["/usr/bin/ssh-keygen", *words]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=20)


def approve(*words):
    return main.main(["approvals", "approve", "apr_1", *(str(word) for word in words)])


def counts(said, key):
    """Tell whether hosts that name the key would take what was posted, for our payload."""
    trusted = ssh_approvals.ApproverSshKey.from_text(key.with_suffix(".pub").read_text())
    given = said["signature"]
    envelope = ssh_approvals.envelope(
        orders.APPROVAL_TYPE, base64.b64decode(given["payload"]), given["ssh"]
    )
    yes = ssh_approvals.opened(envelope, orders.APPROVAL_TYPE, {trusted.id: trusted})
    return yes.payload == PAYLOAD


def test_a_key_in_a_file_signs_after_it_was_shown_what(posted, key, capsys):
    assert approve("--ssh-key", key, "--note", "seen") == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == "approved: p for inc_1"
    for part in ("incident_id: inc_", "approver: ann@local", "sign this?"):
        assert part in captured.err
    assert posted[0]["note"] == "seen"
    assert counts(posted[0], key)


def test_a_key_in_an_agent_signs_by_its_public_half(posted, key, tmp_path, monkeypatch):
    place = tmp_path / "agent"
    with subprocess.Popen(
        ["/usr/bin/ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL
    ) as agent:
        try:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
            listens(place)
            add = ["/usr/bin/ssh-add", "-q", str(key)]
            subprocess.run(add, check=True, capture_output=True, timeout=20)
            key.unlink()
            assert approve("--ssh-key", key.with_suffix(".pub")) == 0
        finally:
            agent.terminate()
    assert counts(posted[0], key)


def listens(place):
    """Wait until the agent listens: it answers, if only that it has no keys."""
    for _ in range(200):
        asked = subprocess.run(
            ["/usr/bin/ssh-add", "-l"], check=False, capture_output=True, timeout=20
        )
        if place.exists() and asked.returncode != 2:
            return
    raise AssertionError("no agent listens")


def test_who_says_no_signs_nothing(posted, key, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert approve("--ssh-key", key) == 1
    assert "nothing was signed; the question stays open" in capsys.readouterr().err
    assert not posted


def test_a_yes_signed_on_another_machine_is_brought_back(posted, key, tmp_path, capsys):
    file = tmp_path / "yes.json"
    assert main.main(["approvals", "payload", "apr_1", "--out", str(file)]) == 0
    said = capsys.readouterr()
    assert file.read_bytes() == PAYLOAD
    assert f"ssh-keygen -Y sign -n {NAMESPACE} -f KEY yes.json" in said.out
    assert f"approvals approve apr_1 --signature {file}.sig" in said.out
    assert "approver: ann@local" in said.err
    keygen("-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(file))
    assert approve("--signature", f"{file}.sig") == 0
    assert counts(posted[0], key)
    assert "approver: ann@local" in capsys.readouterr().err
    moved = tmp_path / "moved"
    file.replace(moved)
    assert approve("--signature", f"{file}.sig") == 1
    assert f"{file}: cannot be read" in capsys.readouterr().err
    assert approve("--signature", f"{file}.sig", "--payload", moved) == 0
    assert counts(posted[1], key)


def test_a_payload_is_written_once_and_shown_as_json(posted, tmp_path, capsys):
    file = tmp_path / "yes.json"
    words = ["approvals", "payload", "apr_1", "--out", str(file)]
    assert main.main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["namespace"]) == (str(file), NAMESPACE)
    assert said["payload"]["approver"] == "ann@local"
    assert main.main(words) == 1
    assert f"{file}: cannot be written" in capsys.readouterr().err


@pytest.fixture
def junk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("junk", "junk.sig"):
        (tmp_path / name).write_text("x")


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--ssh-key", "none"], 1, "none: no such file; expected a key"),
        (["--ssh-key", "junk"], 1, "junk: ssh-keygen signed nothing"),
        (["--signature", "junk"], 1, "junk: expected FILE.sig"),
        (["--signature", "junk.sig"], 1, "expected what `sentienguard approvals payload` wrote"),
        (["--payload", "junk"], 2, "goes with --signature"),
        (["--ssh-key", "junk", "--key", "junk"], 2, "name one of"),
    ],
)
@pytest.mark.usefixtures("junk")
def test_what_cannot_be_signed_says_the_way_out(posted, capfd, words, status, says):
    assert approve(*words) == status
    assert says in " ".join(capfd.readouterr().err.split())
    assert not posted


def test_without_openssh_it_is_signed_elsewhere(posted, key, monkeypatch, capsys):
    monkeypatch.setattr(ssh_keygen, "PROGRAM", "no-such-ssh-keygen")
    assert approve("--ssh-key", key) == 1
    said = capsys.readouterr().err
    assert "install OpenSSH's client, or sign on another machine" in said
    assert "approvals payload apr_1" in said
    assert not posted
