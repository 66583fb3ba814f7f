"""Every operation of the API x role x environment x state of the token, against a second opinion.

The rules are those of tests/support/access_rules.py. Whoever may not is refused with 401, 403 or
404, whatever else is wrong with the request; whoever may is not. No answer names a host of an
environment that its reader may not see.
"""

import collections
import itertools
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sentienguard.controlplane import alert_desk, app, evaluation, listeners, telemetry
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.api import people
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.intake import Intake
from sentienguard.model import ids
from sentienguard.model.access import Role
from sentienguard.model.window import Comparison, Matcher, Purpose, Window, WindowId
from sentienguard.ports.session_store import Issued, Login, ReadToken
from tests.contract import stores_nouns as nouns
from tests.support import access_rules, centre_process
from tests.support.access_rules import RULES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
PLACES = ("staging", "production")
GRANTED = (*PLACES, "*")
ROLES = ("", *(role.value for role in Role))
REFUSED = {401, 403, 404}
PLAYBOOK = "disk_cleanup_rotated_logs"


class NoEngine:
    """Begins and tells nothing: the matrix ends where an incident would go on."""

    def begin(self, incident: Any) -> None:
        del incident

    def tell(self, incident: Any, event: Any, *, key: str) -> None:
        del incident, event, key


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("matrix")
    bundled = {PLAYBOOK: (centre_process.PLAYBOOKS / PLAYBOOK / "playbook.yaml").read_bytes()}
    now = datetime.now(UTC)
    evaluation.prepare(data / "controlplane", data / "offline-keys", bundled, now=now)
    settings = settings_module.Settings(embeddings="off")
    with app.centre_in(data / "controlplane", settings, "https://127.0.0.1:1") as made:
        made.messages.connect(NoEngine())  # type: ignore[arg-type]
        for role, granted in itertools.product(ROLES, GRANTED):
            roles = {granted: Role(role)} if role else {}
            ends = {granted: now + timedelta(days=29)} if role == "auditor" else {}
            made.users.add(person(role, granted), centre_process.PASSWORD, roles, ends)
        made.users.add("victim@local", centre_process.PASSWORD, {})
        for number, place in enumerate(PLACES, 1):
            things(made, number, place)
        yield made


@pytest.fixture(scope="module")
def client(centre: Centre) -> Iterator[httpx.Client]:
    intake = Intake(centre)
    with (
        alert_desk.opened(centre, intake) as door,
        telemetry.opened(centre, intake) as inflow,
    ):
        server = listeners.people_server(people.application(centre, door, inflow), None)
        bound = socket.create_server(("127.0.0.1", 0))
        serving = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        serving.start()
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=60) as made:
            yield made
        server.should_exit = True
        serving.join(20)


def person(role: str, granted: str) -> str:
    return f"{role or 'nobody'}.{granted.replace('*', 'all')}@local"


def things(centre: Centre, number: int, place: str) -> None:
    """Keep one thing of each kind in an environment; their names say which."""
    agent = replace(nouns.agent(number), host=f"host-in-{place}", environment=place)
    now = centre.clock.now()
    centre.agents.add(agent)
    incident = replace(nouns.incident(number, host=agent.host), agent=agent.id, environment=place)
    centre.incidents.open(incident)
    asked = nouns.approval(number)
    centre.approvals.open(
        replace(asked, environment=place, expires_at=now + timedelta(hours=1), question=agent.host)
    )
    for purpose in Purpose:
        matcher = Matcher("environment", Comparison.EQUAL, place)
        host = Matcher("host", Comparison.EQUAL, agent.host)
        times = {"starts_at": now, "ends_at": now + timedelta(hours=9)}
        window = Window(WindowId(f"{purpose.value}-{place}"), purpose, (matcher, host),
                        by="x", comment="x", **times)  # fmt: skip
        centre.switches.add_window(window)


def token(centre: Centre, name: str, state: str = "valid") -> str:
    """Return an access token of somebody, in one of its states."""
    if state == "none":
        return ""
    made = secrets.token_hex(16)
    now = datetime.now(UTC)
    at = now - timedelta(days=2) if state == "expired" else now
    login = Login(f"log_{made[:16]}", name, at, at + timedelta(hours=12), "192.0.2.1")
    expires = at + timedelta(minutes=15)
    centre.sessions.open(login, Issued(made, expires), Issued(f"r{made}", expires))
    if state == "revoked":
        centre.sessions.end(login.id, user=name, at=now, because="revoked")
    return made


def operations(client: httpx.Client) -> list[str]:
    described = client.get("/openapi.json").json()["paths"]
    return [f"{method.upper()} {path}" for path, methods in described.items() for method in methods]


def call(client: httpx.Client, operation: str, token: str, thing: str) -> tuple[int, str]:
    method, path = operation.split(" ")
    rule = RULES[operation]
    number = PLACES.index(thing) + 1
    incident = nouns.incident(number).id
    values = {
        "incident_id": incident,
        "approval_id": ids.approval_id(incident, nouns.DIGEST),
        "agent_id": nouns.agent(number).id,
        "window_id": f"{'maintenance' if 'maintenance' in path else 'silence'}-{thing}",
        "name": PLAYBOOK if "playbooks" in path else "victim@local",
        "index": "0",
    }
    place = path
    for name in ("factor_id", "login_id", "token_id", "package_id"):
        values[name] = "none"
    for name, value in values.items():
        place = place.replace(f"{{{name}}}", str(value))
    told = json.dumps(rule.body).replace("{environment}", thing)
    body = json.loads(told.replace("{host}", f"host-in-{thing}"))
    answer = client.request(
        method,
        place,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        params=rule.query,
        data=rule.form,
        **({} if body is None else {"json": body}),
    )
    return answer.status_code, answer.text


def test_every_operation_has_a_rule_and_every_rule_an_operation(client: httpx.Client) -> None:
    found = operations(client)
    assert sorted(found) == sorted(RULES), "add the operation to tests/support/access_rules.py"


def test_the_matrix(centre: Centre, client: httpx.Client) -> None:
    wrong, seen = [], collections.Counter[str]()
    for role, granted in itertools.product(ROLES, GRANTED):
        name = person(role, granted)
        bearer = token(centre, name)
        for operation, thing in itertools.product(RULES, PLACES):
            rule = RULES[operation]
            may = access_rules.allows(rule, role, granted, thing)
            if rule.where == "public" or (operation == "GET /api/v1/live" and may):
                continue  # the stream does not end; who may not see it is refused here too
            status, text = call(client, operation, bearer, thing)
            seen[f"{status // 100}xx"] += 1
            refused = status in REFUSED if not may else status not in {401, 403}
            hidden = [place for place in PLACES if granted not in {"*", place} or not role]
            leaks = [place for place in hidden if f"host-in-{place}" in text]
            asked = RULES[operation].body is not None and "host" in str(RULES[operation].body)
            if not refused or (leaks and not asked and status < 300):
                wrong.append((operation, role, granted, thing, status, leaks))
            if "log" in operation and rule.where == "own":
                bearer = token(centre, name)  # it may have ended the login that asked
    examples = {operation: said for operation, *said in wrong}
    assert examples == {}, f"{len(wrong)} of {seen.total()}"
    assert seen["2xx"] > 200, seen  # the matrix asks for something
    assert seen["4xx"] > 1000, seen
    assert seen["5xx"] == 0, seen


def test_no_token_that_is_not_valid_opens_anything(centre: Centre, client: httpx.Client) -> None:
    opened = []
    for role, granted in (("administrator", "*"), ("observer", "staging"), ("auditor", "*")):
        for state in ("none", "expired", "revoked"):
            bearer = token(centre, person(role, granted), state)
            opened += [
                (operation, role, state)
                for operation, rule in RULES.items()
                if rule.where != "public" and call(client, operation, bearer, "staging")[0] != 401
            ]
    assert opened == []


def test_a_machine_reads_its_environment_and_changes_nothing(
    centre: Centre, client: httpx.Client
) -> None:
    now = datetime.now(UTC)
    made = ReadToken("rot_m", "grafana", "staging", "x", now, now + timedelta(days=1))
    centre.sessions.add_read_token(made, "sgr_machine")
    wrong = []
    for operation, thing in itertools.product(RULES, PLACES):
        rule = RULES[operation]
        if rule.where == "public" or operation == "GET /api/v1/live":
            continue
        may = rule.where != "own" and access_rules.allows(rule, "observer", "staging", thing)
        status, text = call(client, operation, "sgr_machine", thing)
        leaks = "host-in-production" in text and status < 300
        if leaks or (status in {401, 403} if may else status not in REFUSED):
            wrong.append((operation, thing, status))
    assert wrong == []


def test_a_role_that_is_over_opens_nothing(centre: Centre, client: httpx.Client) -> None:
    over = {"*": datetime.now(UTC) - timedelta(seconds=1)}
    for role in Role:
        name = f"over.{role.value}@local"
        centre.users.add(name, centre_process.PASSWORD, {"*": role}, over)
        bearer = token(centre, name)
        opened = [
            operation
            for operation, rule in RULES.items()
            if rule.where not in {"public", "own", "anybody"}
            and call(client, operation, bearer, "staging")[0] not in REFUSED
        ]
        assert opened == []
