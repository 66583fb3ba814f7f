"""A person stops an execution in mid-flight: the host ends it, undoes what ran, and says so."""

import pytest

from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(180)]


def test_a_stop_ends_the_execution_and_hands_the_incident_to_people(tmp_path):
    with installation.running(tmp_path) as whole:
        fault = whole.drill("service-broken-fix")
        fault.clean_up()
        before = fault.facts()
        with whole.client() as asked:
            installation.wait_for(lambda: healthy(asked, fault), "a calm service", within_s=60)
            try:
                fault.inject()
                story = installation.wait_for(
                    lambda: reached(asked, "step.done"), "the first step", within_s=60
                )
                incident = story["incident"]["id"]
                asked.post(f"/incidents/{incident}/stop", {"note": "I know better"})
                ended = installation.wait_for(
                    lambda: closed(asked, incident), "the end", within_s=90
                )
            finally:
                fault.clean_up()
        kinds = [fact["kind"] for fact in ended["timeline"]]
        assert "order.stop" in kinds
        assert ended["incident"]["outcome"] in {"rolled_back", "failed"}
        assert ended["order"]["stop_requested_by"] == "admin"
        undone = [step for step in ended["order"]["steps"] if step["phase"] == "undo"]
        assert undone, "what ran was undone"
        assert before.keys() == fault.facts().keys()


def newest(asked):
    found = asked.get("/incidents", limit=1)["items"]
    return asked.get(f"/incidents/{found[0]['id']}") if found else None


def reached(asked, kind):
    story = newest(asked)
    return story if story and any(f["kind"] == kind for f in story["timeline"]) else None


def closed(asked, incident):
    story = asked.get(f"/incidents/{incident}")
    return story if story["incident"]["status"] == "CLOSED" else None


def healthy(asked, fault):
    host = asked.get("/hosts")["items"][0]["agent_id"]
    series = asked.get(
        f"/hosts/{host}/series", metric=fault.symptom.metric, subject=fault.symptom.subject,
        minutes=5,
    )  # fmt: skip
    values = [value for _, value in series["points"]][-3:]
    return len(values) == 3 and set(values) == {1.0}
