"""An incident of an alert waits longer for its end: who sent the alert has to say so."""

from dataclasses import replace

import pytest

from sentienguard.flow import incident as flow
from sentienguard.model.anomaly import Ground
from sentienguard.model.decision import Route
from sentienguard.model.order import ExecutionOutcome
from tests.unit.flow.test_flow_incident import NOW, incident, order

OTHERS = {Ground.ALERT, Ground.REQUEST}  # a request has no symptom to wait for


@pytest.mark.parametrize(
    ("ground", "patience"),
    [(Ground.ALERT, flow.ALERT_PATIENCE)]
    + [(ground, flow.RECOVERY_PATIENCE) for ground in Ground if ground not in OTHERS],
)
def test_how_long_the_symptom_may_take_to_go(ground, patience) -> None:
    opened = incident()
    opened = replace(opened, anomaly=replace(opened.anomaly, ground=ground))
    life, _ = flow.begin(opened)
    life, _ = flow.advance(life, flow.Decided(NOW, Route.RUN_AND_VERIFY, "known", order()))
    life, _ = flow.advance(life, flow.Released(NOW))
    ended = flow.OrderEnded(NOW, order().id, ExecutionOutcome.SUCCESS, "done")
    _, turn = flow.advance(life, ended)
    assert turn.then == flow.Wait(NOW + patience, patience)
