"""Questions to people: who may answer, what is recorded, and that a crash forgets nothing."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.support import centre_process
from tests.support.centre_process import Centre, Host

pytestmark = pytest.mark.integration
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}
PEOPLE = {
    "olga@local": {"staging": "observer"},
    "rita@local": {"staging": "remediation_authority"},
    "dev@local": {"dev": "administrator"},
}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("approvals")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    budget = {"service_budget_per_hour": "1000", "fleet_budget_per_hour": "1000"}
    with centre_process.prepared(data, **budget) as start:
        # A proven remedy may be proposed to people outside the drill environment.
        proven = (Proven("disk-full", 20, 20),)
        record = ProvingRecord(REMEDY, "1.0.0", digest(stored), proven)
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", record)
        with start() as running:
            admin = running.login("admin@local")
            for name, roles in PEOPLE.items():
                body = {"name": name, "password": centre_process.PASSWORD, "roles": roles}
                assert admin.post("/api/v1/users", json=body).status_code == 201
            yield running


def asked(centre: Centre, host: Host) -> dict[str, Any]:
    """Fill the host's disk and return the question that comes of it."""
    host.push(CALM)
    host.push(FULL)
    admin = centre.login("admin@local")
    until = time.monotonic() + 15
    while time.monotonic() < until:
        for one in admin.get("/api/v1/approvals", params={"status": "pending"}).json()["items"]:
            story = admin.get(f"/api/v1/incidents/{one['incident']}").json()
            if story["incident"]["host"] == host.host:
                return dict(one)
        time.sleep(0.05)
    raise AssertionError("no question was asked")


def story_of(centre: Centre, question: dict[str, Any]) -> dict[str, Any]:
    found = centre.login("admin@local").get(f"/api/v1/incidents/{question['incident']}").json()
    return dict(found)


def closed(centre: Centre, question: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        story = story_of(centre, question)
        if story["incident"]["status"] == "CLOSED":
            return story
        time.sleep(0.05)
    raise AssertionError(f"not closed: {story['incident']}")


def answer(
    centre: Centre, name: str, question: dict[str, Any], verb: str, note: str = "seen"
) -> Any:
    path = f"/api/v1/approvals/{question['id']}/{verb}"
    return centre.login(name).post(path, json={"note": note})


def facts(story: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [fact for fact in story["timeline"] if fact["kind"] == kind]


def test_yes_of_a_remediation_authority_releases_the_order_once(centre: Centre) -> None:
    host = centre.enrol("ask-yes", "staging")
    question = asked(centre, host)
    assert host.poll()["order"] is None, "nothing is released before somebody says yes"
    for part in (REMEDY, "This will:", "Estimated effect:", "Estimated duration:", "Risk:"):
        assert part in question["question"]
    assert answer(centre, "rita@local", question, "approve").status_code == 200
    until = time.monotonic() + 10
    while (brought := host.poll()["order"]) is None and time.monotonic() < until:
        time.sleep(0.05)
    assert brought is not None
    late = answer(centre, "rita@local", question, "approve")
    assert late.status_code == 409, "only once"
    assert late.json()["type"] == "urn:sentienguard:problem:already-decided"
    [decided] = facts(story_of(centre, question), "approval.decided")
    assert decided["actor"] == "rita@local"
    assert decided["data"]["role"] == "remediation_authority"
    assert decided["data"]["ip_address"] == "127.0.0.1"


def test_a_question_says_why_its_remedy_has_its_risk(centre: Centre) -> None:
    question = asked(centre, centre.enrol("ask-why", "staging"))["question"]
    why = centre.login("olga@local").get(f"/api/v1/playbooks/{REMEDY}").json()
    assert len(why["risk_reason"]) > 80
    assert f"Risk: {why['risk']}: {why['risk_reason']}" in question.splitlines()


def test_a_start_counts_against_a_hosts_budget_once_the_host_told_of_it(centre: Centre) -> None:
    host = centre.enrol("ask-budget", "staging")
    path = f"/api/v1/hosts/{host.agent}/playbooks"
    question = asked(centre, host)
    assert answer(centre, "rita@local", question, "approve").status_code == 200
    until = time.monotonic() + 10
    while host.poll()["order"] is None and time.monotonic() < until:
        time.sleep(0.05)
    given = centre.login("olga@local").get(path).json()
    assert (given["starts"], given["max_per_hour"]) == (0, 120), "handed over is not begun"
    [intent] = facts(story_of(centre, question), "order.intent")
    began = {"order_id": intent["data"]["order_id"]}
    assert host.report(host.event("order.admitted", question["incident"], began)).is_success
    told = centre.login("olga@local").get(path).json()
    starts = {one["playbook"]: (one["starts"], one["max_per_hour"]) for one in told["items"]}
    assert (told["starts"], starts.pop(REMEDY)) == (1, (1, 12))
    assert {one for one, _ in starts.values()} == {0}
    assert told["heard_at"] is not None


def test_a_question_has_an_address_of_its_own_for_who_sees_its_environment(centre: Centre) -> None:
    question = asked(centre, centre.enrol("ask-own", "staging"))
    path = f"/api/v1/approvals/{question['id']}"
    listed = centre.login("olga@local").get("/api/v1/approvals").json()["items"]
    assert centre.login("olga@local").get(path).json() in listed
    assert answer(centre, "rita@local", question, "deny", "not now").status_code == 200
    ended = centre.login("olga@local").get(path).json()
    assert (ended["status"], ended["note"], ended["lapsed"]) == ("denied", "not now", [])
    elsewhere = centre.login("dev@local").get(path)
    none = centre.login("dev@local").get("/api/v1/approvals/apr_0000000000000000")
    assert elsewhere.status_code == none.status_code == 404
    told = elsewhere.json()["detail"].replace(question["id"], "apr_0000000000000000")
    assert told == none.json()["detail"], "the same is said of what is not there"


@pytest.mark.parametrize(("name", "status"), [("olga@local", 403), ("dev@local", 404)])
def test_denied_attempt_is_recorded_with_role_and_address_and_changes_nothing(
    centre: Centre, name: str, status: int
) -> None:
    """Who sees nothing of the environment is not told that there is a question."""
    host = centre.enrol(f"ask-{name.partition('@')[0]}", "staging")
    question = asked(centre, host)
    assert answer(centre, name, question, "approve").status_code == status
    assert story_of(centre, question)["incident"]["status"] == "AWAITING_APPROVAL"
    assert host.poll()["order"] is None
    entries = centre.login("admin@local").get("/api/v1/audit/entries").json()["items"]
    denied = next(one for one in entries if one["kind"] == "access.denied")
    assert denied["actor"] == name
    assert denied["data"]["action"] == "decide_approval"
    assert denied["data"]["ip_address"] == "127.0.0.1"
    assert denied["data"]["role"] == PEOPLE[name].get("staging", "none")


def test_no_ends_the_incident_as_rejected(centre: Centre) -> None:
    host = centre.enrol("ask-no", "staging")
    question = asked(centre, host)
    assert answer(centre, "rita@local", question, "deny").status_code == 200
    story = closed(centre, question)
    assert story["incident"]["outcome"] == "rejected"
    assert story["order"] is None


@pytest.mark.parametrize("note", ["", " \n"])
def test_a_no_without_a_reason_is_refused_with_the_way_out(centre: Centre, note: str) -> None:
    host = centre.enrol(f"ask-why-{len(note)}", "staging")
    question = asked(centre, host)
    refused = answer(centre, "rita@local", question, "deny", note)
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:sentienguard:problem:reason-needed"
    assert "say in `note` why not" in refused.json()["detail"]
    assert story_of(centre, question)["incident"]["status"] == "AWAITING_APPROVAL"
    assert answer(centre, "olga@local", question, "deny", note).status_code == 403


def test_symptom_that_ends_by_itself_takes_the_question_back(centre: Centre) -> None:
    host = centre.enrol("ask-gone", "staging")
    question = asked(centre, host)
    for _ in range(3):
        host.push(CALM)
    story = closed(centre, question)
    assert story["incident"]["outcome"] == "self_recovered"
    assert story["approval"]["status"] == "withdrawn"


def test_question_survives_a_crash_of_the_control_plane(centre: Centre) -> None:
    host = centre.enrol("ask-crash", "staging")
    question = asked(centre, host)
    centre.kill()
    centre.restart()
    assert story_of(centre, question)["incident"]["status"] == "AWAITING_APPROVAL"
    assert answer(centre, "rita@local", question, "deny").status_code == 200
    assert closed(centre, question)["incident"]["outcome"] == "rejected"


def test_stop_with_an_open_question_ends_at_once_and_keeps_it_open(centre: Centre) -> None:
    host = centre.enrol("ask-stop", "staging")
    question = asked(centre, host)
    began = time.monotonic()
    centre.process.terminate()
    assert centre.process.wait(10) == 0
    assert time.monotonic() - began < 8
    centre.restart()
    assert story_of(centre, question)["incident"]["status"] == "AWAITING_APPROVAL"
    assert answer(centre, "rita@local", question, "deny").status_code == 200
    assert closed(centre, question)["incident"]["outcome"] == "rejected"


def test_kill_switch_lets_nothing_out(centre: Centre) -> None:
    host = centre.enrol("ask-frozen", "staging")
    question = asked(centre, host)
    admin = centre.login("admin@local")
    assert admin.put("/api/v1/freeze", json={"reason": "drill"}).status_code == 200
    try:
        assert answer(centre, "rita@local", question, "approve").status_code == 200
        time.sleep(0.5)
        assert host.poll()["order"] is None
    finally:
        assert admin.delete("/api/v1/freeze").status_code == 200
    until = time.monotonic() + 10
    while (brought := host.poll()["order"]) is None and time.monotonic() < until:
        time.sleep(0.05)
    assert brought is not None
