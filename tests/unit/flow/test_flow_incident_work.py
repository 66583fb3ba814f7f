"""What the engine asks for, performed a second time after a crash, or at a wrong moment."""

from datetime import timedelta

import pytest

from sentienguard.flow import incident as flow
from sentienguard.model.incident import Outcome, Status
from sentienguard.ports.incident_store import WrongTransition
from sentienguard.simulation.stores.database import Database
from sentienguard.simulation.stores.incidents import Incidents
from tests.contract import stores_nouns as nouns
from tests.unit.flow.test_flow_dispatch import NOW
from tests.unit.flow.test_flow_fleet_budget import an_order, site, work_on

__all__ = ["site"]  # a fixture
FOUND = nouns.incident()


@pytest.fixture
def known(site):
    site.incidents = Incidents(Database(lambda _: None))
    site.incidents.open(FOUND)
    return site


def test_a_move_that_is_performed_again_after_the_end_changes_nothing(known):
    known.incidents.move(FOUND.id, Status.CLOSED, summary="over", outcome=Outcome.ESCALATED, at=NOW)
    work_on(known).perform(FOUND.id, flow.Move(Status.ANALYZING, "gathering evidence"))
    found = known.incidents.get(FOUND.id)
    assert (found.status, found.summary) == (Status.CLOSED, "over")


def test_a_move_that_no_life_makes_is_told(known):
    with pytest.raises(WrongTransition):
        work_on(known).perform(FOUND.id, flow.Move(Status.VERIFYING, "looking"))
    assert known.incidents.get(FOUND.id).status is Status.OPEN


def test_a_release_that_is_performed_again_was_at_the_first_time(site):
    work, question = work_on(site), flow.Release(an_order(1))
    first = work.release(question)
    assert first == flow.Released(NOW)
    work.now = lambda: NOW + timedelta(seconds=9)
    assert work.release(question) == first
    assert site.counted["orders_released_total"] == 1
