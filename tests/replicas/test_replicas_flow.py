"""The durable engine on PostgreSQL: the same cases as on SQLite, and who runs what."""

import time

import psycopg
import pytest

from sentienguard.controlplane import engine
from sentienguard.model.incident import Outcome
from tests.integration.controlplane import test_controlplane_engine as cases
from tests.integration.controlplane.test_controlplane_engine import *  # noqa: F403 - the cases

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def records(url):
    """Where the workflows are recorded."""
    return url


def rows(url):
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT executor_id, status FROM sentienguard_flow.workflow_status"
        ).fetchall()


def test_the_work_of_a_run_that_is_gone_is_taken_once_and_again_is_a_no_op(url):
    world = cases.World(cases.Route.ASK)
    gone = engine.Engine(url, world, executor="gone.1")
    gone.start()
    gone.begin(cases.INCIDENT)
    cases.until(lambda: any(isinstance(d, cases.flow.OpenApproval) for d in world.deeds), "it asks")
    gone.stop()
    heir = engine.Engine(url, world, executor="heir.1")
    heir.start()
    try:
        time.sleep(1.5)
        assert rows(url) == [("gone.1", "PENDING")], "nobody said that it is gone"
        for _ in range(3):
            heir.take_over(["gone.1"])
        cases.until(lambda: rows(url) == [("heir.1", "PENDING")], "the heir has it")
        heir.take_over(["gone.1"])
        heir.tell(cases.INCIDENT, cases.flow.Answered(approved=False, by="ann"), key="answered")
        assert world.closed.wait(15)
        assert world.outcome() is Outcome.REJECTED
        asked = [deed for deed in world.deeds if isinstance(deed, cases.flow.OpenApproval)]
        assert len(asked) == 1, "what was recorded is not done again"
    finally:
        heir.stop()
