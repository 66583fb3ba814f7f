"""People are pseudonyms in the log, names to whoever may read it, and forgotten on request."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from sentienguard.controlplane.centre import Centre
from sentienguard.model.access import Role
from sentienguard.ports.audit_log import BlobRef
from sentienguard.trust import pseudonym
from tests.support import access_matrix, accounts, api_world, centre_process, nameless
from tests.support.access_rules import RULES
from tests.support.api_world import PLACES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
QUIST, ADA = "Zebulon.Quist@example.org", "ada@example.org"
PASSWORD = centre_process.PASSWORD


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def centre(data: Path) -> Iterator[Centre]:
    with api_world.centre(data) as made:
        for name in (QUIST, ADA):
            accounts.add(made.users, name, PASSWORD, {"*": Role.ADMINISTRATOR})
        yield made


@pytest.fixture
def client(centre: Centre) -> Iterator[httpx.Client]:
    with api_world.client(centre) as made:
        yield made


def ask(client: httpx.Client, bearer: str, method: str, path: str, body: Any = None) -> Any:
    answer = client.request(
        method, f"/api/v1{path}", json=body, headers={"Authorization": f"Bearer {bearer}"}
    )
    assert answer.status_code < 300, (path, answer.text)
    return answer.json()


def do_everything(centre: Centre, client: httpx.Client, name: str) -> str:
    """Ask each operation that changes something as this person; return a token of theirs."""
    bearer = api_world.token(centre, name)
    for operation, place in itertools.product(RULES, PLACES):
        if operation.startswith("GET") or RULES[operation].where == "public":
            continue
        access_matrix.call(client, operation, bearer, place)
        if "log" in operation:  # it may have ended the login that asked
            bearer = api_world.token(centre, name)
    return bearer


def act(client: httpx.Client, bearer: str) -> str:
    """Do what leaves a name in many places; return the incident."""
    incident = ask(client, bearer, "GET", "/incidents")["items"][0]["id"]
    ask(client, bearer, "POST", f"/incidents/{incident}/acknowledge", {"note": "mine"})
    ask(client, bearer, "POST", f"/incidents/{incident}/assign", {"to": QUIST})
    ask(client, bearer, "POST", f"/incidents/{incident}/notes",
        {"text": f"ask {QUIST}, not Zebulon"})  # fmt: skip
    ask(client, bearer, "PUT", "/freeze", {"reason": f"{QUIST} looks at it"})
    return str(incident)


def test_no_name_reaches_the_log_whatever_somebody_does(
    centre: Centre, client: httpx.Client
) -> None:
    do_everything(centre, client, QUIST)
    act(client, api_world.token(centre, QUIST))
    assert client.post("/api/v1/auth/login", json={
        "name": QUIST, "password": "a wrong password"}).status_code == 401  # fmt: skip
    assert client.post("/api/v1/auth/login", json={
        "name": QUIST, "password": PASSWORD}).status_code == 200  # fmt: skip
    entries = centre.log.entries(0, centre.log.size())
    mine = [one for one in entries if one.fields["actor"] == QUIST]
    kinds = {one.fields["kind"] for one in mine}
    assert len(kinds) >= 15, sorted(kinds)
    assert {"user.login", "access.denied", "incident.noted", "freeze.set"} <= kinds
    assert nameless.in_log(centre) == []
    assert all(QUIST.encode() not in one.stored for one in entries)
    stands_for = centre.people.known()[QUIST].encode()
    assert all(stands_for in one.stored for one in mine)
    assert centre.verify_log().passed


def test_whoever_may_read_the_log_reads_names(centre: Centre, client: httpx.Client) -> None:
    bearer = api_world.token(centre, ADA)
    incident = act(client, bearer)
    page = ask(client, bearer, "GET", f"/audit/entries?actor={ADA}&kind=incident")["items"]
    assert {one["kind"] for one in page} >= {"incident.assigned", "incident.noted"}
    assert next(one for one in page if one["kind"] == "incident.assigned")["data"]["to"] == QUIST
    story = ask(client, bearer, "GET", f"/incidents/{incident}")["timeline"]
    assert any(one["data"].get("text") == f"ask {QUIST}, not Zebulon" for one in story)
    # What is proven is what is stored.
    proof = ask(client, bearer, "GET", f"/audit/proof/{page[0]['index']}")
    assert ADA not in proof["leaf"]
    assert centre.people.known()[ADA] in proof["leaf"]


def test_a_name_that_is_nobodys_is_kept_as_a_hash(centre: Centre, client: httpx.Client) -> None:
    for name in ("correct horse battery", "ada@example.com"):  # a password, a slip
        client.post("/api/v1/auth/login", json={"name": name, "password": "x" * 12})
    bearer = api_world.token(centre, ADA)
    denied = ask(client, bearer, "GET", "/audit/entries?kind=access.denied")["items"]
    assert all(one["actor"].startswith("stranger_") for one in denied[:2])
    stored = b"".join(one.stored for one in centre.log.entries(0, centre.log.size()))
    assert b"horse" not in stored
    assert b"ada@example.com" not in stored
    # Who has the name finds it.
    found = ask(client, bearer, "GET", "/audit/entries?actor=ada@example.com")["items"]
    assert [one["actor"] for one in found] == [denied[0]["actor"]]
    who = ask(client, bearer, "GET", "/people/ada@example.com")
    assert (who["name"], who["as_stranger"]) == ("", denied[0]["actor"])


def test_somebody_is_forgotten_and_the_log_still_holds(
    centre: Centre, client: httpx.Client, data: Path
) -> None:
    theirs = do_everything(centre, client, QUIST)
    theirs = api_world.token(centre, QUIST)
    act(client, theirs)
    mine = api_world.token(centre, ADA)
    stands_for = ask(client, mine, "GET", f"/people/{QUIST}")["pseudonym"]
    assert ask(client, mine, "GET", f"/people/{stands_for}")["name"] == QUIST
    done = ask(client, mine, "POST", f"/users/{QUIST}/erase", {"reason": f"request 17 of {QUIST}"})
    assert done["pseudonym"] == stands_for
    assert done["changed"] >= 5
    # Their login is over, their name opens nothing, their deeds stay, without a name.
    refused = client.get("/api/v1/account", headers={"Authorization": f"Bearer {theirs}"})
    assert refused.status_code == 401
    again = client.post("/api/v1/auth/login", json={"name": QUIST, "password": PASSWORD})
    assert again.status_code == 401
    noted = ask(client, mine, "GET", "/audit/entries?kind=incident.noted")["items"][0]
    assert noted["data"]["text"] == f"ask {stands_for}, not Zebulon"
    erased = ask(client, mine, "GET", "/audit/entries?kind=user.erased")["items"][0]
    assert (erased["actor"], erased["data"]["user"]) == (ADA, stands_for)
    assert erased["data"]["reason"] == f"request 17 of {stands_for}"
    assert ask(client, mine, "GET", f"/people/{stands_for}")["name"] == ""
    report = centre.verify_log()
    assert report.passed, [one for one in report.checks if not one.passed]
    assert nameless.in_files(data, QUIST) == []


def test_nobody_is_erased_by_themselves_twice_or_without_the_right(
    centre: Centre, client: httpx.Client
) -> None:
    mine = api_world.token(centre, ADA)

    def status(bearer: str, name: str, body: Any = None) -> int:
        headers = {"Authorization": f"Bearer {bearer}"}
        body = {"reason": "x"} if body is None else body
        return client.post(f"/api/v1/users/{name}/erase", json=body, headers=headers).status_code

    assert status(mine, ADA) == 422
    assert status(mine, ADA.upper()) in {404, 422}
    assert status(mine, "nobody-here") == 404
    assert status(mine, QUIST, {}) == 422  # no reason
    assert status(mine, "sentienguard") == 404
    for role, place in itertools.product(("observer", "remediation_authority", "auditor"), "s*"):
        name = api_world.person(role, place.replace("s", "staging"))
        assert status(api_world.token(centre, name), QUIST) == 403
    partly = api_world.token(centre, api_world.person("administrator", "staging"))
    assert status(partly, QUIST) == 403
    assert QUIST in centre.people.known()
    assert status(mine, QUIST) == 200
    assert status(mine, QUIST) == 404


def test_a_content_is_erased_once_its_incident_is_over(
    centre: Centre, client: httpx.Client
) -> None:
    mine = api_world.token(centre, ADA)
    blob = centre.audit.append_blob(b"an output with what it should not hold", "text/plain")
    incident = ask(client, mine, "GET", "/incidents")["items"][0]["id"]
    entry = centre.audit.append(
        kind="incident.closed", env="staging", incident=incident, data={}, blobs=[blob]
    )
    place = f"/api/v1/audit/entries/{entry.index}/blobs/"
    headers = {"Authorization": f"Bearer {mine}"}

    def erase(digest: str, index: int = entry.index) -> httpx.Response:
        path = place.replace(str(entry.index), str(index)) + f"{digest}/erase"
        return client.post(path, json={"reason": "request 18"}, headers=headers)

    assert erase("0" * 64).status_code == 422
    assert erase(blob.sha256, 0).status_code == 422  # another entry
    assert erase(blob.sha256, 10**9).status_code == 404
    open_ = erase(blob.sha256)
    assert (open_.status_code, "not over" in open_.text) == (422, True)
    lost = BlobRef("1" * 64, 7, "text/plain")
    free = centre.audit.append(kind="log.started", env="", data={}, blobs=[blob, lost])

    def contents() -> list[dict[str, Any]]:
        found = ask(client, mine, "GET", f"/audit/proof/{free.index}")["contents"]
        return cast("list[dict[str, Any]]", found)

    kept, missing = contents()
    assert kept == {"sha256": blob.sha256, "type": "text/plain", "length": 38, "state": "kept"}
    assert (missing["sha256"], missing["state"]) == (lost.sha256, "missing")
    assert erase(blob.sha256, free.index).status_code == 200
    assert [one["state"] for one in contents()] == ["erased", "missing"]
    with pytest.raises(Exception, match="erased"):
        centre.log.get_blob(blob.sha256)
    assert centre.verify_log().passed
    told = ask(client, mine, "GET", "/audit/entries?kind=blob.erased")["items"][0]
    assert (told["data"]["entry"], told["data"]["sha256"]) == (free.index, blob.sha256)


def test_a_pseudonym_of_another_kind_is_not_taken_for_a_name(
    centre: Centre, client: httpx.Client
) -> None:
    """Who writes somebody's pseudonym into a note is shown the name, and changes nothing."""
    mine = api_world.token(centre, ADA)
    theirs = centre.people.known()[QUIST]
    incident = ask(client, mine, "GET", "/incidents")["items"][0]["id"]
    said = f"{theirs} {theirs}x person_{'0' * 32}"
    ask(client, mine, "POST", f"/incidents/{incident}/notes", {"text": said})
    noted = ask(client, mine, "GET", "/audit/entries?kind=incident.noted")["items"][0]
    assert noted["actor"] == ADA
    assert noted["data"]["text"] == f"{QUIST} {theirs}x person_{'0' * 32}"
    assert pseudonym.PATTERN.fullmatch(theirs)
