"""The durable engine on PostgreSQL: the same cases as on SQLite, and who runs what."""

import pathlib
import subprocess
import sys
import time

import psycopg
import pytest

from sentienguard.controlplane import engine
from sentienguard.model.incident import Outcome
from tests.integration.controlplane import test_controlplane_engine as cases
from tests.integration.controlplane.test_controlplane_engine import *  # noqa: F403 - the cases

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def records(url):
    """Where the workflows are recorded."""
    return url


@pytest.fixture
def started(url):
    """Start engines as the cases do, and stop each once its workflows have recorded their end.

    One that still has to would ask a database that is gone for ever, and hold this process.
    """
    running = []

    def start(world):
        made = engine.Engine(url, world)
        made.start()
        running.append(made)
        return made

    yield start
    settled_by = time.monotonic() + 5
    while any(status == "PENDING" for _, status in rows(url)) and time.monotonic() < settled_by:
        time.sleep(0.02)
    for each in running:
        each.stop()


def rows(url):
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT executor_id, status FROM sentienguard_flow.workflow_status"
        ).fetchall()


# A run that asks people and then waits, in a process of its own: a thread that waits for an answer
# cannot be ended otherwise, and would hold the process of the tests.
ASKS = """
import sys, threading
from sentienguard.controlplane import engine
from tests.integration.controlplane import test_controlplane_engine as cases
world = cases.World(cases.Route.ASK)
gone = engine.Engine(sys.argv[1], world, executor="gone.1")
gone.start()
gone.begin(cases.INCIDENT)
cases.until(lambda: any(isinstance(d, cases.flow.OpenApproval) for d in world.deeds), "it asks")
print("asked", flush=True)
threading.Event().wait()
"""


def run_that_is_killed_while_it_waits(url):
    argv = [sys.executable, "-c", ASKS, url]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as gone:
        try:
            assert gone.stdout.readline() == "asked\n"
            time.sleep(0.5)  # until it waits for the answer
        finally:
            gone.kill()


def test_the_work_of_a_run_that_is_gone_is_taken_once_and_again_is_a_no_op(url):
    run_that_is_killed_while_it_waits(url)
    world = cases.World(cases.Route.ASK)
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
        assert not asked, "what was recorded is not done again"
    finally:
        heir.stop()
