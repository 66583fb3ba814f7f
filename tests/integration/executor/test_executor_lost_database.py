"""A database that is killed under a remedy: in the midst of its statement, and before it is looked.

What a statement did before the server died nobody can know from the connection alone, so the step
counts as one that may have acted, and the order ends as what it is: not verified, told by name.
"""

import contextlib
import os
import threading

import psycopg
import pytest

from tests.servers import postgresql, programs
from tests.support import database_repairs

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(postgresql.missing() is not None, reason=str(postgresql.missing())),
]
CHANGE = "UPDATE public.stock SET name = 'changed' WHERE id = 1"
REMEDY = """
name: by_hand
version: "1.0.0"
description: for a test
risk: WARNING
idempotent: true
match: {system: postgresql, resource: any, symptom: any}
max_per_hour: 60
needs: [sql]
parameters: {service: {type: service}}
steps:
  - name: act
    action: sql_query
    query: "UPDATE public.stock SET name = 'changed' WHERE id = 1"
    timeout: 8s
    rollback: {skip: it is a test of what is lost}
  - name: wait
    action: ssh_command
    argv: [PLACE/wait]
    rollback: {skip: it only waits}
verification:
  - {type: sql, query: "SELECT 1 FROM public.stock WHERE name = 'changed'", retry: 2}
"""


class World:
    """A server, an executor that may act in it, and a program that waits between step and check."""

    def __init__(self, place, server):
        self.place, self.server = place, server
        wait = place / "wait"
        wait.write_text(f"#!/bin/sh\n[ ! -p {place}/hold ] || cat {place}/hold\n")
        wait.chmod(0o755)
        secret = place / "secret"
        secret.write_text(server.password)
        declared = {
            "kind": "postgresql",
            "address": server.address,
            "user": postgresql.USER,
            "password_file": str(secret),
        }
        self.repairs = database_repairs.Repairs(place, declared)

    def begin(self):
        """Give the order in a thread; return how to wait for its end."""
        ended = []
        text = REMEDY.replace("PLACE", str(self.place)).encode()
        thread = threading.Thread(target=lambda: ended.append(self.repairs.order(text)))
        thread.start()

        def join():
            thread.join(60)
            assert ended, "the order did not end"
            return ended[0]

        return join

    def events(self, kind):
        return [one["data"] for one in self.repairs.agent.events() if one["kind"] == kind]


@pytest.fixture
def world(tmp_path):
    with postgresql.running() as server:
        server.execute("CREATE TABLE public.stock AS SELECT 1 AS id, 'none' AS name")
        made = World(tmp_path, server)
        yield made
        made.repairs.close()


def waiting_for_a_lock(session):
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query = %s"
    return session.execute(query, [CHANGE]).fetchone() == (1,)


@pytest.fixture
def held(world):
    """Hold the row that the step changes, and give a session that looks."""
    holder = psycopg.connect(world.server.url())
    looker = psycopg.connect(world.server.url(), autocommit=True)
    holder.execute("UPDATE public.stock SET name = 'mine' WHERE id = 1")
    yield looker
    for one in (holder, looker):
        with contextlib.suppress(psycopg.Error):
            one.close()


def test_a_server_killed_in_the_midst_of_a_statement_is_told(world, held):
    join = world.begin()
    programs.wait_for(lambda: waiting_for_a_lock(held), "the step to be in the server")
    world.server.crash()
    ended = join()
    assert ended["outcome"] == "PARTIALLY_ROLLED_BACK", ended
    assert ended["left_behind"] == ["act"]
    assert "step act failed" in ended["reason"]
    assert "database of db" in ended["reason"]
    world.server.start()
    again = world.begin()()  # what it was killed under is as it was, and can be mended
    assert again["outcome"] == "SUCCESS", again


def test_a_server_killed_between_step_and_verification_is_told_and_verified_by_nobody(world):
    os.mkfifo(world.place / "hold")
    join = world.begin()
    programs.wait_for(lambda: len(world.events("step.done")) == 1, "the first step to end")
    world.server.crash()
    with (world.place / "hold").open("w"):
        pass
    ended = join()
    assert ended["outcome"] == "PARTIALLY_ROLLED_BACK", ended
    assert ended["left_behind"] == ["act", "wait"]
    assert "verification" in ended["reason"]
    assert [one["status"] for one in world.events("step.done")] == ["success", "success"]


def test_a_server_that_comes_back_while_it_is_looked_counts_as_looked(world):
    os.mkfifo(world.place / "hold")
    join = world.begin()
    programs.wait_for(lambda: len(world.events("step.done")) == 1, "the first step to end")
    world.server.crash()
    world.server.start()
    with (world.place / "hold").open("w"):
        pass
    assert join()["outcome"] == "SUCCESS"


def test_a_server_that_is_away_from_the_start_is_changed_by_nobody(world):
    world.server.crash()
    ended = world.begin()()
    assert (ended["outcome"], ended["left_behind"]) == ("ROLLED_BACK", []), ended
