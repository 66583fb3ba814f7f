"""Backtests and drills asked for over the API: a real control plane, its real command line."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support import centre_process
from tests.support.centre_process import Centre

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
NOBODY = "http://127.0.0.1:9"  # discard: nothing answers there


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("errands")
    password = data / "password"
    data.mkdir(exist_ok=True)
    password.write_text("secret\n")
    password.chmod(0o600)
    with centre_process.running(
        data, prometheus_url=NOBODY,
        prometheus_user="user", prometheus_password=f"file:{password}",
    ) as running:  # fmt: skip
        yield running


@pytest.fixture(scope="module")
def admin(centre: Centre) -> httpx.Client:
    return centre.login("admin@local")


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 90
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found
    return found


def test_a_backtest_runs_as_a_child_and_says_why_it_failed(admin: httpx.Client) -> None:
    listed = admin.get("/api/v1/backtests").json()
    assert listed["source"] == NOBODY
    made = admin.post("/api/v1/backtests", json={"days": 1, "environment": "staging"})
    assert made.status_code == 202, made.text
    path = f"/api/v1/backtests/{made.json()['id']}"
    ended = until(
        lambda: one if (one := admin.get(path).json())["state"] in {"failed", "done"} else None
    )
    assert ended["state"] == "failed"
    assert "127.0.0.1:9" in ended["detail"]
    assert "secret" not in ended["detail"]
    assert ended["report"] is None
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404


def test_a_backtest_in_an_environment_that_does_not_exist_is_refused(admin: httpx.Client) -> None:
    body = {"days": 1, "environment": "--out=/etc"}
    refused = admin.post("/api/v1/backtests", json=body)
    assert refused.status_code in {400, 422}
    assert "expected one of" in refused.json()["detail"]


def test_drills_are_listed_and_run_only_where_the_owner_allows_it(admin: httpx.Client) -> None:
    found = admin.get("/api/v1/drills", timeout=90).json()
    names = [one["name"] for one in found["items"]]
    assert names == sorted(names)
    assert {"disk-full", "nginx-crashed"} <= set(names)
    assert (found["allowed"], found["totals"], found["runs"]) == (False, None, [])
    refused = admin.post("/api/v1/drills/disk-full/runs")
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("drills-off")


def test_what_may_run_on_a_host_follows_a_freeze(centre: Centre, admin: httpx.Client) -> None:
    host = centre.enrol("outlook-1", "staging")
    path = f"/api/v1/hosts/{host.agent}/playbooks"
    items = admin.get(path).json()["items"]
    assert items
    assert {one["route"] for one in items} == {"DRY_RUN"}  # nothing has a record here
    deciding = {rule["rule"] for rule in items[0]["rules"] if rule["deciding"]}
    assert deciding == {"earned_autonomy"}
    admin.put("/api/v1/freeze", json={"reason": "a test"})
    try:
        frozen = admin.get(path).json()["items"]
    finally:
        admin.delete("/api/v1/freeze")
    assert {one["route"] for one in frozen} == {"ESCALATE"}
    assert {rule["rule"] for one in frozen for rule in one["rules"] if rule["deciding"]} == {
        "freeze"
    }
