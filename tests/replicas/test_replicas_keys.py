"""Two control planes over one database rotate a key that is due once, and go on."""

import contextlib
import time

import psycopg
import pytest

from tests.support import centre_process, replica_set

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def asked(url, statement):
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_two_replicas_rotate_a_key_that_is_due_once(server, tmp_path):
    url = server.new_database()
    places = [tmp_path / "replica-1", tmp_path / "replica-2"]
    replica_set.prepare(places[0], url)
    replica_set.prepare(places[1], url, places[0])
    replica_set.add_administrator(places[0])
    with psycopg.connect(url) as connection:
        late = "UPDATE data_keys SET made_us = made_us - 91 * 86400000000::bigint RETURNING number"
        assert connection.execute(late).fetchall() == [(1,)]
    with contextlib.ExitStack() as opened:
        replicas = [opened.enter_context(centre_process.started(place)) for place in places]
        deadline = time.monotonic() + 90
        whole = "SELECT number FROM data_keys WHERE whole_us IS NOT NULL ORDER BY number"
        while asked(url, whole) != [(1,), (2,)] and time.monotonic() < deadline:
            time.sleep(0.05)
        for one in replicas:
            admin = one.login(replica_set.ADMINISTRATOR)
            found = {key["name"]: key for key in admin.get("/api/v1/keys").json()["items"]}
            assert found["data key"]["id"] == "2"
            assert found["key that wraps data keys"]["rotates"] == "by hand"
            # One after the other has looked once it has listened; nothing more came of it.
        assert asked(url, "SELECT number FROM data_keys ORDER BY number") == [(1,), (2,)]
        entries = admin.get("/api/v1/audit/entries").json()["items"]
        rotated = [one for one in entries if one["kind"] == "key.rotated"]
        assert [one["data"]["key_id"] for one in rotated] == ["2"]
