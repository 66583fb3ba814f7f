"""Keys that are online: rotated by themselves under traffic, and people called for the others."""

import contextlib
import dataclasses
import json
import socket
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.controlplane import (
    app,
    app_keys,
    evaluation,
    key_care,
    listeners,
    log_rotation,
    trust_exchange,
    trust_store,
)
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.api import people
from sentienguard.flow.key_ages import Rotates, Stage
from sentienguard.model import errors
from sentienguard.model.access import Role
from sentienguard.trust import bundle as bundles
from sentienguard.trust import ceremony, certificates
from sentienguard.trust import keys as key_files
from sentienguard.trust.root import RoleName
from tests.support import accounts, api_world, centre_process

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
ADMIN = "admin@local"


class Shifted(LocalClock):
    """The time of day, moved by a test."""

    ahead = timedelta(0)

    def now(self):
        return super().now() + self.ahead


@pytest.fixture
def data(tmp_path):
    place = tmp_path / "data"
    evaluation.prepare(place / "controlplane", place / "offline", {}, now=datetime.now(UTC))
    return place


@pytest.fixture
def centre(data):
    with opened(data) as made:
        accounts.add(made.users, ADMIN, centre_process.PASSWORD, {"*": Role.ADMINISTRATOR})
        yield made


@contextlib.contextmanager
def opened(data, **settings):
    chosen = settings_module.Settings(embeddings="off", **settings)
    with app.centre_in(data / "controlplane", chosen, "https://127.0.0.1:1") as made:
        made.messages.connect(api_world.NoEngine())
        yield made


@contextlib.contextmanager
def served(centre):
    """Serve the people's API; yield its address."""
    server = listeners.people_server(people.application(centre), None)
    bound = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    server.should_exit = True
    serving.join(20)


def rows(data, statement, *values):
    place = data / "controlplane/sentienguard.db"
    with contextlib.closing(sqlite3.connect(place)) as database, database:
        return database.execute(statement, values).fetchall()


def age(data, days):
    """Make the newest data key so many days old."""
    made = datetime.now(UTC) - timedelta(days=days)
    micros = int(made.timestamp() * 1_000_000)
    newest = "SELECT max(number) FROM data_keys"
    rows(data, f"UPDATE data_keys SET made_us = ? WHERE number = ({newest})", micros)


def numbers(data):
    return [row[0] for row in rows(data, "SELECT number FROM data_keys ORDER BY number")]


def wrapping(data):
    return (data / "controlplane/keys/data.key").read_text().split()


def recorded(centre, kind):
    found = centre.log.entries(0, centre.log.size())
    return [one.fields["data"] for one in found if one.fields["kind"] == kind]


def seen(data, key, days):
    """Let a key have been seen first so many days ago."""
    place = data / "controlplane" / key_care.SEEN
    known = json.loads(place.read_text())
    assert key in known
    known[key] = int((datetime.now(UTC) - timedelta(days=days)).timestamp())
    place.write_text(json.dumps(known))


def named(centre, name):
    [found] = [one for one in centre.keys.all(centre) if one.name == name]
    return found


def test_every_key_is_listed_with_its_age_and_when_it_is_due(centre, data):
    age(data, 3)
    with served(centre) as address:
        bearer = {"Authorization": f"Bearer {api_world.token(centre, ADMIN)}"}
        listed = httpx.get(f"{address}/api/v1/keys", headers=bearer, timeout=60).json()
    keys = {one["name"]: one for one in listed["items"]}
    assert list(keys) == [
        "data key", "key that wraps data keys", "dispatch key", "log key",
        "key of the agents' listener", "authority of agents' certificates",
        "certificate for agents",
    ]  # fmt: skip
    assert listed["rotate_keys_days"] == 90
    assert keys["data key"]["age_days"] == 3
    assert (keys["data key"]["rotates"], keys["data key"]["stage"]) == ("by itself", "good")
    assert keys["dispatch key"]["rotates"] == "with the root keys"
    assert keys["log key"]["rotates"] == "with the root keys"
    for name in ("dispatch key", "log key", "key of the agents' listener"):
        made = datetime.fromisoformat(keys[name]["made_at"])
        assert datetime.fromisoformat(keys[name]["due_at"]) == made + timedelta(days=90), name
    assert all(one["way"] and one["id"] for one in listed["items"])
    assert not any("BEGIN" in json.dumps(one) for one in listed["items"])


def test_nothing_is_rotated_before_its_time(centre, data):
    age(data, 89)
    was = wrapping(data)
    centre.keys.round(centre)
    assert numbers(data) == [1]
    assert wrapping(data) == was
    assert recorded(centre, log_rotation.ROTATED) == []


def test_a_clock_that_was_set_back_a_year_rotates_nothing_and_calls_nobody(centre, data):
    age(data, 80)
    clock = Shifted()
    clock.ahead = timedelta(days=-365)
    centre.keys.round(dataclasses.replace(centre, clock=clock))
    assert numbers(data) == [1]
    assert recorded(centre, key_care.DUE) == []


class Traffic:
    """People who ask and log in all the time; what they were answered, and what went wrong."""

    def __init__(self, address, tokens):
        self.answers, self.failures = [], []
        self._address, self._stop = address, threading.Event()
        works = [(self._ask, token) for token in tokens] + [(self._log_in, "")]
        self._threads = [threading.Thread(target=self._kept, args=one) for one in works]

    def __enter__(self):
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for one in self._threads:
            one.join(60)

    def more(self, count):
        """Wait until so many more were answered."""
        until, deadline = len(self.answers) + count, time.monotonic() + 60
        while len(self.answers) < until and not self.failures and time.monotonic() < deadline:
            time.sleep(0.01)

    def _kept(self, work, token):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with httpx.Client(base_url=self._address, headers=headers, timeout=60) as client:
                while not self._stop.is_set():
                    self.answers.append(work(client).status_code)
        except httpx.HTTPError as cause:
            self.failures.append(cause)

    @staticmethod
    def _ask(client):
        return client.get("/api/v1/auth/me")

    @staticmethod
    def _log_in(client):
        body = {"name": ADMIN, "password": centre_process.PASSWORD}
        return client.post("/api/v1/auth/login", json=body)


def test_rotation_under_traffic_refuses_no_request(centre, data):
    tokens = [api_world.token(centre, ADMIN) for _ in range(3)]
    with served(centre) as address, Traffic(address, tokens) as traffic:
        for _ in range(3):
            age(data, 91)
            centre.keys.round(centre)
            traffic.more(10)
    assert traffic.failures == []
    assert set(traffic.answers) == {200}
    assert numbers(data) == [1, 2, 3, 4]
    kept = rows(data, "SELECT password_hash FROM users")
    assert all(row[0].startswith("sg1.4.") for row in kept)
    assert len(wrapping(data)) == 4, "the key of the file is followed too"
    assert [one["key_id"] for one in recorded(centre, log_rotation.ROTATED)] == ["2", "3", "4"]


def test_a_rotation_is_recorded_once_whoever_made_it(centre, data):
    app_keys.rotate(data, LocalClock())
    for _ in range(2):
        centre.keys.round(centre)
    [found] = recorded(centre, log_rotation.ROTATED)
    assert (found["name"], found["key_id"]) == ("data key", "2")


def test_a_rotation_that_was_cut_off_is_finished_by_the_next_look(centre, data, monkeypatch):
    age(data, 91)
    ring = centre.keys._ring
    cut_off = errors.Unavailable("the power went")
    with monkeypatch.context() as patch:
        patch.setattr(type(ring), "_reseal", lambda *_: (_ for _ in ()).throw(cut_off))
        with pytest.raises(errors.Unavailable):
            centre.keys.round(centre)
    assert numbers(data) == [1, 2]
    assert rows(data, "SELECT whole_us FROM data_keys WHERE number = 2") == [(None,)]
    centre.keys.round(centre)
    assert numbers(data) == [1, 2]
    [(kept,)] = rows(data, "SELECT password_hash FROM users")
    assert kept.startswith("sg1.2.")


def test_two_looks_at_the_same_moment_make_one_key(data):
    with opened(data) as one:
        age(data, 91)
        ring = one.keys._ring
        newest = ring.all()[-1].number
        made = [ring.rotate_after(newest), ring.rotate_after(newest)]
    assert [one and one.number for one in made] == [2, None]
    assert numbers(data) == [1, 2]


def test_where_others_use_the_database_the_wrapping_key_stays_until_they_have_it(data):
    file = data / "controlplane/keys/data.key"
    with opened(data) as made:
        age(data, 91)
        care = key_care.KeyCare(
            data / "controlplane", made.keys._ring, made.keys._wrapping, shared=True
        )
        centre = dataclasses.replace(made, keys=care)
        assert named(centre, "key that wraps data keys").rotates is Rotates.OWNER
        care.round(centre)
        assert numbers(data) == [1, 2]
        assert len(wrapping(data)) == 1, "a line that others have not would shut them out"
        assert str(file) in app_keys.add_wrapping_key(data)
        age(data, 91)
        care.round(centre)
        assert numbers(data) == [1, 2], "a key that wraps nothing yet is not taken by itself"
        assert "data key 3 seals" in app_keys.rotate(data, LocalClock())
        age(data, 91)
        care.round(centre)
        assert numbers(data) == [1, 2, 3, 4]


def test_people_are_called_twice_for_a_dispatch_key_and_told_what_to_do(centre, data):
    centre.keys.round(centre)
    assert recorded(centre, key_care.DUE) == []
    dispatch = centre.trust.dispatch.id
    for days, stages in ((80, ["soon"]), (91, ["soon", "due"])):
        seen(data, dispatch, days)
        centre.keys.round(centre)
        centre.keys.round(centre)
        told = recorded(centre, key_care.DUE)
        assert [one["stage"] for one in told] == stages
    assert all(one["key_id"] == dispatch for one in told)
    assert "sentienguard trust online-key dispatch" in told[-1]["way"]
    with served(centre) as address:
        bearer = {"Authorization": f"Bearer {api_world.token(centre, ADMIN)}"}
        found = httpx.get(f"{address}/api/v1/findings", headers=bearer, timeout=60).json()["items"]
    assert [one["finding"] for one in found] == ["key_due", "key_soon"]
    assert "online-key dispatch" in found[0]["detail"]


def test_the_listeners_key_has_its_own_age_and_people_are_called_for_it(centre, data):
    one = named(centre, "key of the agents' listener")
    pin = certificates.pin_of_key((data / "controlplane/tls/server.key").read_bytes())
    assert (one.id, one.ends_at) == (pin[:16], None)
    seen(data, pin, 91)  # its certificate was renewed yesterday, and says nothing of that
    due = named(centre, one.name)
    assert due.stage(centre.clock.now(), key_care.lifetime(centre)) is Stage.DUE
    centre.keys.round(centre)
    [told] = [one for one in recorded(centre, key_care.DUE) if one["key_id"] == pin[:16]]
    assert "sentienguard trust online-key server" in told["way"]
    seen(data, pin, 0)


def test_a_key_keeps_its_age_when_its_file_is_copied(centre, data):
    first = named(centre, "dispatch key").made_at
    (data / "controlplane/keys/dispatch.pem").touch()
    assert named(centre, "dispatch key").made_at == first


def test_a_certificate_is_due_when_it_ends(centre):
    one = named(centre, "certificate for agents")
    lives = key_care.lifetime(centre)
    assert one.due_at(lives) == one.ends_at
    assert one.stage(one.ends_at - timedelta(days=15), lives) is Stage.GOOD
    assert one.stage(one.ends_at - timedelta(days=14), lives) is Stage.SOON
    assert one.stage(one.ends_at, lives) is Stage.DUE


def test_a_control_plane_that_was_off_when_a_key_was_due_rotates_it_when_it_starts(tmp_path):
    data = tmp_path / "data"
    with centre_process.prepared(data, rotate_keys_days="30") as start:
        age(data, 45)
        with start() as running:
            admin = running.login(ADMIN)
            deadline = time.monotonic() + 60
            while numbers(data) != [1, 2] and time.monotonic() < deadline:
                time.sleep(0.05)
            [found] = [one for one in admin.get("/api/v1/keys").json()["items"]
                       if one["name"] == "data key"]  # fmt: skip
            assert (found["id"], found["age_days"], found["stage"]) == ("2", 0, "good")
            assert running.login(ADMIN).get("/api/v1/auth/me").status_code == 200


def with_next_log_key(data, until):
    """Let the root name the log's next key and the old one's end; return both ids."""
    place = data / "controlplane"
    made = trust_exchange.make_next_log_key(place)
    bundle = trust_exchange.read(place)
    old = bundle.last.log_keys[0].key.id
    change = ceremony.Change(
        expires_at=bundle.last.expires_at, add=((RoleName.LOG, made),), log_ends={old: until}
    )
    signer = key_files.SigningKey.from_pem((data / "offline/root.pem").read_bytes())
    signed, _ = bundles.sign(ceremony.rotate(bundle, change), signer)
    trust_exchange.take_over(place, signed, now=datetime.now(UTC))
    return old, made.id


def log_key_file(data, name=trust_store.LOG_KEY):
    return key_files.SigningKey.from_pem((data / "controlplane" / name).read_bytes()).id


def test_the_log_s_key_is_followed_at_its_end_and_destroyed_after_it(data):
    with opened(data) as centre:
        centre.keys.round(centre)
        size = centre.log.size()
        assert recorded(centre, log_rotation.ROTATED) == []
    old, new = with_next_log_key(data, until=size + 3)
    with opened(data) as centre:
        centre.keys.round(centre)
        [told] = recorded(centre, log_rotation.ROTATED)
        assert (told["follows"], told["key_id"], told["until_size"]) == (old, new, size + 3)
        assert log_key_file(data) == old  # its end has not come
        for n in range(4):
            centre.audit.append(kind="log.started", env="", key=f"more/{n}", data={"version": "1"})
        centre.keys.round(centre)
        assert (log_key_file(data), len(recorded(centre, log_rotation.ROTATED))) == (new, 1)
        assert not (data / "controlplane" / trust_store.NEXT_LOG_KEY).exists()
        assert centre.verify_log().passed
    with opened(data) as centre:  # with the new key alone
        centre.keys.round(centre)
        assert centre.trust.log.ending == ()
        assert centre.verify_log().passed
        assert named(centre, "log key").id == new


def test_a_root_that_leaves_the_log_s_key_out_or_gives_it_no_successor_is_not_taken(data):
    place = data / "controlplane"
    bundle = trust_exchange.read(place)
    old = bundle.last.log_keys[0].key.id
    signer = key_files.SigningKey.from_pem((data / "offline/root.pem").read_bytes())
    stranger = key_files.SigningKey.generate().public
    for change, why in (
        ({"remove": ((RoleName.LOG, old),)}, "names this key too, with its end"),
        ({"log_ends": {old: 10}}, "trust online-key log"),
    ):
        wanted = ceremony.Change(
            expires_at=bundle.last.expires_at, add=((RoleName.LOG, stranger),), **change
        )
        signed, _ = bundles.sign(ceremony.rotate(bundle, wanted), signer)
        with pytest.raises(trust_exchange.NotTaken, match=why):
            trust_exchange.take_over(place, signed, now=datetime.now(UTC))
    with opened(data) as centre:
        assert centre.trust.root.version == 1
