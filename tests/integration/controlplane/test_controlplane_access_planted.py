"""Bugs planted into who may do what: the access matrix sees each of them.

A matrix that finds nothing has shown something only if it would have found it. Each bug here is one
that somebody could write, and is judged by the same functions as the matrix, on fewer operations.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from sentienguard.adapters.sql_store import sessions
from sentienguard.controlplane.api import caller
from sentienguard.controlplane.api.caller import Caller
from sentienguard.controlplane.centre import Centre
from sentienguard.model import access
from sentienguard.model.access import Permission, Role, User
from sentienguard.ports.session_store import READ_PREFIX
from tests.support import access_matrix, api_world
from tests.support.access_rules import RULES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
OPERATIONS = (
    "GET /api/v1/account",
    "GET /api/v1/break-glass",
    "POST /api/v1/break-glass",
    "POST /api/v1/approvals/{approval_id}/deny",
    "GET /api/v1/evidence",
    "DELETE /api/v1/freeze",
    "PUT /api/v1/freeze",
    "GET /api/v1/hosts",
    "GET /api/v1/hosts/{agent_id}",
    "GET /api/v1/incidents/{incident_id}",
    "POST /api/v1/users",
    "GET /api/v1/users",
)
WHO = (("observer", "staging"), ("administrator", "staging"), ("auditor", "*"), ("", "*"))


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with api_world.centre(tmp_path_factory.mktemp("planted")) as made:
        yield made


@pytest.fixture(scope="module")
def client(centre: Centre) -> Iterator[httpx.Client]:
    with api_world.client(centre) as made:
        yield made


def people(centre: Centre, client: httpx.Client) -> Any:
    return access_matrix.wrong_for_people(centre, client, OPERATIONS, WHO)[0]


def tokens(centre: Centre, client: httpx.Client) -> Any:
    return access_matrix.opened_without_a_valid_token(centre, client, OPERATIONS)


def machines(centre: Centre, client: httpx.Client) -> Any:
    return access_matrix.wrong_for_a_machine(centre, client, OPERATIONS)


def over(centre: Centre, client: httpx.Client) -> Any:
    return access_matrix.opened_by_a_role_that_is_over(centre, client, OPERATIONS)


def without(statement: str, part: str) -> Any:
    """Return a statement of the sessions without one of its conditions."""
    said = str(getattr(sessions, statement))
    assert part in said, f"{statement} has no {part!r} any more: plant this bug anew"
    return text(said.replace(part, ""))


def machine_is_administrator(centre: Centre, token: str, now: Any) -> Any:
    if not token.startswith(READ_PREFIX):
        return centre.sessions.by_access(token, at=now)
    made = centre.sessions.by_read_token(token, at=now)
    return User(f"token:{made.name}", {made.environment: Role.ADMINISTRATOR}), None


def machine_sees_every_place(centre: Centre, token: str, now: Any) -> Any:
    if not token.startswith(READ_PREFIX):
        return centre.sessions.by_access(token, at=now)
    made = centre.sessions.by_read_token(token, at=now)
    return User(f"token:{made.name}", {"*": Role.OBSERVER}), None


BUGS: dict[str, tuple[Any, str, Any, Callable[[Centre, httpx.Client], Any]]] = {
    "what is allowed somewhere is allowed here": (
        Caller, "may", lambda me, what, where: any(
            me.user.may(what, one, me.at) for one in me.centre.environments), people),
    "whoever has any role may": (
        Caller, "may", lambda me, what, where: me.role_in(where) is not None, people),
    "nobody looks at the thing's environment": (
        Caller, "require", lambda *_, **__: None, people),
    "the route asks for nothing": (
        Caller, "may_anywhere", lambda *_: True, people),
    "somewhere is everywhere": (
        Caller, "may_everywhere", lambda me, what: me.may_anywhere(what), people),
    "everybody may break glass": (
        Caller, "_may_as_the_owner_says", lambda *_: True, people),
    "observers may freeze": (
        access, "GRANTS",
        {**access.GRANTS, Role.OBSERVER: frozenset({Permission.VIEW, Permission.FREEZE})}, people),
    "administrators may not": (
        access, "GRANTS", {**access.GRANTS, Role.ADMINISTRATOR: frozenset({Permission.VIEW})},
        people),
    "a role never ends": (
        User, "role_in", lambda me, where, at: me.roles.get(where, me.roles.get("*")), over),
    "a login that was ended goes on": (
        sessions, "BY_ACCESS", without("BY_ACCESS", "AND logins.ended_us IS NULL"), tokens),
    "a token is good for ever": (
        sessions, "BY_ACCESS", without(
            "BY_ACCESS", "AND login_tokens.expires_us > :at_us AND logins.ends_us > :at_us"),
        tokens),
    "a machine is an administrator": (caller, "_known", machine_is_administrator, machines),
    "a machine sees every place": (caller, "_known", machine_sees_every_place, machines),
}  # fmt: skip


@pytest.mark.parametrize("finds", [people, tokens, machines, over], ids=lambda one: one.__name__)
def test_without_a_bug_nothing_is_found(finds: Any, centre: Centre, client: httpx.Client) -> None:
    assert set(OPERATIONS) <= set(RULES)
    assert finds(centre, client) == []


@pytest.mark.parametrize("bug", BUGS)
def test_the_matrix_finds(
    bug: str, centre: Centre, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name, instead, finds = BUGS[bug]
    monkeypatch.setattr(place, name, instead)
    assert finds(centre, client) != []
