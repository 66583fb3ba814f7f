"""A host that does not speak goes to people, unless a playbook names that very metric."""

import dataclasses

import pytest

from sentienguard.model.anomaly import Ground
from sentienguard.model.decision import Route
from sentienguard.stages.decide import evidence
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases
from tests.unit.decide.test_decide_alerts import BUNDLED

SILENT = ["agent.silent_s", "fleet.silent_hosts"]


def made(metric, library, **tags):
    found = cases.anomaly(
        metric, "", ground=Ground.SILENCE, sigma=None, reason="no sample of web-1: agent is down"
    )
    incident = cases.incident(found, tags=tags)
    known = evidence.assemble(incident, cases.NOW, sample=cases.sample(found))
    return decide(known, library, lambda _: cases.TRUSTED, cases.CLEAR, DecideSettings())


@pytest.mark.parametrize("metric", SILENT)
@pytest.mark.parametrize("library", [BUNDLED, cases.LIBRARY], ids=["bundled", "cases"])
def test_no_playbook_of_ours_is_for_a_silent_host(metric, library):
    assert made(metric, library).route is Route.ESCALATE


@pytest.mark.parametrize("metric", SILENT)
@pytest.mark.parametrize(("named", "matches"), [((), False), (("agent.silent_s",), True)])
def test_only_a_playbook_that_names_the_metric_is_for_it(metric, named, matches):
    first = cases.LIBRARY.playbooks[0]
    anything = dataclasses.replace(
        first,
        metrics=named,
        slots=dataclasses.replace(first.slots, system="nginx", resource="any", symptom="any"),
        name="nginx_linux",
        description="nginx nginx linux nginx",
    )
    found = made(metric, Library((anything,)), service="nginx").candidates[0]
    assert (found.score >= 0.6) is (matches and metric in named)
