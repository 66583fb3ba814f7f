"""A real control plane anchors its log in a bucket and with an authority, with keys by name.

The secrets are canaries: at the end nothing that was written, logged or answered holds one.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from sentienguard.stages.audit import checkpoint
from tests.support import centre_process, time_stamp_authority, vault_server

boto3 = pytest.importorskip("boto3", reason="no boto3 (pip install 'sentienguard[aws]')")
moto = pytest.importorskip("moto.server", reason="no moto (pip install 'moto[server]')")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(120),
    pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl"),
]
REGION, BUCKET = "eu-central-1", "anchors-of-a-test"
TOKEN, SECRET = "canary-token-5e884898da28", "canary-secret-key-03ac674216f3"
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Yield a control plane with both anchors, its data directory and the authority."""
    home = tmp_path_factory.mktemp("anchoring")
    authority = time_stamp_authority.Authority(home / "tsa")
    vault = vault_server.Vault(TOKEN, {"secret/data/s3": {"data": {"data": {"key": SECRET}}}})
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3 = f"http://{host}:{port}"
    boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=s3,
        aws_access_key_id="AKID",
        aws_secret_access_key=SECRET,
    ).create_bucket(
        Bucket=BUCKET,
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    for name, text in (("token", TOKEN), ("id", "AKID")):
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    try:
        with (
            time_stamp_authority.served(authority) as stamps,
            vault_server.served(vault) as vault_url,
            centre_process.prepared(home / "data", witness_policy="1 agent and 2 external"),
        ):
            document = {
                "every_minutes": 1,
                "secrets": {
                    "vault": {"url": vault_url, "token": f"file:{home}/token", "private": True}
                },
                "anchors": {
                    "bucket": {
                        "kind": "s3",
                        "url": f"{s3}/{BUCKET}",
                        "region": REGION,
                        "prefix": "log",
                        "access_key": f"file:{home}/id",
                        "secret_key": "vault:secret/data/s3#key",
                        "private": True,
                    },
                    "stamps": {
                        "kind": "rfc3161",
                        "url": stamps,
                        "authority": str(authority.home / "ca.pem"),
                        "private": True,
                    },
                },
            }
            (home / "data/controlplane/anchors.yaml").write_text(yaml.safe_dump(document))
            with centre_process.started(home / "data") as centre:
                yield centre, home / "data", authority
    finally:
        server.stop()


def anchored(admin):
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        found = admin.get("/api/v1/audit/exposure").json()
        sizes = {one["name"]: one["size"] for one in found["witnesses"]}
        if sizes.get("bucket") and sizes.get("stamps"):
            return found
        time.sleep(0.1)
    pytest.fail(f"not anchored within {WITHIN_S:g} s: {found}")


def recorded(admin):
    """Return what the log says of each anchor; the record comes after the anchor."""
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        entries = admin.get("/api/v1/audit/entries?limit=200").json()["items"]
        anchors = [one["data"] for one in entries if one["kind"] == "log.anchored"]
        found = {one["anchor"]: one for one in anchors}
        if set(found) == {"bucket", "stamps"}:
            return found
        time.sleep(0.1)
    pytest.fail(f"not recorded within {WITHIN_S:g} s: {found}")


def poll(host, witness=None, **status):
    body = {
        "ticket": {"nonce": "0" * 32},
        "witness": witness or {"checkpoint": None},
        "status": status,
        "tree_size": 0,
        "wait_s": 0,
    }
    host.client.post("/api/v1/orders", json=body).raise_for_status()


def test_the_log_is_anchored_and_the_exposure_window_closes_with_the_last_witness(world):
    centre, _, _ = world
    admin = centre.login("admin@local")
    found = anchored(admin)
    assert found["policy"] == "1 agent and 2 external"
    assert found["lacking"] == "1 more agent"
    assert (found["covered"], found["window_s"]) == (0, None)
    host = centre.enrol("web-1")
    note = admin.get("/api/v1/audit/checkpoint").json()["note"]
    cosigned = checkpoint.cosign(note, f"agent:{host.agent}", host.executor, at_s=int(time.time()))
    poll(host, witness={"checkpoint": cosigned})
    found = admin.get("/api/v1/audit/exposure").json()
    assert found["lacking"] == ""
    assert found["covered"] == min(one["size"] for one in found["witnesses"])
    assert found["exposed"] == found["size"] - found["covered"] > 0
    assert found["window_s"] >= 0


def test_a_host_s_changed_files_are_one_alarm_however_often_it_polls(world):
    centre, _, _ = world
    host = centre.enrol("web-2")
    for _ in range(2):
        poll(host, drift="changed since: agent.json", settings_digest="sha256:1")
    entries = centre.login("admin@local").get("/api/v1/audit/entries?limit=200").json()["items"]
    alarms = [one["data"] for one in entries if one["kind"] == "agent.alarm"]
    assert [one["what"] for one in alarms if one["agent"] == host.agent] == ["files_changed"]


def test_the_record_of_an_anchor_is_in_the_log_itself(world):
    centre, _, _ = world
    admin = centre.login("admin@local")
    data = recorded(admin)
    assert data["bucket"]["version_id"]
    assert data["bucket"]["retain_until"] > "2031"
    assert data["stamps"]["serial"]


def run(*argv):
    return subprocess.run(
        [sys.executable, "-m", "sentienguard.cli.main", *map(str, argv)],
        capture_output=True,
        check=False,
        text=True,
    )


def test_an_auditor_checks_every_anchor_at_its_place_and_a_bent_receipt_is_found(world, tmp_path):
    centre, data, _ = world
    anchored(centre.login("admin@local"))
    done = run("audit", "check-anchors", "--data", data, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {one["anchor"] for one in json.loads(done.stdout)} == {"bucket", "stamps"}
    copy = tmp_path / "copy"
    shutil.copytree(data / "controlplane/audit-anchors", copy / "controlplane/audit-anchors")
    shutil.copy(data / "controlplane/anchors.yaml", copy / "controlplane")
    for note in (copy / "controlplane/audit-anchors").glob("*.checkpoint"):
        note.write_text(note.read_text().replace("\n", "\n\n", 1))
    done = run("audit", "check-anchors", "--data", copy, "--json")
    assert done.returncode == 1
    assert not any(one["good"] for one in json.loads(done.stdout))


def test_the_stand_alone_verifier_believes_the_stamp_and_nothing_else(world, tmp_path):
    centre, data, authority = world
    anchored(centre.login("admin@local"))
    log = tmp_path / "log"
    shutil.copytree(data / "controlplane/audit", log)
    note = min((data / "controlplane/audit-anchors").glob("*-stamps.checkpoint"))
    token, ca = note.with_suffix(".tsr"), authority.home / "ca.pem"
    tool = Path(__file__).resolve().parents[3] / "tools/verify_audit_log.py"

    def verified(*stamp):
        return subprocess.run(
            [sys.executable, "-I", tool, log, "--live", "--stamp", *stamp],
            capture_output=True,
            check=False,
            text=True,
        )

    done = verified(note, token, ca)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The log grew from 1 checkpoints kept elsewhere" in done.stdout
    other = time_stamp_authority.Authority(tmp_path / "other")
    assert verified(note, token, other.home / "ca.pem").returncode == 1
    bent = tmp_path / "bent.checkpoint"
    bent.write_text(note.read_text() + "\n")
    assert verified(bent, token, ca).returncode == 1


def test_no_secret_is_found_anywhere(world):
    """Beside the file that holds the token: in no file, no answer, no line of a log."""
    centre, data, _ = world
    admin = centre.login("admin@local")
    anchored(admin)
    answers = "".join(
        admin.get(f"/api/v1/{path}").text
        for path in ("audit/exposure", "audit/entries?limit=200", "system", "audit/checkpoint")
    )
    for canary in (TOKEN, SECRET):
        assert canary not in answers
        holding = [
            file
            for file in data.rglob("*")
            if file.is_file() and canary.encode() in file.read_bytes()
        ]
        assert not holding
    assert any(b"AKID" not in file.read_bytes() for file in data.rglob("*.json"))


def test_an_authority_that_goes_away_stops_nothing(world):
    centre, _, authority = world
    admin = centre.login("admin@local")
    anchored(admin)
    authority.answers = lambda _: b"nonsense"
    before = admin.get("/api/v1/audit/checkpoint").json()["size"]
    centre.enrol("web-2")
    until = time.monotonic() + WITHIN_S
    while admin.get("/api/v1/audit/checkpoint").json()["size"] <= before:
        assert time.monotonic() < until
        time.sleep(0.05)
