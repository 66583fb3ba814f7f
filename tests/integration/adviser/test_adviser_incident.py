"""A real control plane asks a server that speaks the real protocol, and goes on whatever comes."""

import itertools
import json
import time

import pytest

from tests.servers import language_model as model
from tests.support import centre_process

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]  # two control planes start
FULL = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/"): 98.0}
LIMIT_S = 1.5
SHADOW = "DRY_RUN"  # the route of a playbook without any record, here of all of them
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server():
    with model.running() as made:
        yield made


@pytest.fixture(scope="module", params=["restrict", "shown"])
def centre(request, tmp_path_factory, server):
    place = tmp_path_factory.mktemp("adviser")
    key = place / "key"
    key.write_text(f"{model.KEY}\n")
    with centre_process.running(
        place / "data",
        adviser="anthropic" if request.param == "restrict" else "compatible",
        adviser_url=server.url,
        adviser_model="test",
        adviser_key_file=str(key),
        adviser_streams='"yes"' if request.param == "restrict" else '"no"',
        adviser_may=request.param,
        adviser_limit_s=str(LIMIT_S),
        fleet_budget_per_hour="1000",
    ) as running:
        running.may = request.param
        yield running


def until(asked, wanted):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (found := wanted(asked())) is not None:
            return found
        time.sleep(0.05)
    raise AssertionError("nothing came within 30 s")


def told(centre, server, act):
    """Let a disk run full while the model does this; return the story with its advice."""
    server.plan = [act]
    host = f"web-{next(NUMBERS)}"
    centre.enrol(host, "drill").push(FULL)
    admin = centre.login("admin@local")
    item = until(
        lambda: admin.get("/api/v1/incidents", params={"host": host}).json()["items"],
        lambda items: items[0] if items else None,
    )
    path = f"/api/v1/incidents/{item['id']}"
    decided = until(lambda: admin.get(path).json(), lambda one: one if one["decision"] else None)
    story = until(lambda: admin.get(path).json(), lambda one: one if one["advice"] else None)
    return admin, path, decided, story


def hangs(handler, wanted):
    time.sleep(2 * LIMIT_S)
    handler.close_connection = True


def test_disagreement_is_a_verdict_where_it_may_restrict_and_is_kept_exactly(centre, server):
    admin, path, _, story = told(centre, server, model.opinion("none_of_these"))
    said = story["advice"]
    assert (said["given"], said["choice"], said["hypothesis"]) == (
        True, None, model.WHY["hypothesis"],
    )  # fmt: skip
    verdicts = {one["rule"]: one for one in story["decision"]["verdicts"]}
    if centre.may == "restrict":
        assert verdicts["advice"]["route"] == "ASK"
        assert said["standing"].startswith("An opinion; it can only restrict")
    else:
        assert "advice" not in verdicts
        assert said["standing"] == "An opinion; it decided nothing."
    in_full = admin.get(f"{path}/advice").json()
    [exchange] = in_full["exchanges"]
    assert exchange["sent"].encode() == server.seen[-1][2]
    assert exchange["heard"].startswith(("event: message_start", '{"id": "chatcmpl-1"'))
    assert model.KEY not in json.dumps(in_full)
    assert admin.get(f"{path}/replay").json()["identical"]
    kinds = [one["kind"] for one in story["timeline"]]
    assert kinds.count("advice.given") == 1
    before = kinds.index("advice.given") < kinds.index("decision.made")
    assert before == (centre.may == "restrict")


def test_agreement_changes_nothing(centre, server):
    first = told(centre, server, model.opinion("none_of_these"))[3]["decision"]["playbook"]
    _, _, _, story = told(centre, server, model.opinion(first))
    assert story["decision"]["route"] == SHADOW
    assert story["advice"]["choice"] == first


@pytest.mark.parametrize(
    ("act", "because"),
    [
        (hangs, "within"),
        (model.opinion("rm -rf /"), "not offered"),
    ],
    ids=["hangs", "names what is not there"],
)
def test_whatever_it_does_the_incident_goes_on_and_the_reason_is_told(centre, server, act, because):
    began = time.monotonic()
    admin, path, decided, story = told(centre, server, act)
    assert because in story["advice"]["absent"], story["advice"]
    assert decided["decision"]["route"] == SHADOW
    assert story["advice"]["given"] is False
    assert time.monotonic() - began < LIMIT_S + 10
    assert admin.get(f"{path}/replay").json()["identical"]


def test_a_question_that_no_template_is_for_is_answered_in_sentences_of_the_record(centre, server):
    admin, path, _, _ = told(centre, server, model.opinion("none_of_these"))
    asked = {"text": "which colour has the volume?", "incident": path.rpartition("/")[2]}
    server.plan = [model.Say(json.dumps({"sentences": [1, 2]}))]
    found = admin.post("/api/v1/ask", json=asked).json()
    assert found["understood"]
    assert found["pointed_by"]
    record = {entry["index"] for entry in entries(admin, path)}
    assert len(found["sentences"]) == 2
    assert all(set(one["entries"]) <= record for one in found["sentences"])

    server.plan = [model.Say("I would rather run rm -rf /")]
    found = admin.post("/api/v1/ask", json=asked).json()
    assert not found["understood"]
    assert found["pointed_by"] == ""
    assert "rm -rf" not in json.dumps(found)
    said = [one for one in entries(admin, path) if one["kind"] == "answer.pointed"]
    assert [one["data"]["given"] for one in said] == [True, False]


def entries(admin, path):
    listed = admin.get("/api/v1/audit/entries", params={"incident": path.rpartition("/")[2]})
    return listed.json()["items"][::-1]
