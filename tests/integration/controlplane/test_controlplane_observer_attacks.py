"""What somebody learns who may look at one environment and tries to look at another."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from sentienguard.controlplane import refusals
from sentienguard.controlplane.api import audit
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.refusals import MOST_RECORDED
from sentienguard.model import ids
from tests.contract import stores_nouns as nouns
from tests.support import api_world
from tests.support.access_rules import RULES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
SECRET = "the-ledger-of-customers-is-corrupt"
HIDDEN = 5


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with api_world.centre(tmp_path_factory.mktemp("observer")) as made:
        for number in range(10, 10 + HIDDEN):
            found = nouns.incident(number, host="host-in-production", subject=f"/{number}")
            agent = nouns.agent(2).id
            made.incidents.open(
                replace(found, agent=agent, environment="production", summary=SECRET)
            )
        yield made


@pytest.fixture(scope="module")
def observer(centre: Centre) -> Iterator[httpx.Client]:
    with api_world.client(centre) as client:
        bearer = api_world.token(centre, api_world.person("observer", "staging"))
        client.headers["authorization"] = f"Bearer {bearer}"
        yield client


@pytest.mark.parametrize("guess", [
    {"text": SECRET}, {"text": "the-ledger"}, {"host": "host-in-production"},
    {"environment": "production"}, {"status": "OPEN", "text": SECRET},
    {"host": "host-in-production", "text": "corrupt"},
])  # fmt: skip
def test_a_search_tells_nothing_of_what_may_not_be_seen(
    observer: httpx.Client, guess: dict[str, str]
) -> None:
    """The next page's mark would say yes or no to any guess, one letter after the other."""
    for limit in range(1, HIDDEN + 1):
        answer = observer.get("/api/v1/incidents", params={**guess, "limit": limit})
        assert answer.json() == {"items": [], "next_cursor": None}


def test_pages_end_at_what_may_be_seen(observer: httpx.Client) -> None:
    cursor, found = None, []
    while True:
        query = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        page = observer.get("/api/v1/incidents", params=query).json()
        found += page["items"]
        assert len(page["items"]) == 1, "a page of nothing tells that there is something else"
        cursor = page["next_cursor"]
        if cursor is None:
            break
        told = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        assert told.split(" ")[1] == found[-1]["id"]
    assert {one["environment"] for one in found} == {"staging"}


def test_the_newest_incident_is_the_newest_of_theirs(observer: httpx.Client) -> None:
    answer = observer.post("/api/v1/ask", json={"text": "what happened?"}).json()
    assert SECRET not in str(answer)
    assert "there is no incident" not in str(answer), "others' incidents hide none of theirs"


READS = [one for one in RULES if one.startswith("GET ") and "{" not in one and "live" not in one]


@pytest.mark.parametrize("operation", READS)
def test_nothing_that_is_read_names_it(observer: httpx.Client, operation: str) -> None:
    rule = RULES[operation]
    queries = [rule.query or {}, {**(rule.query or {}), "environment": "production"}]
    for query in [*queries, {**(rule.query or {}), "host": "host-in-production"}]:
        text = observer.get(operation.partition(" ")[2], params=query).text
        for secret in (SECRET, "host-in-production", nouns.incident(10).id, nouns.agent(2).id):
            assert secret not in text.replace(str(query), ""), (operation, query)


THINGS = [one for one, rule in RULES.items() if rule.where == "thing" and "{" in one]


@pytest.mark.parametrize("operation", THINGS)
def test_what_may_not_be_seen_answers_like_what_is_not_there(
    observer: httpx.Client, operation: str
) -> None:
    """Whoever guesses names learns from no answer that a guess was right."""
    told = []
    for names in (hidden(), {name: f"{one[:-3]}000" for name, one in hidden().items()}):
        method, path = operation.split(" ")
        for name, value in names.items():
            path = path.replace(f"{{{name}}}", value)
        body = json.dumps(RULES[operation].body).replace("{environment}", "staging")
        answer = observer.request(
            method, path, params=RULES[operation].query, json=json.loads(body)
        )
        said = answer.json()
        for value in names.values():
            said["detail"] = said["detail"].replace(value, "IT")
        told.append((answer.status_code, said["type"], said["detail"]))
    assert told[0] == told[1]


def hidden() -> dict[str, str]:
    incident = nouns.incident(2).id
    return {
        "incident_id": incident,
        "approval_id": ids.approval_id(incident, nouns.DIGEST),
        "agent_id": nouns.agent(2).id,
        "emergency_id": "brk_production",
        "window_id": "silence-production",
        "name": api_world.PLAYBOOK,
    }


def test_who_verifies_again_and_again_leaves_others_their_threads(
    observer: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_VERIFYING", threading.BoundedSemaphore(2))
    with audit._VERIFYING, audit._VERIFYING:
        answer = observer.post("/api/v1/audit/verify")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert observer.get("/api/v1/incidents").status_code == 200
    assert observer.post("/api/v1/audit/verify").status_code == 200


def test_a_flood_of_what_a_role_does_not_include_fills_no_log(
    centre: Centre, observer: httpx.Client
) -> None:
    before = centre.log.size(), centre.counters.get("access_denied_total")
    sent = 2 * MOST_RECORDED + 60  # in more than one minute, should the clock turn meanwhile
    for _ in range(sent):
        answer = observer.put("/api/v1/freeze", json={"reason": "x"})
        assert answer.status_code == 403
    assert centre.counters.get("access_denied_total") - before[1] == sent
    assert centre.log.size() - before[0] <= 2 * MOST_RECORDED


@pytest.mark.parametrize(("label", "asked"), [
    ("", ("PUT", "/api/v1/freeze", {"reason": "x"})),
    ("login", ("POST", "/api/v1/auth/login", {"name": "nobody", "password": "x"})),
    ("password", ("POST", "/api/v1/account/totp", {"password": "x"})),
])  # fmt: skip
def test_a_refusal_beyond_ones_share_is_counted_and_adds_nothing_to_the_log(
    centre: Centre,
    observer: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    label: str,
    asked: tuple[str, str, dict[str, str]],
) -> None:
    method, path, body = asked
    counted, size = centre.counters.get("access_denied_total", label), centre.log.size()
    for most, recorded in ((1 << 30, 1), (0, 1)):
        monkeypatch.setattr(refusals, "MOST_RECORDED", most)
        assert observer.request(method, path, json=body).status_code in {401, 403}
        assert centre.log.size() == size + recorded
    assert centre.counters.get("access_denied_total", label) == counted + 2
