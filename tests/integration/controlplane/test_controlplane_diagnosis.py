"""A dependency's fault is put where it is, in a running control plane that knows only what came in.

Two hosts send samples, OpenTelemetry sends traces and log lines, a pipeline tells of a deployment.
A shop on `web-1` stops answering because what it calls on `db-1` became slow.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentienguard.cli import main
from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.playbook import parse
from sentienguard.stages.decide.diagnosis import engine, snapshot
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.support import centre_process, webhooks
from tests.support import otlp_bodies as bodies

pytestmark = pytest.mark.integration
REMEDY = PlaybookName("service_restart_hung")
EVERY = timedelta(seconds=20)
MINUTES = 15
SECRET = "hunter2hunter2"


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    data = tmp_path_factory.mktemp("diagnosis")
    with centre_process.prepared(data) as start:
        # Proven in drills, it runs unattended in the environment of that name.
        stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
        version = parse.load(stored, origin=REMEDY).version
        record = ProvingRecord(REMEDY, version, digest(stored), (Proven("hung", 20, 20),))
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", record)
        with start() as running:
            yield running


def post(sender: webhooks.Sender, path: str, body: Any) -> Any:
    answer = sender.client.post(
        path, json=body, headers={"Authorization": f"Bearer {sender.token}"}
    )
    assert answer.status_code in {200, 202}, answer.text
    return answer.json()


def history(host: Any, usual: dict, now: dict, *, since: timedelta) -> None:
    """Send fifteen minutes of samples, other ones for the last stretch."""
    begun = datetime.now(UTC)
    at = begun - timedelta(minutes=MINUTES)
    while at < begun:
        values = now if at >= begun - since else usual
        assert host.push(values, at=at).status_code == 204
        at += EVERY


@pytest.fixture(scope="module")
def told(centre):
    """Have everything come in, the symptom last; return the incident of `web-1`."""
    otlp = webhooks.sender(centre, purpose="otlp")
    pipeline = webhooks.sender(centre, purpose="changes")
    post(otlp, "/v1/traces", bodies.spans("shop", bodies.span("a", kind=3)))
    post(otlp, "/v1/traces", bodies.spans("orders", bodies.span("b", parent="a")))
    deployed = datetime.now(UTC) - timedelta(minutes=6, seconds=30)
    change = {
        "service": "orders",
        "version": "4.2.0",
        "at": deployed.isoformat(),
        "by": "ci",
        "summary": f"ships the new list; password={SECRET}",
    }
    assert post(pipeline, "/api/v1/changes", change)["new"] == 1
    assert post(pipeline, "/api/v1/changes", change)["new"] == 0
    at_ns = int((time.time() - 200) * 1e9)
    lines = [bodies.record(f"query {n} took 4000 ms token={SECRET}", at_ns + n) for n in range(9)]
    post(otlp, "/v1/logs", bodies.logs(*lines, service__name="orders", host__name="db-1"))
    here = bodies.record("no answer from orders", int((time.time() - 60) * 1e9))
    post(otlp, "/v1/logs", bodies.logs(here, service__name="shop", host__name="web-1"))
    fine = {("service.up", "orders"): 1.0, ("service.http_ms", "orders"): 20.0,
            ("system.cpu_percent", ""): 9.0}  # fmt: skip
    slow = {**fine, ("service.http_ms", "orders"): 4000.0}
    shop = {("service.up", "shop"): 1.0, ("service.healthy", "shop"): 1.0,
            ("system.cpu_percent", ""): 5.0}  # fmt: skip
    hung = {**shop, ("service.healthy", "shop"): 0.0}
    history(centre.enrol("db-1"), fine, slow, since=timedelta(minutes=6))
    web = centre.enrol("web-1")
    history(web, shop, hung, since=timedelta(minutes=2))
    assert web.push(hung).status_code == 204
    return decided(centre, "web-1", "service.healthy")


def decided(centre: Any, host: str, metric: str) -> str:
    admin = centre.login("admin@local")
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        for item in admin.get("/api/v1/incidents", params={"host": host}).json()["items"]:
            story = admin.get(f"/api/v1/incidents/{item['id']}").json()
            if item["metric"] == metric and story["decision"]:
                return str(item["id"])
        time.sleep(0.1)
    raise AssertionError(f"nothing was decided about {metric} of {host} within 40 s")


def test_the_cause_is_put_on_the_other_host(centre, told):
    found = centre.login("admin@local").get(f"/api/v1/incidents/{told}/diagnosis").json()
    assert found["asked"]
    assert found["first"]["object"] == "service:orders"
    assert found["first"]["path"] == ["service:orders", "service:shop"]
    assert found["blame"]["hosts"] == ["db-1"]
    assert not found["blame"]["is_here"]
    assert found["runner_up"] is None or found["runner_up"]["score"] < found["first"]["score"]


def test_the_deployment_is_the_change_to_look_at(centre, told):
    admin = centre.login("admin@local")
    found = admin.get(f"/api/v1/incidents/{told}/diagnosis").json()
    [change] = admin.get("/api/v1/changes").json()["items"]
    assert found["changes"][0]["object"] == change["id"]
    assert change["version"] == "4.2.0"
    [seen] = admin.get(f"/api/v1/incidents/{told}").json()["decision"]["evidence"]["changes"]
    assert seen == {name: change[name] for name in seen}
    assert (seen["id"], seen["by"], seen["service"]) == (change["id"], "ci", "orders")
    assert SECRET not in str(seen)


def test_the_remedy_on_the_wrong_host_is_not_run_alone(centre, told):
    story = centre.login("admin@local").get(f"/api/v1/incidents/{told}").json()
    assert story["decision"]["playbook"] == REMEDY
    said = {one["rule"]: one for one in story["decision"]["verdicts"]}
    assert said["diagnosis"]["route"] == "ASK"
    assert story["decision"]["route"] == "ASK"
    assert story["order"] is None


def test_the_same_symptom_with_its_cause_at_home_is_not_held_back(centre, told):
    shop = {("service.up", "till"): 1.0, ("service.healthy", "till"): 1.0,
            ("system.cpu_percent", ""): 5.0}  # fmt: skip
    alone = centre.enrol("web-2")
    hung = {**shop, ("service.healthy", "till"): 0.0}
    history(alone, shop, hung, since=timedelta(minutes=2))
    assert alone.push(hung).status_code == 204
    name = decided(centre, "web-2", "service.healthy")
    story = centre.login("admin@local").get(f"/api/v1/incidents/{name}").json()
    said = {one["rule"]: one for one in story["decision"]["verdicts"]}
    assert said["diagnosis"]["route"] == "RUN"
    assert story["decision"]["route"] in {"RUN", "RUN_AND_VERIFY"}


def test_it_is_made_again_bit_for_bit(centre, told):
    again = centre.login("admin@local").get(f"/api/v1/incidents/{told}/replay").json()
    assert again["identical"], again["differences"]


def test_the_snapshot_says_the_same_to_whoever_takes_it_away(centre, told):
    admin = centre.login("admin@local")
    taken = admin.get(f"/api/v1/incidents/{told}/snapshot").json()
    verdict = engine.diagnose(snapshot.parse(taken))
    assert verdict.ranked[0].object == "service:orders"
    assert any("query # took # ms" in one["text"] for one in taken["logs"])


def test_what_other_systems_logged_on_the_host_is_evidence(centre, told):
    story = centre.login("admin@local").get(f"/api/v1/incidents/{told}").json()
    lines = story["decision"]["evidence"]["log_lines"]
    assert ("otlp:shop", "no answer from orders") in {(one["file"], one["text"]) for one in lines}


def test_no_secret_is_in_it(centre, told):
    admin = centre.login("admin@local")
    for path in (f"incidents/{told}/snapshot", f"incidents/{told}/diagnosis", "changes"):
        assert SECRET not in admin.get(f"/api/v1/{path}").text


def test_people_are_shown_it(centre, told, capsys):
    token = centre.login("admin@local").headers["authorization"].split()[1]
    session = {"token": token, "server": centre.people, "name": "admin@local"}
    (centre.data / "cli-token").write_text(json.dumps(session))
    assert main.main(["incidents", "show", told, "--data", str(centre.data)]) == 0
    assert "service:orders -> service:shop" in capsys.readouterr().out


def test_who_may_not_see_the_environment_sees_none_of_it(centre, told):
    body = {"name": "p@local", "password": centre_process.PASSWORD,
            "roles": {"production": "observer"}}  # fmt: skip
    assert centre.login("admin@local").post("/api/v1/users", json=body).status_code == 201
    other = centre.login("p@local")
    for path in (f"incidents/{told}/snapshot", f"incidents/{told}/diagnosis"):
        assert other.get(f"/api/v1/{path}").status_code == 404
    assert other.get("/api/v1/changes").json()["items"] == []


@pytest.mark.parametrize("purpose", ["otlp", "alertmanager"])
def test_a_token_for_something_else_tells_no_change(centre, purpose):
    sender = webhooks.sender(centre, purpose=purpose)
    answer = sender.client.post(
        "/api/v1/changes",
        json={"service": "orders"},
        headers={"Authorization": f"Bearer {sender.token}"},
    )
    assert answer.status_code == 401
