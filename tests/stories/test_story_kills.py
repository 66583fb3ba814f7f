"""Kill -9 each of the three processes in every stage of an incident: it ends rightly, once.

The fault is a hung service, because mending it can be counted from outside: the service writes a
line when it starts. After each kill the incident must close, the service must have been started
exactly once (or the failure must have been handed to people), the host must have admitted exactly
one order, and the log must verify.
"""

import time

import pytest

from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(240)]
PROCESSES = ("control plane", "collector", "executor")
MOMENTS = (
    "fault",  # observe: nothing has been noticed yet
    "incident.opened",  # detect
    "decision.made",  # decide
    "order.delivered",  # execute: on its way
    "order.admitted",  # execute: the host has begun
    "step.done",  # execute: the host verifies
    "order.finished",  # the centre verifies
)
CLOSES_WITHIN_S = 120.0


@pytest.fixture(scope="module", params=PROCESSES)
def installed(request, tmp_path_factory):
    with installation.running(tmp_path_factory.mktemp("kills")) as found:
        yield found, request.param


def starts_of(service):
    text = service.log.read_text(errors="replace") if service.log.exists() else ""
    return text.count("started")


def newest(asked, fault, known):
    for one in asked.get("/incidents", limit=50)["items"]:
        about = (one["metric"], one["subject"]) == (fault.symptom.metric, fault.symptom.subject)
        if about and one["id"] not in known:
            return asked.get(f"/incidents/{one['id']}")
    return None


def wait_for_moment(installed, fault, known, moment):
    """Wait until the log tells of this moment; the kill comes a few milliseconds after it."""
    if moment == "fault":
        return
    with installed.client() as asked:

        def reached():
            story = newest(asked, fault, known)
            return story and any(fact["kind"] == moment for fact in story["timeline"])

        installation.wait_for(reached, moment, within_s=60)


def closed(installed, fault, known):
    """Wait for the end of the incident; the control plane may be starting again meanwhile."""
    until = time.monotonic() + CLOSES_WITHIN_S
    while time.monotonic() < until:
        with installed.client() as asked:
            story = newest(asked, fault, known)
            if story and story["incident"]["status"] == "CLOSED":
                return story
        time.sleep(0.2)
    raise installation.Never(f"no incident closed; {installed.logs()}")


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_the_incident_ends_rightly_and_the_remedy_runs_once(
    installed, moment
):
    whole, name = installed
    fault = whole.drill("service-hung")
    fault.clean_up()
    with whole.client() as asked:
        installation.wait_for(
            lambda: all(one["status"] == "CLOSED" for one in asked.get("/incidents")["items"]),
            "a calm installation",
        )
        known = {one["id"] for one in asked.get("/incidents", limit=50)["items"]}
    wait_for_recovered_reading(whole, fault)
    before = starts_of(fault.service)
    try:
        fault.inject()
        wait_for_moment(whole, fault, known, moment)
        killed = whole.kill(name)
        whole.restart(name, before=killed)
        story = closed(whole, fault, known)
        orders = [fact for fact in story["timeline"] if fact["kind"] == "order.admitted"]
        assert len(orders) == 1, story["timeline"]
        outcome = story["incident"]["outcome"]
        if outcome == "resolved":
            assert fault.is_gone()
            assert starts_of(fault.service) == before + 1
        else:
            assert name == "executor", f"only its own crash may cost the remedy: {outcome}"
            assert outcome in {"rolled_back", "failed"}, story["incident"]["summary"]
            assert starts_of(fault.service) <= before + 1
        with whole.client() as asked:
            verified = asked.post("/audit/verify")
            assert verified["passed"], verified["findings"]
    finally:
        fault.clean_up()


def wait_for_recovered_reading(whole, fault):
    """Wait until the service has been seen healthy for a while, so that the fault is news."""
    with whole.client() as asked:
        agent = asked.get("/hosts")["items"][0]["agent_id"]

        def calm():
            series = asked.get(
                f"/hosts/{agent}/series",
                metric=fault.symptom.metric,
                subject=fault.symptom.subject,
                minutes=5,
            )
            values = [value for _, value in series["points"]][-4:]
            return len(values) == 4 and set(values) == {1.0}

        installation.wait_for(calm, "healthy readings", within_s=60)
