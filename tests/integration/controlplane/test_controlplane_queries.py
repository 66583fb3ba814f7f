"""PromQL over HTTP, as Grafana asks it: envelope, names, limits, and who may see what."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support import centre_process
from tests.support.centre_process import PASSWORD

pytestmark = pytest.mark.integration
BY_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with centre_process.running(tmp_path_factory.mktemp("queries")) as running:
        admin = running.login("admin@local")
        for name, roles in {
            "ada@local": {"*": "observer"},
            "prod@local": {"production": "observer"},
        }.items():
            body = {"name": name, "password": PASSWORD, "roles": roles}
            assert admin.post("/api/v1/users", json=body).status_code == 201
        for name, place in (("web-1", "drill"), ("web-2", "production")):
            host = running.enrol(name, place)
            for ago in (60, 30, 0):
                values = {
                    ("system.cpu_percent", ""): 42.5 - ago,
                    ("system.disk_usage_percent", "/var"): 80.0,
                }
                at = datetime.now(UTC) - timedelta(seconds=ago)
                assert host.push(values, at=at).status_code == 204
        yield running


@pytest.fixture(scope="module")
def ada(centre):
    return centre.login("ada@local")


def ask(client, text, **more):
    return client.get("/api/v1/query", params={"query": text, **more})


def test_a_reading_has_the_name_and_labels_that_the_document_says(ada):
    body = ask(ada, "system_cpu_percent").json()
    assert body["status"] == "success"
    found = {one["metric"]["host"]: one for one in body["data"]["result"]}
    assert found["web-1"]["metric"] == {
        "__name__": "system_cpu_percent",
        "host": "web-1",
        "environment": "drill",
    }
    assert found["web-2"]["value"][1] == "42.5"
    full = ask(ada, 'system_disk_usage_percent{subject="/var",environment="production"}').json()
    assert [one["metric"]["host"] for one in full["data"]["result"]] == ["web-2"]


def test_a_range_is_asked_for_by_form_and_by_address(ada):
    now = datetime.now(UTC).timestamp()
    asked = {
        "query": "max by (host) (system_cpu_percent)",
        "start": now - 60,
        "end": now,
        "step": "15s",
    }
    by_form = ada.post("/api/v1/query_range", data=asked)
    by_address = ada.get("/api/v1/query_range", params=asked)
    assert by_form.json() == by_address.json()
    assert by_form.json()["data"]["resultType"] == "matrix"
    assert len(by_form.json()["data"]["result"]) == 2


def test_series_labels_and_values_are_listed(ada):
    listed = ada.get("/api/v1/series", params={"match[]": 'system_cpu_percent{host=~"web-.*"}'})
    assert len(listed.json()["data"]) == 2
    names = ada.get("/api/v1/labels").json()["data"]
    assert names == ["__name__", "environment", "host", "subject"]
    values = ada.get("/api/v1/label/__name__/values").json()["data"]
    assert values == ["system_cpu_percent", "system_disk_usage_percent"]
    hosts = ada.get("/api/v1/label/host/values", params={"match[]": "system_cpu_percent"})
    assert hosts.json()["data"] == ["web-1", "web-2"]
    assert ada.post("/api/v1/labels", data={"match[]": "nothing"}).json()["data"] == []
    assert ada.get("/api/v1/status/buildinfo").json()["data"]["version"].startswith("2.")


def test_nobody_sees_series_of_an_environment_that_they_may_not_view(centre):
    prod = centre.login("prod@local")
    body = ask(prod, "system_cpu_percent").json()
    assert [one["metric"]["host"] for one in body["data"]["result"]] == ["web-2"]
    assert ask(prod, "count(system_cpu_percent)").json()["data"]["result"][0]["value"][1] == "1"
    hosts = prod.get("/api/v1/label/host/values").json()["data"]
    assert hosts == ["web-2"]
    seen = prod.get("/api/v1/series", params={"match[]": '{host="web-1"}'}).json()["data"]
    assert seen == []


def test_without_a_login_there_is_no_answer(centre):
    for path in ("query", "query_range", "series", "labels", "status/buildinfo"):
        answer = centre.anonymous().get(f"/api/v1/{path}", params={"query": "1"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("asked", "status", "kind", "says"),
    [
        ({"query": "sum("}, 400, "bad_data", "unclosed"),
        ({}, 400, "bad_data", "query"),
        ({"query": "holt_winters(a[5m], 0.1, 0.2)"}, 400, "bad_data", "docs/reference/promql.md"),
        ({"query": "(" * 20_000}, 400, "bad_data", "characters"),
        ({"query": "(" * 3000 + "1" + ")" * 3000}, 400, "bad_data", "operators and brackets"),
        ({"query": 'up{a=~"(a+)+"}'}, 400, "bad_data", "repetition"),
        ({"query": "1", "time": "never"}, 400, "bad_data", "timestamp"),
        ({"query": "1", "timeout": "soon"}, 400, "bad_data", "duration"),
        ({"query": "system_cpu_percent", "timeout": "0.000001"}, 503, "timeout", "timed out"),
        ({"query": 'system_cpu_percent * on(zone) {host=~".+"}'}, 422, "execution", "duplicate"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_prometheus_words(ada, asked, status, kind, says):
    answer = ada.post("/api/v1/query", data=asked)
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["status"] == "error"
    assert body["errorType"] == kind
    assert says in body["error"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"query": "1", "start": 0, "end": 100_000, "step": 1}, "11,000 points"),
        ({"query": "1", "start": 10, "end": 0, "step": 1}, "before"),
        ({"query": "1", "start": 0, "end": 10, "step": 0}, "step"),
        ({"query": "a[5m]", "start": 0, "end": 10, "step": 1}, "range vector"),
        ({"query": '"a"', "start": 0, "end": 10, "step": 1}, "string"),
        ({"query": "1", "start": 0, "end": 10}, "step"),
        ({"query": "1", "start": "1e300", "end": 10, "step": 1}, "timestamp"),
    ],
)
def test_a_range_that_cannot_be_is_refused(ada, asked, says):
    body = ada.get("/api/v1/query_range", params=asked).json()
    assert body["status"] == "error"
    assert says in body["error"]


def test_times_at_the_edge_of_what_there_is_are_answered(ada):
    for at in ("-62135596800", "0", "99999999999", "2026-01-15T10:00:00Z"):
        assert ask(ada, "system_cpu_percent", time=at).json()["data"]["result"] == []
