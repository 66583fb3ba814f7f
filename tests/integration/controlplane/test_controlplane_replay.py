"""A decision of a real control plane is made again over the API, also after a restart."""

import json
import time

import pytest

from sentienguard.cli import main
from tests.support import centre_process
from tests.support.centre_process import PASSWORD

pytestmark = pytest.mark.integration
FULL = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/"): 98.0}


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    # Vectors that come between two decisions would be a difference of model, and be named.
    with centre_process.running(tmp_path_factory.mktemp("replay")) as running:
        yield running


@pytest.fixture(scope="module")
def incident(centre):
    centre.enrol("web-1", "production").push(FULL)
    admin = centre.login("admin@local")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        items = admin.get("/api/v1/incidents").json()["items"]
        if items and admin.get(f"/api/v1/incidents/{items[0]['id']}").json()["decision"]:
            return items[0]["id"]
        time.sleep(0.05)
    raise AssertionError("nothing was decided within 30 s")


@pytest.fixture
def command(centre, capsys):
    token = centre.login("admin@local").headers["authorization"].split()[1]
    session = {"token": token, "server": centre.people, "name": "admin@local"}
    (centre.data / "cli-token").write_text(json.dumps(session))

    def run(*words):
        status = main.main([*words, "--data", str(centre.data)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_it_comes_out_bit_for_bit_before_and_after_a_restart(centre, incident):
    path = f"/api/v1/incidents/{incident}/replay"
    first = centre.login("admin@local").get(path).json()
    assert first["identical"]
    assert (first["differences"], first["changes"], first["notes"]) == ([], [], [])
    centre.kill()
    centre.restart()
    again = centre.login("admin@local").get(path).json()
    assert again["identical"]
    assert again["replayed"] == first["recorded"]


def test_another_policy_is_shown_and_changes_nothing(centre, incident, command, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("fleet_budget: {fleet_starts_per_hour: 0}\n")
    status, out, error = command("incidents", "replay", incident, "--policy", str(policy))
    assert status == 0, error
    assert "identical, bit for bit" in out
    assert "-> escalate" in out
    assert "fleet_budget *" in out
    status, out, _ = command("incidents", "replay", incident, "--json")
    assert (status, json.loads(out)["what_if"]) == (0, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [("risk: {critical: run}", "nothing to set"), ("a: [", "expected YAML"), ("", "policy")],
)
def test_what_is_no_policy_is_refused(incident, command, tmp_path, text, says):
    policy = tmp_path / "policy.yaml"
    policy.write_text(text)
    status, _, error = command("incidents", "replay", incident, "--policy", str(policy))
    assert status == 1
    assert says in error


def test_who_may_not_see_the_incident_may_not_replay_it(centre, incident):
    body = {"name": "o@local", "password": PASSWORD, "roles": {"drill": "observer"}}
    assert centre.login("admin@local").post("/api/v1/users", json=body).status_code == 201
    observer = centre.login("o@local")
    assert observer.get(f"/api/v1/incidents/{incident}/replay").status_code == 404
    under = {"policy": {"confidence": {"run_from": 0.99}}}
    answer = observer.post(f"/api/v1/incidents/{incident}/replay", json=under)
    assert answer.status_code == 404
