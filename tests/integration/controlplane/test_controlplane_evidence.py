"""A real control plane makes packages, for those who may, and writes down who asked."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.adapters.evidence_files import store
from sentienguard.model.access import Role
from tests.servers.syslog_tls import Receiver
from tests.support import centre_process, second_syslog
from tests.support.centre_process import PASSWORD, Centre

pytestmark = pytest.mark.integration
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
MAY = {"administrator", "auditor"}
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("evidence")) as running:
        host = running.enrol("web-1")
        event = host.event("playbook.tried", "", {"command": "rm -rf /", "user": "mallory"})
        host.report(event).raise_for_status()
        admin = running.login("admin@local")
        [newest] = admin.get("/api/v1/audit/entries", params={"limit": 1}).json()["items"]
        until = time.monotonic() + WITHIN_S
        while admin.get("/api/v1/audit/checkpoint").json()["size"] <= newest["index"]:
            assert time.monotonic() < until, "a package holds what the newest checkpoint covers"
            time.sleep(0.05)
        yield running


def ask(client, **changed):
    body = {"framework": "soc2", "from": "2026-01-01", "to": TODAY} | changed
    return client.post("/api/v1/evidence", json=body)


def made(client, **changed):
    answer = ask(client, **changed)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    until = time.monotonic() + WITHIN_S
    while job["state"] in {"waiting", "working"}:
        assert time.monotonic() < until
        time.sleep(0.05)
        job = client.get(f"/api/v1/evidence/{job['id']}").json()
    return job


def test_a_package_is_made_fetched_recorded_and_checked(centre: Centre, tmp_path) -> None:
    admin = centre.login("admin@local")
    job = made(admin)
    assert job["state"] == "done", job
    assert (job["by"], job["from"], job["to"]) == ("admin@local", "2026-01-01", TODAY)
    answer = admin.get(f"/api/v1/evidence/{job['id']}/download")
    assert answer.headers["content-type"] == "application/zip"
    assert hashlib.sha256(answer.content).hexdigest() == job["archive_sha256"]
    files = store.unpacked(answer.content)
    store.write(tmp_path / "p", files, answer.content)
    checked = subprocess.run(
        [sys.executable, "-I", tmp_path / "p/verify_evidence.py", tmp_path / "p",
         "--key", centre.data / "controlplane/audit/log.vkey"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    kinds = {row["entry"]["kind"] for row in json.loads(files["rows.json"])}
    assert {"log.started", "user.login", "agent.enrolled", "playbook.tried"} <= kinds
    newest = admin.get("/api/v1/audit/entries?limit=20").json()["items"]
    [built] = [one for one in newest if one["data"].get("package") == job["id"]]
    assert built["kind"] == "evidence.built"
    assert built["actor"] == "admin@local"
    assert built["data"]["manifest_sha256"] == job["manifest_sha256"]
    assert job["id"] in [one["id"] for one in admin.get("/api/v1/evidence").json()["items"]]


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_only_auditors_and_administrators_of_all_environments_may(centre: Centre, role) -> None:
    admin = centre.login("admin@local")
    job = made(admin)
    for where, allowed in (("*", role in MAY), ("production", False)):
        name = f"{role}-{'all' if where == '*' else where}@local"
        body = {"name": name, "password": PASSWORD, "roles": {where: role}}
        if role == Role.AUDITOR:
            body["ends"] = {where: (datetime.now(UTC) + timedelta(days=7)).isoformat()}
        admin.post("/api/v1/users", json=body).raise_for_status()
        client = centre.login(name)
        expected = (202, 200, 200, 200, 200) if allowed else (403,) * 5
        assert (
            ask(client).status_code,
            client.get("/api/v1/evidence").status_code,
            client.get(f"/api/v1/evidence/{job['id']}").status_code,
            client.get(f"/api/v1/evidence/{job['id']}/download").status_code,
            client.get("/api/v1/evidence/entries").status_code,
        ) == expected, name


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"framework": "soc3"}, 422),
        ({"from": "2026-02-30"}, 422),
        ({"from": "9999-12-31"}, 422),
        ({"to": "2020-01-01"}, 422),
        ({"to": None}, 422),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(centre: Centre, changed, status) -> None:
    answer = ask(centre.login("admin@local"), **changed)
    assert answer.status_code == status
    assert answer.json()["type"].startswith("urn:sentienguard:problem:")


@pytest.mark.parametrize("package", ["evd_0", "evd_..", "..%2f..%2fsentienguard", "x" * 200])
@pytest.mark.parametrize("end", ["", "/download"])
def test_a_package_that_is_not_there_is_not_found(centre: Centre, package, end) -> None:
    answer = centre.login("admin@local").get(f"/api/v1/evidence/{package}{end}")
    assert answer.status_code in {404, 422}


def test_whole_entries_come_in_order_as_they_are_stored(centre: Centre) -> None:
    admin = centre.login("admin@local")
    found, after = [], 0
    while page := admin.get(f"/api/v1/evidence/entries?after={after}&limit=3").json()["items"]:
        assert len(page) <= 3
        found += page
        after = page[-1]["index"] + 1
    assert [one["index"] for one in found] == list(range(len(found)))
    proven = admin.get(f"/api/v1/audit/proof/{found[1]['index']}").json()
    assert found[1]["stored"] == proven["leaf"]


def test_the_command_fetches_what_the_control_plane_makes_and_reads_a_copy_without_one(
    centre: Centre, tmp_path
) -> None:
    login = [
        sys.executable, "-m", "sentienguard.cli.main", "login", "--name", "admin@local",
        "--server", centre.people, "--data", str(tmp_path / "me"),
    ]  # fmt: skip
    subprocess.run(login, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True)
    build = [sys.executable, "-m", "sentienguard.cli.main", "evidence", "build", "--framework",
             "hipaa", "--from", "2026-01-01", "--to", TODAY, "--json"]  # fmt: skip
    found = []
    for more in (
        ["--out", str(tmp_path / "asked"), "--data", str(tmp_path / "me")],
        ["--out", str(tmp_path / "copy"), "--log", str(centre.data / "controlplane/audit")],
    ):
        done = subprocess.run([*build, *more], text=True, check=True, capture_output=True)
        assert "rows" in done.stderr or "fetching" in done.stderr, "progress is told"
        found.append(json.loads(done.stdout))
    asked, copied = found
    assert asked["framework"] == copied["framework"] == "hipaa"
    assert copied["entries"] > asked["entries"], "the first package left its trace in the log"
    again = subprocess.run([*build, *more], text=True, check=False, capture_output=True)
    assert again.returncode == 1
    assert "is there already" in again.stderr


def test_entries_are_exported_and_forwarded_out_of_a_running_control_plane(
    centre: Centre, tmp_path
) -> None:
    program = [sys.executable, "-m", "sentienguard.cli.main"]
    mine = ["--data", str(tmp_path / "me")]
    login = [*program, "login", "--name", "admin@local", "--server", centre.people, *mine]
    subprocess.run(login, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True)
    done = subprocess.run([*program, "audit", "export", "--format", "json", *mine],
                          text=True, check=True, capture_output=True)  # fmt: skip
    exported = json.loads(done.stdout)
    assert [row["index"] for row in exported] == list(range(len(exported)))
    assert "playbook.tried" in {row["entry"]["kind"] for row in exported}
    with Receiver(tmp_path) as receiver:
        forward = [*program, "audit", "forward", "--to", receiver.address, "--ca",
                   str(receiver.ca), "--once", "--json", *mine]  # fmt: skip
        done = subprocess.run(forward, text=True, check=True, capture_output=True)
        found = [second_syslog.message(one) for each in receiver.streams
                 for one in second_syslog.frames(each)]  # fmt: skip
    assert json.loads(done.stdout)["sent"] == len(found) >= len(exported)
    leaves = [one["elements"]["sentienguard@32473"]["leaf"] for one in found]
    assert leaves[: len(exported)] == [row["leaf_hash"] for row in exported]


def test_what_was_made_is_there_after_a_restart(centre: Centre) -> None:
    job = made(centre.login("admin@local"))
    centre.kill()
    centre.restart()
    admin = centre.login("admin@local")
    assert admin.get(f"/api/v1/evidence/{job['id']}").json() == job
    content = admin.get(f"/api/v1/evidence/{job['id']}/download").content
    assert hashlib.sha256(content).hexdigest() == job["archive_sha256"]
