"""Kill -9 each of the three processes of an installation that `up` started: its supervisor helps.

Here the agent's two processes come back as on a host without systemd, and a whole drill has to end
rightly. The search over all moments and processes, at once and one upon the other, is
tests/kills/test_kills_full_stack.py.

The fault is a hung service: mending it takes seconds, and can be counted from outside, for the
service writes a line when it starts. After each kill the incident must close, the host must have
admitted at most one order, the service must have been started at most once more, a resolved
incident must really be resolved, and the log must verify.
"""

import time

import pytest

from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(240)]
CASES = (
    ("control plane", "order.delivered"),
    ("collector", "order.admitted"),
    ("executor", "order.admitted"),
    ("control plane", "step.done"),
)
CLOSES_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with installation.running(tmp_path_factory.mktemp("killed")) as found:
        yield found


def starts_of(fault):
    """Count how often the drill's service was started; a drill without one counts none."""
    if not hasattr(fault, "service"):
        return 0
    log = fault.service.log
    return log.read_text(errors="replace").count("started") if log.exists() else 0


def newest(asked, fault, known):
    for one in asked.get("/incidents", limit=50)["items"]:
        about = (one["metric"], one["subject"]) == (fault.symptom.metric, fault.symptom.subject)
        if about and one["id"] not in known:
            return asked.get(f"/incidents/{one['id']}")
    return None


def wait_for_moment(installed, fault, known, moment):
    """Wait until the log tells of this moment; the kill comes a few milliseconds after it."""
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


@pytest.mark.parametrize(("name", "moment"), CASES)
def test_killed_in_the_middle_an_incident_ends_rightly_once(whole, name, moment):
    story = kill_at(whole, name, moment, whole.drill("service-hung"))
    ends_rightly(name, story)


def ends_rightly(name, story):
    outcome = story["incident"]["outcome"]
    if name != "executor":
        assert outcome == "resolved", story["incident"]["summary"]
    # The executor's own crash may cost the remedy, which is then undone or handed to people.
    rightly = {"resolved", "rolled_back", "failed", "escalated", "no_action_needed"}
    assert outcome in rightly, story["incident"]["summary"]
    if outcome != "resolved":
        [end] = [fact for fact in story["timeline"] if fact["kind"] == "incident.closed"]
        assert end["data"]["escalated"] or outcome == "no_action_needed"


def kill_at(whole, name, moment, fault):
    """Kill a process at a moment of an incident, have it back, and return how it ended."""
    fault.clean_up()
    with whole.client() as asked:
        installation.wait_for(
            lambda: all(one["status"] == "CLOSED" for one in asked.get("/incidents")["items"]),
            "a calm installation",
        )
        known = {one["id"] for one in asked.get("/incidents", limit=50)["items"]}
    wait_for_recovered_reading(whole, fault)
    started = starts_of(fault)
    try:
        fault.inject()
        wait_for_moment(whole, fault, known, moment)
        killed = whole.kill(name)
        whole.restart(name, before=killed)
        story = closed(whole, fault, known)
        orders = [fact for fact in story["timeline"] if fact["kind"] == "order.admitted"]
        assert len(orders) <= 1, story["timeline"]
        again = starts_of(fault) - started  # before the drill's own clean-up starts anything
        assert again <= 1
        if story["incident"]["outcome"] == "resolved":
            assert len(orders) == 1
            assert fault.is_gone()
            assert again == (1 if hasattr(fault, "service") else 0)
        with whole.client() as asked:
            verified = asked.post("/audit/verify")
            assert verified["passed"], verified["findings"]
        return story
    finally:
        fault.clean_up()


def wait_for_recovered_reading(whole, fault):
    """Wait until nothing has been wrong for a while, so that the fault is news."""
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
            service = fault.symptom.metric == "service.healthy"
            return len(values) == 4 and all(
                value == 1.0 if service else value < 50 for value in values
            )

        installation.wait_for(calm, "healthy readings", within_s=60)
