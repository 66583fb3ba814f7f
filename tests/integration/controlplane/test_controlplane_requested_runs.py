"""A playbook that a person asks for by name: the usual path, nothing less strict, every refusal."""

import threading
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
SHADOWED = "memory_leak_service_restart"  # brings no proving record: it starts in shadow
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
PEOPLE = {
    "olga@local": {"staging": "observer"},
    "rita@local": {"staging": "remediation_authority"},
    "ruth@local": {"staging": "remediation_authority"},
    "dev@local": {"dev": "administrator"},
}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("requested")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    # A request needs no meaning of words; making vectors of the library takes seconds at the start.
    budget = {
        "service_budget_per_hour": "1000",
        "fleet_budget_per_hour": "1000",
    }
    with centre_process.prepared(data, **budget) as start:
        record = ProvingRecord(REMEDY, "1.0.0", digest(stored), (Proven("disk-full", 20, 20),))
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", record)
        with start() as running:
            admin = as_person(running.people, "admin@local")
            for name, roles in PEOPLE.items():
                body = {"name": name, "password": centre_process.PASSWORD, "roles": roles}
                assert admin.post("/api/v1/users", json=body).status_code == 201
            yield running


CLIENTS: dict[tuple[str, str], httpx.Client] = {}  # a login costs a password hash


def as_person(people: str, name: str) -> httpx.Client:
    if (people, name) not in CLIENTS:
        body = {"name": name, "password": centre_process.PASSWORD}
        token = httpx.post(f"{people}/api/v1/auth/login", json=body, timeout=30).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        CLIENTS[people, name] = httpx.Client(base_url=people, headers=bearer, timeout=30)
    return CLIENTS[people, name]


@pytest.fixture(scope="module", autouse=True)
def closing() -> Iterator[None]:
    yield
    for one in CLIENTS.values():
        one.close()


def ask(centre: Centre, name: str, host: str, playbook: str = REMEDY, **more: Any) -> Any:
    body = {"host": host, "parameters": {"mount": "/srv"}, **more}
    return as_person(centre.people, name).post(f"/api/v1/playbooks/{playbook}/runs", json=body)


def story(centre: Centre, incident: str) -> dict[str, Any]:
    return dict(as_person(centre.people, "admin@local").get(f"/api/v1/incidents/{incident}").json())


def until(centre: Centre, incident: str, status: str) -> dict[str, Any]:
    late = time.monotonic() + 15
    while time.monotonic() < late:
        if (found := story(centre, incident))["incident"]["status"] == status:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not {status}: {found['incident']}")


def question(centre: Centre, incident: str) -> dict[str, Any]:
    until(centre, incident, "AWAITING_APPROVAL")
    found = as_person(centre.people, "admin@local").get(
        "/api/v1/approvals", params={"status": "pending"}
    )
    return next(dict(one) for one in found.json()["items"] if one["incident"] == incident)


def answer(centre: Centre, name: str, asked: dict[str, Any], verb: str) -> Any:
    path = f"/api/v1/approvals/{asked['id']}/{verb}"
    return as_person(centre.people, name).post(path, json={"note": "seen"})


def order(host: Host) -> Any:
    late = time.monotonic() + 10
    while (brought := host.poll()["order"]) is None and time.monotonic() < late:
        time.sleep(0.05)
    return brought


def newest(centre: Centre, kind: str) -> dict[str, Any]:
    entries = as_person(centre.people, "admin@local").get("/api/v1/audit/entries").json()["items"]
    return next(dict(one) for one in entries if one["kind"] == kind)


def test_another_person_approves_and_the_order_goes_the_usual_way(centre: Centre) -> None:
    host = centre.enrol("req-yes", "staging")
    host.push(CALM)
    asked = ask(centre, "rita@local", "req-yes", note="the volume fills up").json()
    assert asked["metric"] == "playbook.requested"
    put = question(centre, asked["id"])
    assert "rita@local asks for disk_cleanup_rotated_logs: the volume fills up" in put["question"]
    assert "another one decides" in put["reason"]
    host.push(CALM)  # nothing of the host ends what has no symptom
    assert host.poll()["order"] is None, "nothing is released before somebody says yes"
    assert answer(centre, "ruth@local", put, "approve").status_code == 200
    assert order(host) is not None
    found = story(centre, asked["id"])
    kinds = [fact["kind"] for fact in found["timeline"]]
    for kind in ("incident.opened", "decision.made", "approval.decided", "order.intent"):
        assert kind in kinds
    [opened] = [fact for fact in found["timeline"] if fact["kind"] == "incident.opened"]
    assert opened["actor"] == "rita@local"
    assert opened["data"]["requested_role"] == "remediation_authority"
    assert opened["data"]["requested_from"] == "127.0.0.1"
    assert opened["data"]["requested_parameters"] == {"mount": "/srv"}
    [decided] = [fact for fact in found["timeline"] if fact["kind"] == "decision.made"]
    assert decided["title"] == "ask: disk_cleanup_rotated_logs"
    verdicts = {one["rule"]: one["route"] for one in found["decision"]["verdicts"]}
    assert verdicts["requested"] == "ASK"
    assert {"freeze", "maintenance", "fleet_budget", "earned_autonomy"} <= set(verdicts)


def test_who_asked_does_not_approve_and_may_withdraw(centre: Centre) -> None:
    host = centre.enrol("req-own", "staging")
    asked = ask(centre, "rita@local", "req-own").json()
    put = question(centre, asked["id"])
    assert put["requested_by"] == "rita@local"
    assert story(centre, asked["id"])["approval"]["requested_by"] == "rita@local"
    refused = answer(centre, "rita@local", put, "approve")
    assert (refused.status_code, refused.json()["type"]) == (
        403,
        "urn:sentienguard:problem:own-request",
    )
    denied = newest(centre, "access.denied")
    assert denied["actor"] == "rita@local"
    assert denied["data"]["action"] == "decide_approval"
    assert host.poll()["order"] is None
    assert answer(centre, "rita@local", put, "deny").status_code == 200
    assert until(centre, asked["id"], "CLOSED")["incident"]["outcome"] == "rejected"
    assert host.poll()["order"] is None


def test_an_administrator_who_asks_needs_somebody_else_as_well(centre: Centre) -> None:
    centre.enrol("req-admin", "staging")
    put = question(centre, ask(centre, "admin@local", "req-admin").json()["id"])
    assert answer(centre, "admin@local", put, "approve").status_code == 403
    assert answer(centre, "rita@local", put, "approve").status_code == 200


@pytest.mark.parametrize(("name", "status"), [("olga@local", 403), ("dev@local", 404)])
def test_who_may_not_run_playbooks_there_is_refused(centre: Centre, name: str, status: int) -> None:
    host = centre.enrol(f"req-{name.partition('@')[0]}", "staging")
    assert ask(centre, name, host.host).status_code == status
    if status == 403:  # one who may not even see the host learns nothing of it
        denied = newest(centre, "access.denied")
        assert (denied["actor"], denied["data"]["action"]) == (name, "run_playbook")
    rows = as_person(centre.people, "admin@local").get(
        "/api/v1/incidents", params={"host": host.host}
    )
    assert rows.json()["items"] == []


def test_without_a_login_nothing_is_asked(centre: Centre) -> None:
    path = f"/api/v1/playbooks/{REMEDY}/runs"
    assert centre.anonymous().post(path, json={"host": "req-yes"}).status_code == 401


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"playbook": "no_such_playbook"}, 404, "no playbook called"),
    ({"host": "no-such-host"}, 404, "no enrolled host"),
    ({"parameters": {}}, 422, "needs the parameter mount"),
    ({"parameters": {"mount": "/srv", "force": "yes"}}, 422, "has no parameter 'force'"),
    ({"parameters": {"mount": "-rf"}}, 422, "which is no mountpoint"),
    ({"parameters": {"mount": "/srv /etc"}}, 422, "which is no mountpoint"),
    ({"parameters": {"mount": "x" * 256}}, 422, "at most 255"),
    ({"parameters": {"mount": 7}}, 422, "string"),
    ({"note": "x" * 301}, 422, "at most 300"),
]


@pytest.mark.parametrize(("changes", "status", "said"), REFUSED)
def test_a_request_that_cannot_stand_opens_nothing(
    centre: Centre, changes: dict[str, Any], status: int, said: str
) -> None:
    centre.enrol(f"req-wrong-{time.monotonic_ns()}", "staging")
    host = changes.get("host") or centre.enrol(f"req-bad-{time.monotonic_ns()}", "staging").host
    more = {name: value for name, value in changes.items() if name not in {"host", "playbook"}}
    answered = ask(centre, "rita@local", host, changes.get("playbook", REMEDY), **more)
    assert answered.status_code == status, answered.text
    assert said in answered.json()["detail"]
    rows = as_person(centre.people, "admin@local").get("/api/v1/incidents", params={"host": host})
    assert rows.json()["items"] == []


def test_the_same_request_twice_is_one(centre: Centre) -> None:
    centre.enrol("req-twice", "staging")
    first = ask(centre, "rita@local", "req-twice")
    second = ask(centre, "ruth@local", "REQ-TWICE")
    assert (first.status_code, second.status_code) == (201, 409)
    assert first.json()["id"] in second.json()["detail"]


def test_two_hosts_of_one_name_are_told_apart_by_their_ids(centre: Centre) -> None:
    one = centre.enrol("req-both", "staging")
    centre.enrol("req-both", "staging")
    refused = ask(centre, "rita@local", "req-both")
    assert (refused.status_code, one.agent in refused.json()["detail"]) == (409, True)
    assert ask(centre, "rita@local", one.agent).status_code == 201


def test_a_dry_run_asks_nobody_and_changes_nothing(centre: Centre) -> None:
    host = centre.enrol("req-dry", "staging")
    asked = ask(centre, "rita@local", "req-dry", dry_run=True).json()
    until(centre, asked["id"], "MITIGATING")
    assert order(host) is not None
    [intent] = [one for one in story(centre, asked["id"])["timeline"]
                if one["kind"] == "order.intent"]  # fmt: skip
    assert intent["data"]["dry_run"] is True


def test_what_starts_in_shadow_does_so_also_on_request(centre: Centre) -> None:
    centre.enrol("req-shadow", "staging")
    asked = ask(centre, "rita@local", "req-shadow", SHADOWED, parameters={"service": "web"}).json()
    found = until(centre, asked["id"], "MITIGATING")
    assert found["decision"]["route"] == "DRY_RUN"


def test_frozen_or_in_maintenance_nothing_is_asked_or_run(centre: Centre) -> None:
    host = centre.enrol("req-frozen", "staging")
    admin = as_person(centre.people, "admin@local")
    assert admin.put("/api/v1/freeze", json={"reason": "a test"}).status_code == 200
    try:
        asked = ask(centre, "rita@local", "req-frozen").json()
        ended = until(centre, asked["id"], "CLOSED")
    finally:
        admin.delete("/api/v1/freeze")
    assert ended["incident"]["outcome"] == "escalated"
    assert "frozen" in ended["incident"]["summary"]
    tagged = centre.enrol("req-tagged", "staging", {"do_not_remediate": "yes"})
    asked = ask(centre, "rita@local", "req-tagged").json()
    assert until(centre, asked["id"], "CLOSED")["incident"]["outcome"] == "escalated"
    assert host.poll()["order"] is None
    assert tagged.poll()["order"] is None


def test_a_freeze_reaches_an_order_under_way_in_the_poll_that_waits(centre: Centre) -> None:
    host = centre.enrol("req-running", "staging")
    asked = ask(centre, "rita@local", "req-running").json()
    put = question(centre, asked["id"])
    assert answer(centre, "ruth@local", put, "approve").status_code == 200
    assert order(host) is not None
    [intent] = [one for one in story(centre, asked["id"])["timeline"]
                if one["kind"] == "order.intent"]  # fmt: skip
    running = intent["data"]["order_id"]
    brought: list[dict[str, Any]] = []

    def polls() -> None:
        for _ in range(3):  # the bell of the release may still ring, once
            brought.append(host.poll("1" * 32, wait_s=40, busy=running))
            if brought[-1]["stop"] is not None:
                return

    waits = threading.Thread(target=polls)
    waits.start()
    time.sleep(0.5)  # the poll is on its way; one that comes later is answered as fast
    admin, began = as_person(centre.people, "admin@local"), time.monotonic()
    assert admin.put("/api/v1/freeze", json={"reason": "wrong release"}).status_code == 200
    try:
        waits.join(20)
        assert time.monotonic() - began < 10, "the poll that waited was answered at once"
        assert brought[-1]["stop"] is not None
    finally:
        admin.delete("/api/v1/freeze")
    told = story(centre, asked["id"])
    assert told["order"]["stop_requested_by"] == "admin@local, who threw the kill switch"
    [stopped] = [one for one in told["timeline"] if one["kind"] == "order.stop"]
    assert (stopped["actor"], stopped["data"]["note"]) == (
        "admin@local",
        "the kill switch: wrong release",
    )


def test_a_stop_of_an_order_that_no_host_has_yet_takes_it_back(centre: Centre) -> None:
    host = centre.enrol("req-unfetched", "staging")
    asked = ask(centre, "rita@local", "req-unfetched").json()
    put = question(centre, asked["id"])
    assert answer(centre, "ruth@local", put, "approve").status_code == 200
    until(centre, asked["id"], "MITIGATING")
    admin, stop = as_person(centre.people, "admin@local"), f"/api/v1/incidents/{asked['id']}/stop"
    assert admin.post(stop, json={"note": "wrong host"}).status_code == 202
    told = until(centre, asked["id"], "CLOSED")
    assert told["incident"]["outcome"] == "escalated"
    why = "stopped by admin@local before a host was handed the order"
    assert why in told["incident"]["summary"]
    assert told["order"]["status"] == "withdrawn"
    [stopped] = [one for one in told["timeline"] if one["kind"] == "order.stop"]
    assert (stopped["actor"], stopped["data"]["note"]) == ("admin@local", "wrong host")
    answered = host.poll()
    assert (answered["order"], answered["stop"]) == (None, None)
    assert admin.post(stop, json={"note": "again"}).status_code == 422


def test_a_closed_request_is_not_reopened_but_asked_anew(centre: Centre) -> None:
    centre.enrol("req-again", "staging")
    asked = ask(centre, "rita@local", "req-again").json()
    answer(centre, "ruth@local", question(centre, asked["id"]), "deny")
    until(centre, asked["id"], "CLOSED")
    reopened = as_person(centre.people, "ruth@local").post(
        f"/api/v1/incidents/{asked['id']}/reopen", json={"reason": "once more"}
    )
    assert reopened.status_code == 409
    assert ask(centre, "rita@local", "req-again").status_code == 201
