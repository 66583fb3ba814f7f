"""The command line of the agent: enrolment against a real server, status, verify, execute, run."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentienguard.agent import enroll, inspection, lean, main, settings, spool, uplink
from sentienguard.trust import catalogue, certificates, dsse, keys
from sentienguard.trust import root as root_document
from tests.support import agent_centre

pytestmark = pytest.mark.integration


def make_root():
    """Return a signed root envelope, and the signer's key."""
    made = {role: keys.SigningKey.generate() for role in root_document.RoleName}
    payload = root_document.payload(
        version=1,
        expires_at=datetime.now(UTC) + timedelta(days=90),
        roles={role: ([key.public], 1) for role, key in made.items()},
        log_origin="test.example/log",
    )
    envelope = dsse.seal(root_document.PAYLOAD_TYPE, payload, [made[root_document.RoleName.ROOT]])
    return envelope, made[root_document.RoleName.SIGNER]


class Enrolling(agent_centre.Centre):
    """Signs what it is asked to sign, as the real one does."""

    def __init__(self, trust, tmp_path, **changes):
        super().__init__(trust.context(tmp_path))
        self.trust = trust
        self.changes = changes
        self.root, self.signer = make_root()
        self.answers["/api/v1/enroll"] = self

    def __bool__(self):
        return True

    def popleft(self):
        _, _, asked = self.requests[-1]
        certificate = certificates.sign_agent(
            self.trust.authority,
            asked["csr_pem"].encode(),
            agent_centre.AGENT,
            now=datetime.now(UTC),
        )
        return {
            "status": 201,
            "agent_id": agent_centre.AGENT,
            "certificate_pem": certificate.decode(),
            "ca_pem": self.trust.authority.certificate_pem.decode(),
            "root": self.root,
        } | self.changes


@pytest.fixture
def trust():
    return agent_centre.Trust()


@pytest.fixture
def centre(trust, tmp_path):
    with Enrolling(trust, tmp_path) as running:
        yield running


def arguments(centre, tmp_path, **changes):
    wanted = {
        "--server": f"https://127.0.0.1:{centre.port}",
        "--token": "t" * 43,
        "--pin": centre.trust.pin,
        "--root-digest": root_document.digest_of(centre.root),
        "--environment": "drill",
        "--host": "web-1",
        "--tag": "role=primary",
        "--volume": f"{tmp_path}=1000000",
        "--dir": str(tmp_path / "agent"),
    } | changes
    return ["enroll", *(part for pair in wanted.items() for part in pair)]


def enrolled(centre, tmp_path):
    assert main.main(arguments(centre, tmp_path)) == 0
    return tmp_path / "agent"


def test_enrolment_writes_private_files_and_prints_the_identity(centre, tmp_path, capsys):
    directory = enrolled(centre, tmp_path)
    assert capsys.readouterr().out.strip() == agent_centre.AGENT
    found = settings.read(directory)
    assert (found.host, found.tags, found.pins) == (
        "web-1",
        {"role": "primary"},
        (centre.trust.pin,),
    )
    assert found.volumes == (settings.Volume(str(tmp_path), 1_000_000),)
    modes = {
        path.lstat().st_mode & 0o777: path.is_dir() for path in (directory, *directory.rglob("*"))
    }
    assert modes == {0o700: True, 0o600: False}
    _, _, asked = centre.requests[0]
    key = keys.SigningKey.from_pem((directory / "executor" / "key.pem").read_bytes())
    assert asked["executor_key"] == key.public.text
    assert len(base64.b64decode(asked["executor_key"])) == 32
    assert "PRIVATE" not in json.dumps(asked)


def test_a_second_enrolment_needs_to_be_asked_for(centre, tmp_path, capsys):
    directory = enrolled(centre, tmp_path)
    before = (directory / "collector" / "tls.key").read_bytes()
    assert main.main(arguments(centre, tmp_path)) == 1
    assert "--replace" in capsys.readouterr().err
    assert (directory / "collector" / "tls.key").read_bytes() == before
    assert main.main([*arguments(centre, tmp_path), "--replace"]) == 0
    assert (directory / "collector" / "tls.key").read_bytes() != before


REFUSALS = [
    ("a wrong pin", {"--pin": "0" * 64}, {}, "none of the pinned", 0),
    ("another root", {"--root-digest": "sha256:" + "0" * 64}, {}, "is pinned", 1),
    ("a bad pin", {"--pin": "xyz"}, {}, "pins[0]", 0),
    ("a bad environment", {"--environment": "Prod"}, {}, "environment", 0),
    ("a bad tag", {"--tag": "role"}, {}, "NAME=TEXT", 0),
    ("a bad volume", {"--volume": "/x=y"}, {}, "PATH=BYTES", 0),
    ("no token", {"--token": ""}, {}, "token", 0),
    ("plain http", {"--server": "http://127.0.0.1"}, {}, "https://host:port", 0),
    ("a refusal", {}, {"status": 403}, "did not enrol", 1),
    ("an answer without id", {}, {"agent_id": None}, "agent_id", 1),
    ("another agent's certificate", {}, {"agent_id": agent_centre.AGENT[:-1] + "6"}, "another", 1),
    ("a root that is none", {}, {"root": {}}, "envelope", 1),
    ("an authority that is none", {}, {"ca_pem": "x"}, "cannot be used", 1),
]


@pytest.mark.parametrize(("name", "changed", "answered", "said", "requests"), REFUSALS)
def test_an_enrolment_that_is_not_in_order_leaves_no_agent(
    *, trust, tmp_path, capsys, name, changed, answered, said, requests
):
    with Enrolling(trust, tmp_path, **answered) as centre:
        assert main.main(arguments(centre, tmp_path, **changed)) == 1
        assert len(centre.requests) == requests
    assert said in capsys.readouterr().err
    assert not (tmp_path / "agent" / "agent.json").exists()


def test_a_certificate_for_another_key_leaves_no_agent(trust, tmp_path, capsys):
    other = certificates.make_request("x")
    wrong = certificates.sign_agent(
        trust.authority, other.csr_pem, agent_centre.AGENT, now=datetime.now(UTC)
    )
    with Enrolling(trust, tmp_path, certificate_pem=wrong.decode()) as centre:
        assert main.main(arguments(centre, tmp_path)) == 1
    assert "cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "agent" / "agent.json").exists()


def test_the_token_is_not_shown(centre, tmp_path):
    wish = enroll.Wish(tmp_path, "https://x", "secret-token", ("0" * 64,), "sha256:0", "h", "drill")
    assert "secret-token" not in repr(wish)
    assert "secret" not in repr(uplink.Address("h", 1, ()))


def test_the_token_can_come_from_a_file(centre, tmp_path):
    (tmp_path / "token").write_text("from-file\n")
    line = arguments(centre, tmp_path)
    at = line.index("--token")
    assert main.main([*line[:at], "--token-file", str(tmp_path / "token"), *line[at + 2 :]]) == 0
    assert centre.requests[0][2]["token"] == "from-file"


def verified(directory, capsys):
    capsys.readouterr()
    status = main.main(["verify", "--dir", str(directory), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["good"] == (status == 0)
    return {finding["what"]: finding["good"] for finding in found["findings"]}


def add_catalogue(centre, directory):
    """Put a catalogue with one playbook where the executor keeps it."""
    text = b"name: clean\n"
    digest = enroll.ids.digest(text)
    home = directory / "executor" / "trust"
    payload = catalogue.payload(
        version=1,
        expires_at=datetime.now(UTC) + timedelta(days=9),
        playbooks=[catalogue.Listed("clean", "1.0", digest)],
    )
    envelope = dsse.seal(catalogue.PAYLOAD_TYPE, payload, [centre.signer])
    enroll.private_files.write(home / "catalogue.json", json.dumps(envelope).encode())
    playbook = home / "playbooks" / f"{digest.removeprefix('sha256:')}.yaml"
    enroll.private_files.write(playbook, text)
    return playbook


def test_verify_finds_an_agent_in_order(centre, tmp_path, capsys):
    directory = enrolled(centre, tmp_path)
    assert all(verified(directory, capsys).values())
    add_catalogue(centre, directory)
    assert all(verified(directory, capsys).values())
    assert len(verified(directory, capsys)) == 8


def test_verify_finds_what_was_changed(centre, tmp_path, capsys):
    directory = enrolled(centre, tmp_path)
    playbook = add_catalogue(centre, directory)
    other_root, _ = make_root()
    changes = [
        (directory / "collector" / "tls.key", None, "only the agent may read its files"),
        (playbook, b"name: evil\n", "every playbook is the listed one"),
        (directory / "executor" / "key.pem", b"x", "the executor's key can be used"),
        (
            directory / "executor" / "trust" / "root.json",
            json.dumps(other_root).encode(),
            "the root document is signed and current",
        ),
        (
            directory / "executor" / "trust" / "catalogue.json",
            b"{}",
            "the catalogue is signed and current",
        ),
        (
            directory / "collector" / "tls.crt",
            b"x",
            "the certificate is for this agent and its key",
        ),
        (directory / "agent.json", b"{}", "agent.json can be used"),
    ]
    for file, content, what in changes:
        before = file.read_bytes()
        if content is None:
            file.chmod(0o644)
        else:
            file.write_bytes(content)
        assert not verified(directory, capsys)[what], what
        file.write_bytes(before)
        file.chmod(0o600)
        assert all(verified(directory, capsys).values())


def test_status_shows_executor_spool_and_last_acknowledgement(centre, tmp_path, capsys):
    directory = enrolled(centre, tmp_path)
    kept = spool.Spool(directory / "collector" / "spool", most_bytes=1 << 20)
    for _ in range(3):
        kept.append(kept.number(), b"text")
    kept.acknowledged(1)
    capsys.readouterr()
    assert main.main(["status", "--dir", str(directory), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["executor"]["running"]
    assert found["spool"]["waiting"] == 2
    assert found["spool"]["last_acknowledged"]["seq"] == 1
    with agent_centre.PretendExecutor(directory / "run" / "executor.sock"):
        assert main.main(["status", "--dir", str(directory)]) == 0
    assert "executor  running, idle" in capsys.readouterr().out
    kept.close()


def test_execute_refuses_every_command_and_has_it_recorded(centre, tmp_path, capsys):
    directory = enrolled(centre, tmp_path)
    marker = tmp_path / "marker"
    capsys.readouterr()
    with agent_centre.PretendExecutor(directory / "run" / "executor.sock") as executor:
        assert main.main(["execute", "--dir", str(directory), "touch", str(marker)]) == 3
        assert executor.asked_for("attempt")[0]["command"] == f"touch {marker}"
    assert "no approved playbook" in capsys.readouterr().err
    assert main.main(["execute", "--json", "--dir", str(directory), "rm", "-rf", "/x"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["executed"], found["recorded"]) == (False, False)
    assert not marker.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become somebody else")
def test_an_attempt_by_a_user_who_may_not_reach_the_executor_is_refused_and_says_why(
    centre, tmp_path
):
    directory = enrolled(centre, tmp_path)
    marker = tmp_path / "marker"
    with agent_centre.PretendExecutor(directory / "run" / "executor.sock") as executor:
        code = (
            "import os, sys; from sentienguard.agent import main; os.setgid(65534);"
            " os.setuid(65534); sys.exit(main.main(sys.argv[1:]))"
        )
        argv = [
            sys.executable,
            "-c",
            code,
            "execute",
            "--dir",
            str(directory),
            "touch",
            str(marker),
        ]
        run = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        assert executor.asked_for("attempt") == []
    assert run.returncode == 3
    assert "only root and the agent's own users reach the executor" in run.stderr
    assert not marker.exists()


def test_a_directory_without_agent_says_how_to_enrol(tmp_path, capsys):
    for command in ("status", "run"):
        assert main.main([command, "--dir", str(tmp_path)]) == 1
        assert "sentienguard-agent enroll" in capsys.readouterr().err


def children(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


def roles(pid):
    """Return the supervisor's children by role."""
    found = {}
    for child in children(pid):
        argv = Path(f"/proc/{child}/cmdline").read_bytes()
        found |= {role: child for role in lean.ROLES if f"{role}.main".encode() in argv}
    return found


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_run_keeps_both_processes_running_and_ends_with_them(centre, tmp_path):
    directory = enrolled(centre, tmp_path)
    with (tmp_path / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "sentienguard.agent.main", "run", "--dir", str(directory)],
            stderr=stderr,
        )
    try:
        assert centre.wait_for(lambda c: len(c.samples) >= 1, 20)
        first = until(lambda: len(found := roles(process.pid)) == 2 and found)
        assert until(lambda: inspection.status(directory)["executor"]["running"])
        for pid in first.values():
            os.kill(pid, signal.SIGKILL)
        count = len(centre.samples)
        assert centre.wait_for(lambda c: len(c.samples) > count, 20)
        assert until(lambda: inspection.status(directory)["executor"]["running"])
        second = roles(process.pid)
        assert second.keys() == first.keys() == set(lean.ROLES)
        assert not set(second.values()) & set(first.values())
        process.terminate()
        assert process.wait(8) == 0
        assert not [pid for pid in second.values() if Path(f"/proc/{pid}").exists()]
    finally:
        process.kill()
        process.wait()


def test_run_collector_becomes_a_lean_process(centre, tmp_path):
    directory = enrolled(centre, tmp_path)
    command = [sys.executable, "-m", "sentienguard.agent.main", "run", "collector"]
    with (tmp_path / "stderr").open("wb") as stderr:
        process = subprocess.Popen([*command, "--dir", str(directory)], stderr=stderr)
    try:
        assert centre.wait_for(lambda c: len(c.samples) >= 1, 20)
        assert b"-S\0" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"HOME=" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.kill()
        process.wait()
