"""Silences and maintenance on a real control plane: made, tried, listed, ended, and felt."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import centre_process
from tests.support.centre_process import PASSWORD, Centre

pytestmark = pytest.mark.integration
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}
WEEKLY = {"cron": "0 2 * * sun", "zone": "Europe/Berlin", "minutes": 120}
PEOPLE = {
    "olga@local": {"*": "observer"},
    "rita@local": {"drill": "remediation_authority", "staging": "observer"},
}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("windows")) as running:
        admin = running.login("admin@local")
        for name, roles in PEOPLE.items():
            body = {"name": name, "password": PASSWORD, "roles": roles}
            assert admin.post("/api/v1/users", json=body).status_code == 201
        yield running


def on_host(host: str, **more: Any) -> dict[str, Any]:
    matchers = [{"label": "host", "comparison": "=", "value": host}]
    return {"matchers": matchers, "minutes": 60, "reason": "moving disks", **more}


def incidents(centre: Centre, host: str) -> list[dict[str, Any]]:
    found = centre.login("admin@local").get("/api/v1/incidents", params={"host": host}).json()
    return list(found["items"])


def eventually(look: Callable[[], Any]) -> Any:
    until = time.monotonic() + 40
    while not (found := look()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_a_silenced_host_opens_nothing_until_the_silence_is_ended(centre: Centre) -> None:
    host = centre.enrol("quiet-1")
    admin = centre.login("admin@local")
    made = admin.post("/api/v1/silences", json=on_host("quiet-1"))
    assert made.status_code == 201, made.text
    view = made.json()
    assert (view["state"], view["by"], view["reason"]) == ("active", "admin@local", "moving disks")
    host.push(CALM)
    host.push(FULL)
    assert incidents(centre, "quiet-1") == []
    seen = {one["host"]: one["metrics"] for one in admin.get("/api/v1/hosts").json()["items"]}
    assert seen["quiet-1"]["system.disk_usage_percent[/srv]"] == 98.0, "it is measured all the same"
    ended = admin.delete(f"/api/v1/silences/{view['id']}")
    assert (ended.status_code, ended.json()["state"]) == (200, "ended")
    assert view["id"] not in [one["id"] for one in admin.get("/api/v1/silences").json()["items"]]
    all_of_them = admin.get("/api/v1/silences", params={"ended": True}).json()["items"]
    assert view["id"] in [one["id"] for one in all_of_them]
    host.push(FULL)
    assert len(incidents(centre, "quiet-1")) == 1
    again = admin.delete(f"/api/v1/silences/{view['id']}")
    assert again.status_code == 422
    kinds = {
        one["kind"]: one for one in admin.get("/api/v1/audit/entries").json()["items"]
        if view["id"] in str(one["data"])
    }  # fmt: skip
    assert set(kinds) == {"silence.added", "silence.ended"}
    assert kinds["silence.added"]["data"]["matchers"] == 'host="quiet-1"'
    assert kinds["silence.added"]["actor"] == "admin@local"


def test_no_remedy_starts_in_maintenance_and_people_are_told_why(centre: Centre) -> None:
    host = centre.enrol("upkeep-1", tags={"rack": "b7"})
    admin = centre.login("admin@local")
    matchers = [{"label": "tag.rack", "comparison": "=~", "value": "b[0-9]"}]
    made = admin.post("/api/v1/maintenance", json={**on_host(""), "matchers": matchers})
    assert made.status_code == 201, made.text
    host.push(CALM)
    host.push(FULL)

    def closed() -> dict[str, Any] | None:
        found = incidents(centre, "upkeep-1")
        return found[0] if found and found[0]["status"] == "CLOSED" else None

    incident = eventually(closed)
    assert incident["outcome"] == "escalated"
    story = admin.get(f"/api/v1/incidents/{incident['id']}").json()
    verdicts = {one["rule"]: one for one in story["decision"]["verdicts"]}
    assert verdicts["maintenance"]["route"] == "ESCALATE"
    assert verdicts["maintenance"]["deciding"]
    assert story["order"] is None
    assert admin.delete(f"/api/v1/maintenance/{made.json()['id']}").status_code == 200
    assert admin.get("/api/v1/maintenance").json()["items"] == []


def test_a_recurring_silence_says_when_it_comes_next(centre: Centre) -> None:
    admin = centre.login("admin@local")
    body = on_host("db-1", minutes=60 * 24 * 90, recurrence=WEEKLY)
    view = admin.post("/api/v1/silences", json=body).json()
    assert view["recurrence"] == WEEKLY
    shown = admin.get(f"/api/v1/silences/{view['id']}").json()
    assert shown == view
    tried = admin.post("/api/v1/silences/preview",
                       json={"host_pattern": "db-*", "recurrence": WEEKLY}).json()  # fmt: skip
    assert len(tried["spans"]) == 5
    assert {one["starts_at"][14:19] for one in tried["spans"]} == {"00:00"}


def test_a_preview_shows_hosts_and_incidents_and_keeps_nothing(centre: Centre) -> None:
    for name, environment in [("try-1", "drill"), ("try-2", "drill"), ("try-3", "staging")]:
        host = centre.enrol(name, environment)
        host.push(CALM)
        host.push(FULL)
    admin = centre.login("admin@local")
    before = admin.get("/api/v1/silences").json()
    matchers = [
        {"label": "host", "comparison": "=~", "value": "try-.*"},
        {"label": "metric", "comparison": "=", "value": "system.disk_usage_percent"},
        {"label": "environment", "comparison": "!=", "value": "staging"},
    ]
    found = admin.post("/api/v1/silences/preview", json={"matchers": matchers}).json()
    assert (found["hosts"], found["hosts_total"]) == (["try-1", "try-2"], 2)
    hosts = [one["host"] for one in found["open_incidents"] + found["recent_incidents"]]
    assert sorted(hosts) == ["try-1", "try-2"]
    matchers[1]["value"] = "system.cpu_percent"
    found = admin.post("/api/v1/silences/preview", json={"matchers": matchers}).json()
    assert found["open_incidents"] + found["recent_incidents"] == []
    assert admin.get("/api/v1/silences").json() == before


def test_what_somebody_may_not_see_is_in_no_preview_and_no_list(centre: Centre) -> None:
    centre.enrol("prod-1", "production")
    admin, rita = centre.login("admin@local"), centre.login("rita@local")
    place = {"label": "environment", "comparison": "=", "value": "production"}
    body = {**on_host("prod-1"), "matchers": [place]}
    made = admin.post("/api/v1/silences", json=body).json()
    found = rita.post("/api/v1/silences/preview", json={"host_pattern": "prod-*"}).json()
    assert found["hosts_total"] == 0
    seen = [one["id"] for one in rita.get("/api/v1/silences").json()["items"]]
    assert made["id"] not in seen
    assert rita.get(f"/api/v1/silences/{made['id']}").status_code == 404
    assert rita.delete(f"/api/v1/silences/{made['id']}").status_code == 404


HERE = {"label": "environment", "comparison": "=", "value": "drill"}
RIGHTS = [
    ("olga@local", [], 403),
    ("olga@local", [HERE], 403),
    ("rita@local", [], 403),  # it reaches environments in which she may not
    ("rita@local", [HERE], 201),
    ("rita@local", [{**HERE, "comparison": "!="}], 403),
    ("rita@local", [{**HERE, "comparison": "=~", "value": "drill|staging"}], 403),
    ("rita@local", [{**HERE, "comparison": "=~", "value": "dr.*"}], 201),
    ("admin@local", [], 201),
]


@pytest.mark.parametrize("kind", ["silences", "maintenance"])
@pytest.mark.parametrize(("name", "place", "status"), RIGHTS)
def test_the_right_is_needed_wherever_it_reaches(centre, kind, name, place, status) -> None:
    body = on_host("nobody")
    body["matchers"] += place
    made = centre.login(name).post(f"/api/v1/{kind}", json=body)
    assert made.status_code == status
    if status == 201:
        path = f"/api/v1/{kind}/{made.json()['id']}"
        assert centre.login("olga@local").delete(path).status_code == 403
        assert centre.login(name).delete(path).status_code == 200


WRONG = [
    ({"matchers": []}, "0 matchers"),
    ({"minutes": None}, "either `minutes` or `ends_at`"),
    ({"ends_at": "2030-01-01T00:00:00Z"}, "either `minutes` or `ends_at`"),
    ({"minutes": None, "ends_at": "2020-01-01T00:00:00Z"}, "in the past"),
    ({"minutes": 31 * 24 * 60}, "expected at most 30"),
    ({"minutes": None, "ends_at": "2030-01-01T00:00:00"}, "time zone"),
    ({"recurrence": {**WEEKLY, "zone": "Moon/Tycho"}}, "Moon/Tycho"),
    ({"recurrence": {**WEEKLY, "cron": "0 2 30 2 *"}}, "next five years"),
    ({"recurrence": {**WEEKLY, "cron": "sundays"}}, "five fields"),
    ({"matchers": [{"label": "hostname", "comparison": "=", "value": "x"}]}, "hostname"),
    ({"matchers": [{"label": "host", "comparison": "=~", "value": "(a+)+"}]}, "repeat"),
    ({"matchers": [{"label": "host", "comparison": "~", "value": "x"}]}, "comparison"),
    ({"matchers": [{"label": "environment", "comparison": "=", "value": "moon"}]}, "no environ"),
    ({"reason": ""}, "reason"),
]


@pytest.mark.parametrize(("change", "says"), WRONG)
def test_what_cannot_be_is_refused_with_the_way_out(centre, change, says) -> None:
    answer = centre.login("admin@local").post("/api/v1/silences", json={**on_host("x"), **change})
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_a_silence_survives_a_crash(centre: Centre) -> None:
    view = centre.login("admin@local").post("/api/v1/silences", json=on_host("x")).json()
    centre.kill()
    centre.restart()
    again = centre.login("admin@local").get(f"/api/v1/silences/{view['id']}").json()
    assert again == view
