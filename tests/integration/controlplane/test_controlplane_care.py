"""What people do about incidents on a real control plane: have, assign, note, close, reopen."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.support import centre_process
from tests.support.centre_process import Centre

pytestmark = pytest.mark.integration
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}
STRANGE = {**CALM, ("system.memory_percent", ""): 99.5}
PEOPLE = {
    "olga@local": {"*": "observer"},
    "rita@local": {"staging": "remediation_authority"},
    "dev@local": {"dev": "administrator"},
}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("care")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    budget = {
        "service_budget_per_hour": "1000",
        "fleet_budget_per_hour": "1000",
    }
    with centre_process.prepared(data, **budget) as start:
        proven = (Proven("disk-full", 20, 20),)
        record = ProvingRecord(REMEDY, "1.0.0", digest(stored), proven)
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", record)
        with start() as running:
            admin = running.login("admin@local")
            for name, roles in PEOPLE.items():
                body = {"name": name, "password": centre_process.PASSWORD, "roles": roles}
                assert admin.post("/api/v1/users", json=body).status_code == 201
            yield running


def reached(centre: Centre, host: str, *statuses: str) -> dict[str, Any]:
    """Return the newest incident of a host once it stands in one of these."""
    admin = centre.login("admin@local")
    until = time.monotonic() + 40
    while time.monotonic() < until:
        found = admin.get("/api/v1/incidents", params={"host": host}).json()["items"]
        if found and found[0]["status"] in statuses:
            return dict(found[0])
        time.sleep(0.05)
    raise AssertionError(f"{host}: {found}")


def asked(centre: Centre, host: str) -> dict[str, Any]:
    """Return an incident that waits for a person."""
    enrolled = centre.enrol(host, "staging")
    enrolled.push(CALM)
    enrolled.push(FULL)
    return reached(centre, host, "AWAITING_APPROVAL")


def escalated(centre: Centre, host: str) -> dict[str, Any]:
    """Return one that nothing could be done about."""
    enrolled = centre.enrol(host, "staging", tags={"do_not_remediate": "true"})
    enrolled.push(CALM)
    enrolled.push(FULL)
    return reached(centre, host, "CLOSED")


def story(centre: Centre, incident: str) -> dict[str, Any]:
    return dict(centre.login("admin@local").get(f"/api/v1/incidents/{incident}").json())


def act(centre: Centre, name: str, incident: dict[str, Any], what: str, **body: Any) -> Any:
    return centre.login(name).post(f"/api/v1/incidents/{incident['id']}/{what}", json=body)


def facts(told: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [fact for fact in told["timeline"] if fact["kind"] == kind]


def test_who_acknowledges_first_has_it_and_nobody_is_reminded(centre: Centre) -> None:
    incident = escalated(centre, "care-ack")
    assert story(centre, incident["id"])["care"]["needs_people"]
    assert not story(centre, incident["id"])["care"]["reminders_stopped"]
    first = act(centre, "rita@local", incident, "acknowledge", note="on it")
    assert first.status_code == 200, first.text
    second = act(centre, "admin@local", incident, "acknowledge")
    for answer in (first, second):
        assert answer.json()["acknowledged_by"] == "rita@local"
        assert answer.json()["reminders_stopped"]
    told = story(centre, incident["id"])
    [fact] = facts(told, "incident.acknowledged")
    assert (fact["actor"], fact["data"]["note"]) == ("rita@local", "on it")
    assert told["incident"]["acknowledged_by"] == "rita@local"
    assert reached(centre, "care-ack", "CLOSED")["acknowledged_by"] == "rita@local"


def test_an_incident_is_given_to_a_person_who_may_see_it(centre: Centre) -> None:
    incident = escalated(centre, "care-assign")
    given = act(centre, "rita@local", incident, "assign", to="olga@local")
    assert given.json()["assigned_to"] == "olga@local"
    for nobody in ("dev@local", "moon@local"):  # sees another environment; does not exist
        refused = act(centre, "rita@local", incident, "assign", to=nobody)
        assert refused.status_code == 422
        assert nobody in refused.json()["detail"]
    assert act(centre, "rita@local", incident, "assign", to=None).json()["assigned_to"] is None
    said = [one["data"]["to"] for one in facts(story(centre, incident["id"]), "incident.assigned")]
    assert said == ["olga@local", ""]


def test_a_note_is_in_the_story_as_it_was_written(centre: Centre) -> None:
    incident = escalated(centre, "care-note")
    text = 'the old disk: "sdb" <b>\nreplaced at 3 — 日本語'
    assert act(centre, "rita@local", incident, "notes", text=text).status_code == 201
    [fact] = facts(story(centre, incident["id"]), "incident.noted")
    assert (fact["actor"], fact["data"]["text"], fact["title"]) == ("rita@local", text, text)
    assert act(centre, "rita@local", incident, "notes", text='"' * 1500).status_code == 201
    for wrong in ("", "   ", "x" * 1501, "日" * 501):
        assert act(centre, "rita@local", incident, "notes", text=wrong).status_code == 422


def test_closing_by_hand_ends_what_waits_and_credits_no_playbook(centre: Centre) -> None:
    incident = asked(centre, "care-close")
    before = centre.login("admin@local").get(f"/api/v1/playbooks/{REMEDY}").json()["resolved"]
    answer = act(centre, "rita@local", incident, "close", reason="deleted a core dump")
    assert answer.status_code == 200, answer.text
    closed = reached(centre, "care-close", "CLOSED")
    assert closed["outcome"] == "fixed_by_person"
    assert closed["summary"] == "closed by rita@local: deleted a core dump"
    told = story(centre, incident["id"])
    assert told["approval"]["status"] == "withdrawn"
    assert told["order"] is None
    assert told["care"]["settled_by"] == "rita@local"
    assert not told["care"]["needs_people"]
    [fact] = facts(told, "incident.closed")
    assert (fact["actor"], fact["data"]["outcome"]) == ("rita@local", "fixed_by_person")
    after = centre.login("admin@local").get(f"/api/v1/playbooks/{REMEDY}").json()["resolved"]
    assert after == before
    path = f"/api/v1/approvals/{told['approval']['id']}/approve"
    assert centre.login("rita@local").post(path, json={"note": ""}).status_code == 409
    again = act(centre, "rita@local", incident, "close", reason="twice")
    assert again.status_code == 409


def test_what_ended_in_people_s_hands_keeps_its_outcome_and_says_who_fixed_it(centre) -> None:
    incident = escalated(centre, "care-settle")
    assert act(centre, "rita@local", incident, "close", reason="grew the disk").status_code == 200
    told = story(centre, incident["id"])
    assert told["incident"]["outcome"] == "escalated"
    assert told["care"]["settled_because"] == "grew the disk"
    [fact] = facts(told, "incident.settled")
    assert (fact["actor"], fact["data"]["reason"]) == ("rita@local", "grew the disk")
    assert act(centre, "rita@local", incident, "close", reason="twice").status_code == 409
    assert act(centre, "rita@local", incident, "acknowledge").status_code == 409


def test_a_reopened_incident_is_a_new_one_that_knows_the_old(centre: Centre) -> None:
    old = asked(centre, "care-reopen")
    assert act(centre, "rita@local", old, "reopen", reason="x").status_code == 409  # open still
    act(centre, "rita@local", old, "close", reason="looks fine")
    reached(centre, "care-reopen", "CLOSED")
    made = act(centre, "rita@local", old, "reopen", reason="it is full again")
    assert made.status_code == 201, made.text
    new = made.json()
    assert new["earlier"][0] == old["id"]
    assert new["value"] == 98.0
    told = story(centre, new["id"])
    assert told["care"]["reopens"] == old["id"]
    before = story(centre, old["id"])
    assert before["care"]["reopened_as"] == new["id"]
    assert before["incident"]["outcome"] == "fixed_by_person"
    [fact] = facts(before, "incident.reopened")
    assert (fact["actor"], fact["data"]["as"]) == ("rita@local", new["id"])
    assert "it is full again" in fact["title"]
    reached(centre, "care-reopen", "AWAITING_APPROVAL", "CLOSED")
    twice = act(centre, "rita@local", old, "reopen", reason="x")
    assert twice.status_code in {201, 409}


def test_the_symptom_of_a_reopened_incident_ends_with_it(centre: Centre) -> None:
    host = centre.enrol("care-ends", "staging")
    host.push(CALM)
    host.push(FULL)
    old = reached(centre, "care-ends", "AWAITING_APPROVAL")
    act(centre, "rita@local", old, "close", reason="looks fine")
    reached(centre, "care-ends", "CLOSED")
    new = act(centre, "rita@local", old, "reopen", reason="again").json()
    waiting = reached(centre, "care-ends", "AWAITING_APPROVAL", "CLOSED")
    assert waiting["id"] == new["id"]
    for _ in range(6):
        host.push(CALM)
    over = reached(centre, "care-ends", "CLOSED")
    assert over["outcome"] in {"self_recovered", "escalated"}
    host.push(FULL)  # a new episode of the symptom is a new incident
    newest = reached(centre, "care-ends", "AWAITING_APPROVAL", "OPEN", "ANALYZING", "CLOSED")
    assert newest["id"] not in {old["id"], new["id"]}


ACTS = [("acknowledge", {"note": ""}), ("assign", {"to": None}), ("notes", {"text": "x"}),
        ("close", {"reason": "x"}), ("reopen", {"reason": "x"})]  # fmt: skip


@pytest.mark.parametrize(("what", "body"), ACTS)
def test_only_a_remediation_authority_of_the_environment_handles_it(centre, what, body) -> None:
    if not hasattr(centre, "handled"):
        centre.handled = escalated(centre, "care-rights")
    incident = centre.handled
    assert act(centre, "olga@local", incident, what, **body).status_code == 403
    assert act(centre, "dev@local", incident, what, **body).status_code == 404
    entries = centre.login("admin@local").get("/api/v1/audit/entries").json()["items"]
    denied = next(one for one in entries if one["kind"] == "access.denied")
    assert denied["data"]["action"] == "handle_incident"
    assert denied["data"]["what"].endswith(incident["id"])
