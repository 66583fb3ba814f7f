"""A playbook from its draft to a signed version in force, over HTTP, and every way around it.

A real control plane as a process; the signer's key lies outside of its directory, as it should.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentienguard.controlplane import draft_desk, evaluation
from sentienguard.model import ids
from sentienguard.trust import bundle as bundles
from sentienguard.trust import catalogue, dsse, keys
from tests.support import centre_process
from tests.support.centre_process import PASSWORD, PLAYBOOKS, Centre

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
NAME, OTHER = "disk_cleanup_rotated_logs", "certificate_renew"
DRAFTS = "/api/v1/playbook-drafts"
OUTSIDE = Path("/etc/passwd")


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("drafts")) as running:
        yield running


@pytest.fixture(scope="module")
def admin(centre: Centre) -> httpx.Client:
    return centre.login("admin@local")


@pytest.fixture(scope="module")
def signer(centre: Centre) -> keys.SigningKey:
    return keys.SigningKey.from_pem((centre.data / "offline-keys/signer.pem").read_bytes())


def versions(admin: httpx.Client, name: str = NAME) -> list[dict[str, Any]]:
    return list(admin.get(f"/api/v1/playbooks/{name}/versions").json()["items"])


def in_force(admin: httpx.Client, name: str = NAME) -> dict[str, Any]:
    return next(one for one in versions(admin, name) if one["in_force"])


def begun(admin: httpx.Client, name: str = NAME) -> dict[str, Any]:
    body = {"name": name, "digest": in_force(admin, name)["digest"]}
    answer = admin.post(DRAFTS, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def put(admin: httpx.Client, draft: dict[str, Any], yaml: str, case: str | None = None) -> Any:
    found = admin.get(f"{DRAFTS}/{draft['id']}").json()
    body = {"yaml": yaml, "case": found["case"] if case is None else case,
            "revision": found["revision"]}  # fmt: skip
    return admin.put(f"{DRAFTS}/{draft['id']}", json=body)


def raised(admin: httpx.Client, draft: dict[str, Any]) -> dict[str, Any]:
    """Give a draft the next version, and nothing else."""
    major, minor, patch = draft["version"].split(".")
    text = draft["yaml"].replace(draft["version"], f"{major}.{minor}.{int(patch) + 1}", 1)
    answer = put(admin, draft, text)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def unsigned(admin: httpx.Client, draft: dict[str, Any]) -> bundles.Bundle:
    answer = admin.get(f"{DRAFTS}/{draft['id']}/unsigned")
    assert answer.status_code == 200, answer.text
    return bundles.read(answer.content)


def handed(admin: httpx.Client, draft: dict[str, Any], bundle: bundles.Bundle) -> httpx.Response:
    content = bundles.write(bundle)
    headers = {"Content-Type": "application/json"}
    return admin.post(f"{DRAFTS}/{draft['id']}/signed", content=content, headers=headers)


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 90
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found
    return found


def kinds_of(admin: httpx.Client, draft: str) -> list[dict[str, Any]]:
    found = admin.get("/api/v1/audit/entries", params={"limit": 100}).json()["items"]
    mine = [one for one in found if one["kind"].startswith("playbook.")]
    return [one for one in mine if one["data"].get("draft") == draft]


def test_a_draft_becomes_a_version_in_force_only_with_the_signers_signature(
    centre: Centre, admin: httpx.Client, signer: keys.SigningKey
) -> None:
    before = in_force(admin)
    draft = raised(admin, begun(admin))
    assert (draft["signable"], draft["errors"]) == (True, 0)
    assert draft["current"]["yaml"] == before["yaml"]
    assert in_force(admin)["version"] == before["version"], "a draft is no playbook"
    # The pretended host, in a child of the control plane.
    asked = admin.post(f"{DRAFTS}/{draft['id']}/proof")
    assert asked.status_code == 202, asked.text
    tried = until(lambda: admin.get(f"{DRAFTS}/{draft['id']}").json()["proof"])
    assert (tried["failed"], tried["by"]) == (0, "admin@local"), tried
    assert tried["held"] == len(tried["lines"]) > 5
    assert {"heals", "twice", "dry run"} <= {one["name"] for one in tried["lines"]}
    # Out without signatures, and refused like that; back with them, and in force at once.
    bundle = unsigned(admin, draft)
    refused = handed(admin, draft, bundle)
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (422, "not-trusted")
    assert in_force(admin)["version"] == before["version"]
    signed, done = bundles.sign(bundle, signer)
    assert signed.catalogue is not None
    number = catalogue.claimed(signed.catalogue).version
    assert done == (f"catalogue {number}",)
    taken = handed(admin, draft, signed)
    assert taken.status_code == 200, taken.text
    said = taken.json()
    assert (said["in_force"], said["holds_draft"]) == (True, True), said
    assert said["signed_by"] == [signer.id]
    assert said["added"] == [f"{NAME} {draft['version']}"]
    assert said["draft"]["state"] == "taken_over"
    now = in_force(admin)
    assert (now["version"], now["digest"]) == (draft["version"], draft["digest"])
    assert [one["held"] for one in now["tried"]] == [tried["held"]]
    assert [one["version"] for one in versions(admin)] == [now["version"], before["version"]]
    assert admin.get(f"/api/v1/playbooks/{NAME}").json()["version"] == draft["version"]
    # Hosts are given the new catalogue, and the record has all of it, by its digests.
    host = centre.enrol("web-drafts")
    config = host.client.get("/api/v1/config").json()
    assert catalogue.claimed(config["catalogue"]).version == number
    assert draft["digest"] in config["playbooks"]
    # What is decided from now on is about the new version, without a restart.
    wanted = {"host": host.agent, "parameters": {"mount": "/"}, "dry_run": True}
    asked = admin.post(f"/api/v1/playbooks/{NAME}/runs", json=wanted)
    assert asked.status_code == 201, asked.text
    story = f"/api/v1/incidents/{asked.json()['id']}"
    decision = until(lambda: admin.get(story).json()["decision"])
    assert (decision["version"], decision["digest"]) == (draft["version"], draft["digest"])
    told = kinds_of(admin, draft["id"])
    assert {one["kind"].partition(".")[2] for one in told} == {
        "draft_made", "draft_changed", "draft_proven", "taken_over",
    }  # fmt: skip
    assert {one["actor"] for one in told} == {"admin@local"}
    assert draft["yaml"][:200] not in json.dumps(told)
    # It is over: nothing changes it, and the same file again is refused.
    assert put(admin, draft, "name: x").status_code == 409
    assert handed(admin, draft, signed).status_code == 409
    assert admin.delete(f"{DRAFTS}/{draft['id']}").status_code == 409


def test_after_a_restart_and_after_up_signed_again_the_version_is_still_in_force(
    tmp_path: Path,
) -> None:
    with centre_process.running(tmp_path) as centre:
        admin = centre.login("admin@local")
        signer = keys.SigningKey.from_pem((tmp_path / "offline-keys/signer.pem").read_bytes())
        draft = raised(admin, begun(admin))
        assert handed(admin, draft, bundles.sign(unsigned(admin, draft), signer)[0]).is_success
    bundled = {path.parent.name: path.read_bytes() for path in PLAYBOOKS.glob("*/playbook.yaml")}
    later = datetime.now(UTC) + timedelta(days=80)  # `up` signs again: ten days are left
    evaluation.prepare(tmp_path / "controlplane", tmp_path / "offline-keys", bundled, now=later)
    listed = json.loads((tmp_path / "controlplane/trust/catalogue.json").read_bytes())
    assert catalogue.claimed(listed).version == 3
    with centre_process.started(tmp_path) as centre:
        admin = centre.login("admin@local")
        assert in_force(admin)["digest"] == draft["digest"]
        assert len(versions(admin)) == 2


def test_what_is_listed_never_changes_under_its_version(admin: httpx.Client) -> None:
    draft = begun(admin, OTHER)
    assert not draft["signable"], "the same bytes are signed already"
    text = draft["yaml"].replace("description: >\n", "description: >\n  Another word.\n", 1)
    assert text != draft["yaml"]
    found = put(admin, draft, text).json()
    (wrong,) = [one for one in found["findings"] if one["level"] == "error"]
    assert wrong["rule"] == "version-taken"
    assert wrong["line"] == 2
    assert wrong["found"] == draft["version"]
    refused = admin.get(f"{DRAFTS}/{draft['id']}/unsigned")
    assert refused.status_code == 422
    assert "version-taken" in refused.json()["detail"]
    older = put(admin, draft, text.replace(draft["version"], "0.0.1", 1)).json()
    assert {one["rule"] for one in older["findings"] if one["level"] == "error"} == {
        "version-not-newer"
    }
    other = put(admin, draft, text.replace(OTHER, "another_name", 1)).json()
    assert "draft-name" in {one["rule"] for one in other["findings"]}
    assert admin.delete(f"{DRAFTS}/{draft['id']}").status_code == 204


def test_a_playbook_that_there_is_not_yet_begins_from_nothing(admin: httpx.Client) -> None:
    made = admin.post(DRAFTS, json={"name": "mine_from_nothing"})
    assert made.status_code == 201, made.text
    draft = made.json()
    assert not draft["signable"]
    assert (draft["current"], draft["case"]) == (None, "")
    assert all(one["line"] for one in draft["findings"] if one["rule"] == "language")
    no_host = admin.post(f"{DRAFTS}/{draft['id']}/proof")
    assert (no_host.status_code, "pretended host" in no_host.json()["detail"]) == (422, True)
    refused = admin.post(DRAFTS, json={"name": NAME})
    assert refused.status_code == 422, "it is listed: begin from a version"
    assert admin.get(f"/api/v1/playbooks/{draft['name']}").status_code == 404
    admin.delete(f"{DRAFTS}/{draft['id']}")


HOSTILE = {
    "alias bomb": "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nname: [*b, *b]\n",
    "deep nesting": "steps: " + "[" * 400 + "]" * 400,
    "a tag": "name: !!python/object/apply:os.system [id]",
    "a direction": "name: a\u202eb",
    "half of a document": "name: {",
    "two documents": "name: a\n---\nname: b\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_kept_as_text_and_named_by_line(admin: httpx.Client, text: str) -> None:
    draft = begun(admin, OTHER)
    found = put(admin, draft, text)
    assert found.status_code == 200, found.text
    body = found.json()
    assert not body["signable"]
    assert all(one["line"] >= 1 and one["expected"] and one["found"] for one in body["findings"])
    assert admin.get(f"{DRAFTS}/{draft['id']}/unsigned").status_code == 422
    assert admin.post(f"{DRAFTS}/{draft['id']}/proof").status_code == 422
    admin.delete(f"{DRAFTS}/{draft['id']}")


def test_no_more_findings_are_told_than_anybody_reads(admin: httpx.Client) -> None:
    draft = begun(admin, OTHER)
    # A text has 2,000 values at most.
    found = put(admin, draft, "needs: [" + "abc, " * 1_900 + "abc]\n").json()
    assert found["errors"] > 1_900
    assert len(found["findings"]) == 200
    admin.delete(f"{DRAFTS}/{draft['id']}")


def test_a_text_above_the_bound_is_refused(admin: httpx.Client) -> None:
    draft = begun(admin, OTHER)
    assert put(admin, draft, "x" * (draft_desk.MOST_TEXT_BYTES + 1)).status_code == 422
    assert put(admin, draft, "\u00e4" * draft_desk.MOST_TEXT_BYTES).status_code == 422, (
        "bytes, not letters"
    )
    assert put(admin, draft, "x" * (2 << 20)).status_code == 413
    again = admin.get(f"{DRAFTS}/{draft['id']}").json()
    assert (again["yaml"], again["revision"]) == (draft["yaml"], draft["revision"])
    admin.delete(f"{DRAFTS}/{draft['id']}")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "a.b", "", "A", "x" * 65, "a\n"])
def test_a_name_is_a_name_and_no_path(admin: httpx.Client, name: str) -> None:
    assert admin.post(DRAFTS, json={"name": name}).status_code == 422


@pytest.mark.parametrize("draft", ["drf_../../x", "%2e%2e%2f", "drf_none", "..%2fsigned"])
def test_an_id_is_an_id_and_no_path(admin: httpx.Client, draft: str) -> None:
    assert admin.get(f"{DRAFTS}/{draft}").status_code in {404, 422}
    assert admin.post(f"{DRAFTS}/{draft}/signed", content=b"{}").status_code in {404, 405, 422}


def test_a_name_in_the_text_leads_nowhere(admin: httpx.Client) -> None:
    draft = begun(admin, OTHER)
    found = put(admin, draft, draft["yaml"].replace(OTHER, "../../../../etc/passwd", 1)).json()
    assert not found["signable"]
    assert admin.get(f"{DRAFTS}/{draft['id']}/unsigned").status_code == 422
    admin.delete(f"{DRAFTS}/{draft['id']}")


def test_nobody_below_an_administrator_gets_near_a_draft(
    centre: Centre, admin: httpx.Client
) -> None:
    draft = begun(admin, OTHER)
    for role in ("observer", "remediation_authority"):
        admin.post(
            "/api/v1/users",
            json={"name": f"{role}@local", "password": PASSWORD, "roles": {"*": role}},
        ).raise_for_status()
        asked = centre.login(f"{role}@local")
        answers = [
            asked.get(DRAFTS),
            asked.post(DRAFTS, json={"name": "mine"}),
            asked.get(f"{DRAFTS}/{draft['id']}"),
            asked.put(f"{DRAFTS}/{draft['id']}", json={"yaml": "x", "case": "", "revision": 1}),
            asked.delete(f"{DRAFTS}/{draft['id']}"),
            asked.post(f"{DRAFTS}/{draft['id']}/proof"),
            asked.delete(f"{DRAFTS}/{draft['id']}/proof"),
            asked.get(f"{DRAFTS}/{draft['id']}/unsigned"),
            asked.post(f"{DRAFTS}/{draft['id']}/signed", content=b"{}"),
        ]
        assert {one.status_code for one in answers} == {403}
    # An administrator of one environment is none of the catalogue, which is for all of them.
    admin.post(
        "/api/v1/users",
        json={"name": "part@local", "password": PASSWORD, "roles": {"staging": "administrator"}},
    ).raise_for_status()
    assert centre.login("part@local").get(DRAFTS).status_code == 403
    assert admin.get(f"{DRAFTS}/{draft['id']}").json()["revision"] == draft["revision"]
    admin.delete(f"{DRAFTS}/{draft['id']}")


def test_a_stranger_s_signature_counts_for_nothing(admin: httpx.Client) -> None:
    draft = raised(admin, begun(admin, OTHER))
    bundle = unsigned(admin, draft)
    stranger = keys.SigningKey.generate()
    assert bundle.catalogue is not None
    forged = replace(bundle, catalogue=dsse.add_signature(bundle.catalogue, stranger))
    answer = handed(admin, draft, forged)
    assert answer.status_code == 422
    assert "0 signed it" in answer.json()["detail"]
    assert in_force(admin, OTHER)["version"] != draft["version"]
    assert admin.get(f"{DRAFTS}/{draft['id']}").json()["state"] == "open"
    assert not [one for one in kinds_of(admin, draft["id"]) if one["kind"] == "playbook.taken_over"]
    admin.delete(f"{DRAFTS}/{draft['id']}")


def test_a_file_of_another_content_is_taken_as_the_command_line_takes_it_and_says_so(
    admin: httpx.Client, signer: keys.SigningKey
) -> None:
    first, second = (raised(admin, begun(admin, OTHER)) for _ in range(2))
    changed = second["yaml"].replace("description: >\n", "description: >\n  Another word.\n", 1)
    second = put(admin, second, changed).json()
    signed = bundles.sign(unsigned(admin, first), signer)[0]
    late = bundles.sign(unsigned(admin, second), signer)[0]
    taken = handed(admin, second, signed).json()
    assert (taken["holds_draft"], taken["draft"]["state"]) == (False, "open")
    assert in_force(admin, OTHER)["digest"] == first["digest"]
    # The other one was made from what stood before: it has the same number and another content.
    refused = handed(admin, second, late)
    assert refused.status_code == 422
    assert "rule 3" in refused.json()["detail"]
    rules = {one["rule"] for one in admin.get(f"{DRAFTS}/{second['id']}").json()["findings"]}
    assert "version-taken" in rules
    for one in (first, second):
        admin.delete(f"{DRAFTS}/{one['id']}")


def test_bytes_that_were_exchanged_on_the_way_are_refused(
    admin: httpx.Client, signer: keys.SigningKey
) -> None:
    draft = raised(admin, begun(admin, OTHER))
    signed = bundles.sign(unsigned(admin, draft), signer)[0]
    told = json.loads(bundles.write(signed))
    evil = base64.b64encode(b"name: evil\n").decode()
    told["playbooks"][draft["digest"]] = evil
    answer = admin.post(f"{DRAFTS}/{draft['id']}/signed", json=told)
    assert answer.status_code == 422, answer.text
    told["playbooks"][str(ids.digest(b"name: evil\n"))] = evil
    del told["playbooks"][draft["digest"]]
    answer = admin.post(f"{DRAFTS}/{draft['id']}/signed", json=told)
    assert answer.status_code == 422, answer.text
    assert in_force(admin, OTHER)["digest"] != draft["digest"]
    admin.delete(f"{DRAFTS}/{draft['id']}")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"[" * 100_000, b'{"v":1}', b"\xff" * 64, b'{"v":1e999}'],
    ids=["nothing", "a list", "an object", "deep", "another form", "no text", "no number"],
)  # fmt: skip
def test_what_is_no_trust_file_is_refused(admin: httpx.Client, content: bytes) -> None:
    draft = begun(admin, OTHER)
    answer = admin.post(f"{DRAFTS}/{draft['id']}/signed", content=content)
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"].endswith("not-trusted")
    admin.delete(f"{DRAFTS}/{draft['id']}")


def test_two_people_do_not_overwrite_one_another(admin: httpx.Client) -> None:
    draft = begun(admin, OTHER)
    body = {"yaml": "name: a", "case": "", "revision": draft["revision"]}
    path = f"{DRAFTS}/{draft['id']}"
    assert admin.put(path, json=body).status_code == 200
    late = admin.put(path, json=body)
    assert late.status_code == 409
    assert "revision 2" in late.json()["detail"]
    admin.delete(path)


def test_a_proof_that_waits_or_runs_can_be_stopped(admin: httpx.Client) -> None:
    draft = begun(admin, OTHER)
    path = f"{DRAFTS}/{draft['id']}/proof"
    assert admin.delete(path).status_code == 404
    assert [admin.post(path).status_code for _ in range(2)] == [202, 202]
    assert admin.delete(path).status_code == 204
    run = until(
        lambda: one if (one := admin.get(f"{DRAFTS}/{draft['id']}").json()["run"])["ended_at"]
        else None
    )  # fmt: skip
    assert (run["state"], run["detail"]) == ("stopped", "stopped by admin@local")
    admin.delete(f"{DRAFTS}/{draft['id']}")


def test_a_case_that_asks_for_files_of_the_machine_gets_none(admin: httpx.Client) -> None:
    draft = begun(admin, OTHER)
    case = f"include: {OUTSIDE}\nhost: {{files: {{/etc/passwd: {OUTSIDE}}}}}\n"
    assert put(admin, draft, draft["yaml"], case).status_code == 200
    path = f"{DRAFTS}/{draft['id']}"
    admin.post(f"{path}/proof").raise_for_status()
    ended = until(lambda: one if (one := admin.get(path).json())["run"]["ended_at"] else None)
    assert ended["run"]["state"] == "failed"
    assert "root:" not in json.dumps(ended)
    admin.delete(path)


def test_every_shipped_version_says_what_is_known_of_it(admin: httpx.Client) -> None:
    for name in (NAME, OTHER):
        assert versions(admin, name)[-1]["shipped_case"]
