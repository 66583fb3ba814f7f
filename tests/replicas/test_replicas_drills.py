"""The whole product on PostgreSQL: real faults, real agents, and a replica that dies in between."""

import contextlib
import json

import pytest

from tests.support import centre_process, effort, installation, replica_set

pytestmark = [pytest.mark.stories, pytest.mark.timeout(effort.pick(180, thorough=600))]
DRILLS = effort.pick(
    ("disk-full",),
    thorough=("disk-full", "service-hung", "service-degraded", "service-broken-fix"),
)
OUTCOMES = {"service-broken-fix": "rolled_back"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory, server):
    settings = installation.on_postgresql(server.new_database())
    with installation.running(tmp_path_factory.mktemp("drills"), settings=settings) as found:
        yield found


def failed(result):
    return [f"{check.name}: {check.detail}" for check in result.checks if not check.passed]


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_ends_as_on_files_and_its_exported_log_verifies(installed, name):
    result = installed.perform(name)
    assert failed(result) == [], installed.logs()
    assert "stand-alone verifier" in {check.name for check in result.checks}
    assert result.outcome == OUTCOMES.get(name, "resolved")
    assert not (installed.places.centre / "flow.db").exists()
    assert not (installed.places.centre / "sentienguard.db").exists()
    assert not (installed.places.centre / "audit").exists()


@pytest.mark.skipif(not effort.THOROUGH, reason="the drill below restarts it as well")
def test_the_control_plane_comes_back_and_the_next_drill_is_as_good(installed):
    installed.kill("control plane")
    installed.restart("control plane")
    assert failed(installed.perform("disk-full")) == [], installed.logs()


def test_a_replica_that_dies_in_mid_incident_leaves_the_rest_to_the_other(installed, tmp_path):
    url = installation.ports.read_settings(installed.places.centre)["database_url"]
    replica_set.prepare(tmp_path / "second", url, installed.places.data, interval_s="1")
    with contextlib.ExitStack() as opened:
        second = opened.enter_context(centre_process.started(tmp_path / "second"))
        know_both(installed, second)
        fault = installed.drill("service-hung")
        fault.clean_up()
        opened.callback(fault.clean_up)
        with installed.client() as asked:
            known = {one["id"] for one in asked.get("/incidents", limit=50)["items"]}
        admin = second.login("admin", installed_password(installed))

        def story():
            for one in admin.get("/api/v1/incidents", params={"limit": 50}).json()["items"]:
                if one["id"] not in known and one["subject"] == fault.symptom.subject:
                    return admin.get(f"/api/v1/incidents/{one['id']}").json()
            return None

        def told(kind):
            found = story()
            return found and any(fact["kind"] == kind for fact in found["timeline"])

        fault.inject()
        installation.wait_for(lambda: told("order.admitted"), "an order under way", within_s=60)
        installed.kill("control plane")
        ended = installation.wait_for(
            lambda: (found := story())["incident"]["status"] == "CLOSED" and found,
            "the end at the other replica",
            within_s=90,
        )
        assert ended["incident"]["outcome"] == "resolved", ended["incident"]["summary"]
        assert fault.is_gone()
        kinds = [fact["kind"] for fact in ended["timeline"]]
        for once in ("order.intent", "order.admitted", "order.finished", "incident.closed"):
            assert kinds.count(once) == 1, kinds
        assert admin.post("/api/v1/audit/verify").json()["passed"]
    installed.restart("control plane")


def know_both(installed, second):
    """Write both servers into the agent's file and start both of its processes with it.

    An executor that started with another file runs no order: to it that is a drift.
    """
    file = installed.places.agent / "agent.json"
    record = json.loads(file.read_text())
    record["server"] = f"{record['server']} {second.agents}"
    file.write_text(json.dumps(record))
    for name in ("executor", "collector"):
        before = installed.kill(name)
        installed.restart(name, before=before)


def installed_password(installed):
    return installation.client.read_first_login(installed.places.data)[1]
