"""A real control plane keeps no secret in the clear, rotates while it runs, and needs its key."""

import base64
import contextlib
import sqlite3
import subprocess
import sys
import time

import pytest

from sentienguard.trust import totp
from tests.support import centre_process, webhooks
from tests.support import otlp_bodies as bodies
from tests.support.centre_process import PASSWORD

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
SIGNING = "canary-signing-secret-of-pagerduty"
LINE, DRAFT = "canary-line: card of ada declined", "# canary-draft: ask ada first"


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    data = tmp_path_factory.mktemp("sealed") / "data"
    with centre_process.running(data) as running:
        yield running


@pytest.fixture(scope="module")
def app_secret(centre):
    """Register an app for one-time passwords and a secret of a sender; return the app's secret."""
    admin = centre.login("admin@local")
    body = {"environment": "drill", "purpose": "pagerduty"}
    made = admin.post("/api/v1/webhook-tokens", json=body).json()
    place = f"/api/v1/webhook-tokens/{made['id']}/signing-secrets"
    assert admin.put(place, json={"secrets": [SIGNING]}).status_code == 200
    body = {"name": "totp@local", "password": PASSWORD, "roles": {"drill": "observer"}}
    assert admin.post("/api/v1/users", json=body).status_code == 201
    person = centre.login("totp@local")
    begun = person.post("/api/v1/account/totp", json={"password": PASSWORD}).json()
    body = {"ticket": begun["ticket"], "code": code(begun["secret"], -1), "label": "phone"}
    assert person.post("/api/v1/account/totp/confirm", json=body).status_code == 201
    return begun["secret"]


@pytest.fixture(scope="module")
def texts(centre):
    """Send a log line and begin a draft; return the words by which they would be found."""
    admin = centre.login("admin@local")
    sender = webhooks.sender(centre, purpose="otlp")
    answer = sender.client.post(
        "/v1/logs",
        json=bodies.logs(bodies.record(LINE, time.time_ns()), service__name="shop"),
        headers={"Authorization": f"Bearer {sender.token}"},
    )
    assert answer.status_code == 200
    draft = admin.post("/api/v1/playbook-drafts", json={"name": "canary_of_the_team"}).json()
    body = {"yaml": f"{draft['yaml']}\n{DRAFT}\n", "case": "", "revision": draft["revision"]}
    put = admin.put(f"/api/v1/playbook-drafts/{draft['id']}", json=body)
    assert put.status_code == 200, put.text
    assert DRAFT in admin.get(f"/api/v1/playbook-drafts/{draft['id']}").json()["yaml"]
    shown = admin.get("/api/v1/outside-logs").json()["items"]
    assert LINE in [one["text"] for one in shown]
    return [LINE.encode(), DRAFT.encode()]


def code(secret, steps):
    raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return totp.code(raw, int(time.time()) // 30 + steps)


def begins_a_second_step(centre):
    client = centre.anonymous()
    answer = client.post("/api/v1/auth/login", json={"name": "totp@local", "password": PASSWORD})
    assert answer.status_code == 202, answer.text
    return client, answer.json()["ticket"]


def forms(app_secret):
    raw = base64.b32decode(app_secret + "=" * (-len(app_secret) % 8))
    return [app_secret.encode(), raw, raw.hex().encode(), SIGNING.encode(), b"$argon2id$"]


def run(centre, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "sentienguard.controlplane", "--data", centre.data, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_secret_is_in_any_file_of_the_control_plane_nor_in_a_backup(
    centre, app_secret, texts, tmp_path
):
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "backup.db")) as backup,
        contextlib.closing(sqlite3.connect(centre.data / "controlplane/sentienguard.db")) as source,
    ):
        source.backup(backup)
    files = [*(centre.data / "controlplane").rglob("*"), tmp_path / "backup.db"]
    assert any(file.name == "sentienguard.db-wal" for file in files)
    found = [
        (file.name, form)
        for file in files
        if file.is_file()
        for form in (*forms(app_secret), *texts)
        if form in file.read_bytes()
    ]
    assert found == []


def test_keys_are_rotated_while_it_runs_and_the_app_still_opens_the_account(centre, app_secret):
    done = run(centre, "--rotate-data-keys")
    assert done.returncode == 0, done.stderr
    assert "seals from now on" in done.stdout
    assert len((centre.data / "controlplane/keys/data.key").read_text().split()) >= 2
    client, ticket = begins_a_second_step(centre)
    body = {"ticket": ticket, "code": code(app_secret, 0)}
    assert client.post("/api/v1/auth/login/second", json=body).status_code == 200


def test_without_its_key_it_does_not_start_and_says_which_file_is_missing(centre, app_secret):
    del app_secret
    file = centre.data / "controlplane/keys/data.key"
    away = file.rename(file.with_suffix(".away"))
    try:
        refused = run(centre, "--add-administrator", "x@local")
    finally:
        away.rename(file)
    assert refused.returncode == 1
    assert str(file) in refused.stderr
    assert "restore it from its backup" in refused.stderr
