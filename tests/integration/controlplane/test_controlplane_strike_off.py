"""A host is struck off while an order waits for it, is under way, or waits for a yes."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.support import centre_process
from tests.support.centre_process import Centre, Host

pytestmark = pytest.mark.integration
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
ENDS_WITHIN_S = 60.0  # an order waits three minutes for its host where nobody ends it


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("struck-off")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    limits = {"service_budget_per_hour": "1000", "fleet_budget_per_hour": "1000"}
    with centre_process.prepared(data, **limits) as start:
        record = ProvingRecord(REMEDY, "1.0.0", digest(stored), (Proven("disk-full", 20, 20),))
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", record)
        with start() as running:
            body = {"name": "rita@local", "password": centre_process.PASSWORD,
                    "roles": {"staging": "remediation_authority"}}  # fmt: skip
            admin = running.login("admin@local")
            assert admin.post("/api/v1/users", json=body).status_code == 201
            yield running


@pytest.fixture(scope="module")
def admin(centre: Centre) -> httpx.Client:
    return centre.login("admin@local")


@pytest.fixture(scope="module")
def rita(centre: Centre) -> httpx.Client:
    return centre.login("rita@local")


def asked(centre: Centre, rita: httpx.Client, name: str) -> tuple[Host, str]:
    """Enrol a host and ask for a playbook there; return the incident that waits for a yes."""
    host = centre.enrol(name, "staging")
    host.push(CALM)
    body = {"host": name, "parameters": {"mount": "/srv"}}
    made = rita.post(f"/api/v1/playbooks/{REMEDY}/runs", json=body)
    assert made.status_code == 201, made.text
    incident = str(made.json()["id"])
    until(rita, incident, "AWAITING_APPROVAL")
    return host, incident


def until(client: httpx.Client, incident: str, status: str) -> dict[str, Any]:
    late = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < late:
        found = client.get(f"/api/v1/incidents/{incident}").json()["incident"]
        if found["status"] == status:
            return dict(found)
        time.sleep(0.05)
    raise AssertionError(f"not {status}: {found}")


def approve(admin: httpx.Client, incident: str) -> None:
    found = admin.get("/api/v1/approvals", params={"status": "pending"}).json()["items"]
    [question] = [one for one in found if one["incident"] == incident]
    said = admin.post(f"/api/v1/approvals/{question['id']}/approve", json={"note": "seen"})
    assert said.status_code == 200, said.text


def strike_off(admin: httpx.Client, host: Host) -> None:
    said = admin.post(f"/api/v1/hosts/{host.agent}/strike-off", json={"reason": "stolen"})
    assert said.status_code == 200, said.text


def escalations(admin: httpx.Client, incident: str) -> list[dict[str, Any]]:
    found = admin.get("/api/v1/audit/entries", params={"incident": incident, "limit": 100})
    return [one for one in found.json()["items"] if one["kind"] == "incident.closed"]


def test_an_order_that_waits_ends_at_once_and_people_are_told(
    centre: Centre, admin: httpx.Client, rita: httpx.Client
) -> None:
    host, incident = asked(centre, rita, "struck-waiting")
    approve(admin, incident)
    until(admin, incident, "MITIGATING")
    strike_off(admin, host)
    closed = until(admin, incident, "CLOSED")
    assert closed["outcome"] == "escalated"
    assert "was struck off before it fetched the order" in closed["summary"]
    assert len(escalations(admin, incident)) == 1


def test_one_that_it_has_taken_ends_as_nobody_knows_how(
    centre: Centre, admin: httpx.Client, rita: httpx.Client
) -> None:
    host, incident = asked(centre, rita, "struck-running")
    approve(admin, incident)
    until(admin, incident, "MITIGATING")
    late = time.monotonic() + ENDS_WITHIN_S
    while host.poll()["order"] is None:
        assert time.monotonic() < late
    strike_off(admin, host)
    closed = until(admin, incident, "CLOSED")
    assert closed["outcome"] == "failed"
    assert "look at it before acting" in closed["summary"]


def test_a_yes_that_comes_afterwards_releases_nothing(
    centre: Centre, admin: httpx.Client, rita: httpx.Client
) -> None:
    host, incident = asked(centre, rita, "struck-asking")
    strike_off(admin, host)
    approve(admin, incident)
    closed = until(admin, incident, "CLOSED")
    assert closed["outcome"] == "escalated"
    assert "struck off" in closed["summary"]
    kinds = {one["kind"] for one in admin.get(
        "/api/v1/audit/entries", params={"incident": incident, "limit": 100}
    ).json()["items"]}  # fmt: skip
    assert "order.delivered" not in kinds
