"""Who may call what: every route of the people's API, without a login and with too small a role."""

from collections.abc import Iterator

import pytest

from sentienguard.controlplane import alert_senders
from tests.support import centre_process
from tests.support.centre_process import PASSWORD, Centre

pytestmark = pytest.mark.integration
PUBLIC = {
    ("post", "/api/v1/auth/login"), ("post", "/api/v1/auth/login/second"),
    ("get", "/api/v1/auth/ways"), ("get", "/api/v1/auth/provider"),
    ("get", "/api/v1/auth/provider/callback"), ("get", "/api/v1/auth/command-line"),
    ("get", "/api/v1/auth/command-line/confirm"), ("post", "/api/v1/auth/command-line/confirm"),
    ("post", "/api/v1/auth/command-line/session"),
}  # fmt: skip
PUSHED = {"/api/v1/changes", "/api/v1/write", "/v1/metrics", "/v1/logs", "/v1/traces"}
WEBHOOKS = PUSHED | set(alert_senders.BY_PATH)  # opened by tokens of their own, not by roles
OWN = ("/api/v1/auth/", "/api/v1/account", "/api/v1/roles")  # about oneself, or no secret


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("access")) as running:
        admin = running.login("admin@local")
        for name, roles in {
            "olga@local": {"*": "observer"},
            "rita@local": {"*": "remediation_authority"},
            "nemo@local": {"moon": "administrator"},
            "none@local": {},
        }.items():
            body = {"name": name, "password": PASSWORD, "roles": roles}
            expected = 422 if name == "nemo@local" else 201  # there is no such environment
            assert admin.post("/api/v1/users", json=body).status_code == expected
        yield running


def operations(centre: Centre) -> list[tuple[str, str]]:
    described = centre.anonymous().get("/openapi.json").json()["paths"]
    return [(method, path) for path, methods in described.items() for method in methods]


def call(client, method: str, path: str) -> int:
    place = path.replace("{index}", "0").replace("{", "").replace("}", "")
    if path == "/api/v1/live":
        with client.stream(method.upper(), place) as answer:
            return int(answer.status_code)
    body = {"json": {}} if method in {"post", "put"} else {}
    return int(client.request(method.upper(), place, **body).status_code)


def test_every_route_but_the_login_needs_one(centre: Centre) -> None:
    found = operations(centre)
    assert len(found) >= 29
    open_routes = {
        (method, path)
        for method, path in found
        if (method, path) not in PUBLIC and call(centre.anonymous(), method, path) != 401
    }
    assert open_routes == set()


def test_a_user_without_a_role_may_do_nothing(centre: Centre) -> None:
    client = centre.login("none@local")
    answers = {
        (method, path): call(client, method, path)
        for method, path in operations(centre)
        if not path.startswith(OWN) and (method == "get" or path not in WEBHOOKS)
    }
    # A body that is no request may be refused before the role is looked at.
    assert {key for key, status in answers.items() if status not in {403, 422}} == set()


@pytest.mark.parametrize(
    ("name", "wanted", "body", "status"),
    [
        ("olga@local", "PUT /api/v1/freeze", {"reason": "no"}, 403),
        ("olga@local", "POST /api/v1/silences", {"host_pattern": "*", "minutes": 5,
         "reason": "no"}, 403),
        ("olga@local", "GET /api/v1/users", None, 403),
        ("olga@local", "POST /api/v1/tokens", {"environment": "drill"}, 403),
        ("rita@local", "POST /api/v1/users", {"name": "x", "password": PASSWORD,
         "roles": {}}, 403),
        ("rita@local", "PUT /api/v1/users/rita@local/roles",
         {"roles": {"*": "administrator"}}, 403),
        ("rita@local", "PUT /api/v1/freeze", {"reason": "yes"}, 200),
        ("rita@local", "DELETE /api/v1/freeze", None, 200),
    ],
)  # fmt: skip
def test_a_role_reaches_as_far_as_it_says(centre, name, wanted, body, status) -> None:
    method, path = wanted.split()
    assert centre.login(name).request(method, path, json=body).status_code == status


def test_new_roles_count_from_the_next_request(centre: Centre) -> None:
    admin = centre.login("admin@local")
    body = {"name": "brief@local", "password": PASSWORD, "roles": {"*": "observer"}}
    assert admin.post("/api/v1/users", json=body).status_code == 201
    brief = centre.login("brief@local")
    assert brief.get("/api/v1/incidents").status_code == 200
    assert admin.put("/api/v1/users/brief@local/roles", json={"roles": {}}).status_code == 200
    assert brief.get("/api/v1/incidents").status_code == 403


def test_a_cookie_alone_changes_nothing(centre: Centre) -> None:
    client = centre.anonymous()
    login = {"name": "admin@local", "password": PASSWORD}
    assert client.post("/api/v1/auth/login", json=login).status_code == 200
    assert client.get("/api/v1/auth/me").status_code == 200
    assert client.put("/api/v1/freeze", json={"reason": "x"}).status_code == 403
    header = {"X-Sentienguard-Request": "1"}
    assert client.put("/api/v1/freeze", json={"reason": "x"}, headers=header).status_code == 200
    assert client.delete("/api/v1/freeze", headers=header).status_code == 200


def test_logging_out_ends_the_session_at_once(centre: Centre) -> None:
    client = centre.login("olga@local")
    assert client.post("/api/v1/auth/logout").status_code == 204
    assert client.get("/api/v1/auth/me").status_code == 401


def test_a_wrong_password_is_recorded_with_its_address(centre: Centre) -> None:
    answer = centre.anonymous().post(
        "/api/v1/auth/login", json={"name": "admin@local", "password": "guess"}
    )
    assert answer.status_code == 401
    entries = centre.login("admin@local").get("/api/v1/audit/entries").json()["items"]
    denied = next(one for one in entries if one["kind"] == "access.denied")
    assert denied["data"]["result"] == "denied_wrong_credentials"
    assert denied["data"]["ip_address"] == "127.0.0.1"


def test_a_huge_body_is_refused(centre: Centre) -> None:
    answer = centre.login("admin@local").post(
        "/api/v1/silences", content=b"x" * 3_000_000, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_pages_carry_the_policy_that_binds_the_browser(centre: Centre) -> None:
    policy = centre.anonymous().get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
