"""Ask an operation as somebody, and judge the answer by tests/support/access_rules.py.

Called by the access matrix, and by the test that plants bugs into what it watches over.
"""

import collections
import itertools
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from sentienguard.controlplane.centre import Centre
from sentienguard.model import ids
from sentienguard.model.access import Role
from sentienguard.ports.session_store import ReadToken
from tests.contract import stores_nouns as nouns
from tests.support import access_rules, accounts, centre_process
from tests.support.access_rules import RULES
from tests.support.api_world import GRANTED, PLACES, PLAYBOOK, ROLES, person, token

REFUSED = {401, 403, 404}
Found = list[tuple[Any, ...]]  # the operation first


def call(client: httpx.Client, operation: str, token: str, thing: str) -> tuple[int, str]:
    method, path = operation.split(" ")
    rule = RULES[operation]
    number = PLACES.index(thing) + 1
    incident = nouns.incident(number).id
    values = {
        "incident_id": incident,
        "approval_id": ids.approval_id(incident, nouns.DIGEST),
        "agent_id": nouns.agent(number).id,
        "emergency_id": f"brk_{thing}",
        "window_id": f"{'maintenance' if 'maintenance' in path else 'silence'}-{thing}",
        "name": PLAYBOOK if "playbooks" in path else "victim@local",
        "index": "0",
        "sha256": "0" * 64,
        "who": "victim@local",
    }
    place = path
    for name in ("factor_id", "login_id", "token_id", "package_id"):
        values[name] = "none"
    values |= {"backtest_id": "btt_none", "run_id": "drl_none", "draft_id": "drf_none"}
    if path.endswith("/erase"):
        values["name"] = "erased@local"
    if "drills" in path:
        values["name"] = "no-such-drill"
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


def wrong_for_people(
    centre: Centre,
    client: httpx.Client,
    operations: Iterable[str] = tuple(RULES),
    people: Iterable[tuple[str, str]] = tuple(itertools.product(ROLES, GRANTED)),
) -> tuple[Found, "collections.Counter[str]"]:
    """Return what a role opens or closes against its rule, and how often which answer came."""
    wrong: Found = []
    seen = collections.Counter[str]()
    for role, granted in people:
        name = person(role, granted)
        bearer = token(centre, name)
        for operation, thing in itertools.product(operations, PLACES):
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
    return wrong, seen


def opened_without_a_valid_token(
    centre: Centre, client: httpx.Client, operations: Iterable[str] = tuple(RULES)
) -> Found:
    """Return what a missing, expired or revoked token opens."""
    opened: Found = []
    for role, granted in (("administrator", "*"), ("observer", "staging"), ("auditor", "*")):
        for state in ("none", "expired", "revoked"):
            bearer = token(centre, person(role, granted), state)
            opened += [
                (operation, role, state)
                for operation in operations
                if RULES[operation].where != "public"
                and call(client, operation, bearer, "staging")[0] != 401
            ]
    return opened


def wrong_for_a_machine(
    centre: Centre, client: httpx.Client, operations: Iterable[str] = tuple(RULES)
) -> Found:
    """Return what a token that reads one environment opens or closes against its rule."""
    now = centre.clock.now()
    secret = f"sgr_{centre.entropy.bytes(8).hex()}"
    made = ReadToken(f"rot_{secret[4:]}", "x", "staging", "x", now, now + timedelta(days=1))
    centre.sessions.add_read_token(made, secret)
    wrong: Found = []
    for operation, thing in itertools.product(operations, PLACES):
        rule = RULES[operation]
        if rule.where == "public" or operation == "GET /api/v1/live":
            continue
        may = rule.where != "own" and access_rules.allows(rule, "observer", "staging", thing)
        status, text = call(client, operation, secret, thing)
        leaks = "host-in-production" in text and status < 300
        if leaks or (status in {401, 403} if may else status not in REFUSED):
            wrong.append((operation, thing, status))
    return wrong


def opened_by_a_role_that_is_over(
    centre: Centre, client: httpx.Client, operations: Iterable[str] = tuple(RULES)
) -> Found:
    """Return what somebody opens whose role ended a second ago."""
    over = {"*": datetime.now(UTC) - timedelta(seconds=1)}
    known = {one.name for one in centre.users.list()}
    opened: Found = []
    for role in Role:
        name = f"over.{role.value}@local"
        if name not in known:
            accounts.add(centre.users, name, centre_process.PASSWORD, {"*": role}, over)
        bearer = token(centre, name)
        opened += [
            (operation, role.value)
            for operation in operations
            if RULES[operation].where not in {"public", "own", "anybody"}
            and call(client, operation, bearer, "staging")[0] not in REFUSED
        ]
    return opened
