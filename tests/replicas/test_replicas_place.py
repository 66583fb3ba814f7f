"""The fence between replicas: what is written before it stands, and nothing is written after it."""

import contextlib
import threading

import psycopg
import pytest

from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.adapters.sql_store import open_database
from sentienguard.controlplane import membership
from sentienguard.model import errors
from sentienguard.ports.audit_storage import Blob
from sentienguard.ports.replicas import Peer, TakenOver
from tests.contract import stores_nouns

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


class Replica:
    """One replica with its own connections."""

    def __init__(self, url, name, log="database"):
        self.database = open_database(url)
        self.place = self.database.replicas(f"{name}.run")
        try:
            self.place.join(name, log=log)
        except BaseException:
            self.database.close()
            raise

    def close(self):
        self.place.leave()
        self.database.close()


@pytest.fixture
def replica(url):
    with contextlib.ExitStack() as opened:

        def make(name, **options):
            return opened.enter_context(contextlib.closing(Replica(url, name, **options)))

        yield make


def the_one(peers, name):
    [found] = [peer for peer in peers if peer.name == name]
    return found


def test_peers_see_one_another_beat_and_be_there(replica):
    a, b = replica("a"), replica("b")
    first = the_one(a.place.beat(), "b")
    b.place.beat()
    second = the_one(a.place.beat(), "b")
    assert (first.present, second.present) == (True, True)
    assert second.beats == first.beats + 1
    a.place.require()


@pytest.mark.parametrize(
    "write",
    [
        lambda stores: stores.orders.release(stores_nouns.order(), at=stores_nouns.NOW),
        lambda stores: stores.incidents.open(stores_nouns.incident()),
        lambda stores: stores.approvals.open(stores_nouns.approval()),
        lambda stores: stores.switches.set_freeze(None),
        lambda stores: stores.orders.next_seq(stores_nouns.AGENT),
        lambda stores: stores.audit.put_checkpoint(0, "note"),
        lambda stores: stores.audit.put_blob("00", Blob(b"sealed", b"secret")),
    ],
)
def test_a_fenced_replica_writes_nothing_whatever_it_tries(replica, write):
    zombie, heir = replica("zombie"), replica("heir")
    assert heir.place.fence(the_one(heir.place.beat(), "zombie"))
    with pytest.raises(TakenOver):
        write(zombie.database)
    with pytest.raises(TakenOver):
        zombie.place.require()
    with pytest.raises(TakenOver):
        zombie.place.beat()
    assert heir.database.orders.next_seq(stores_nouns.AGENT) == 1
    assert heir.database.incidents.unfinished() == ()


def test_a_replica_that_beat_meanwhile_keeps_its_place(replica):
    a, b = replica("a"), replica("b")
    seen = the_one(a.place.beat(), "b")
    b.place.beat()
    assert not a.place.fence(seen)
    b.place.require()


def test_the_fence_waits_for_an_effect_that_is_under_way_and_keeps_it(replica, url):
    zombie, heir = replica("zombie"), replica("heir")
    peer = the_one(heir.place.beat(), "zombie")
    fenced = threading.Event()

    def fence():
        heir.place.fence(peer)
        fenced.set()

    with zombie.database._connections.write() as transaction:
        transaction.connection.exec_driver_sql(
            "INSERT INTO order_numbers (agent, last) VALUES ('under way', 7)"
        )
        thread = threading.Thread(target=fence)
        thread.start()
        assert not fenced.wait(0.5)
    assert fenced.wait(10)
    thread.join()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT last FROM order_numbers").fetchall() == [(7,)]
    with pytest.raises(TakenOver):
        zombie.database.orders.next_seq(stores_nouns.AGENT)


def test_a_frozen_effect_does_not_hold_the_fence_up_and_is_taken_back(replica, url):
    zombie, heir = replica("zombie"), replica("heir")
    peer = the_one(heir.place.beat(), "zombie")

    def freeze_inside():
        with zombie.database._connections.write() as transaction:
            transaction.connection.exec_driver_sql(
                "INSERT INTO order_numbers (agent, last) VALUES ('frozen', 7)"
            )
            fenced.append(heir.place.fence(peer))  # when the server has ended our transaction

    fenced: list[bool] = []
    with pytest.raises(errors.Unavailable):
        freeze_inside()
    assert fenced == [True]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT * FROM order_numbers").fetchall() == []


def test_a_later_run_of_a_data_directory_takes_the_place_of_the_earlier(replica, url):
    earlier = replica("same")
    with contextlib.closing(open_database(url)) as database:
        later = database.replicas("same.later")
        later.join("same", log="database")
        with pytest.raises(TakenOver):
            earlier.place.require()
        assert later.fenced() == ("same.run",)
        later.leave()


def test_after_weeks_of_standing_still_the_work_is_known_to_be_anybody_s(replica, url):
    with contextlib.closing(Replica(url, "long ago")):
        pass
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE replicas SET fenced = now() - interval '30 days'")
    later = replica("later")
    assert later.place.fenced() == ("long ago.run",)
    later.place.forget()
    assert later.place.fenced() == ()


def test_two_logs_in_files_under_one_database_are_refused(replica):
    replica("a", log="files")
    for log in ("files", "database"):
        with pytest.raises(errors.Rejected, match="audit_log"):
            replica("b", log=log)


def test_a_killed_replica_is_seen_to_be_absent_at_once(replica, server):
    a, b = replica("a"), replica("b")
    assert the_one(a.place.beat(), "b").present
    b.place._presence.close()
    assert not the_one(a.place.beat(), "b").present
    b.place.beat()  # it was the session alone: it is back
    assert the_one(a.place.beat(), "b").present


# --- when a peer counts as gone: a table of what is seen, second by second


class Watched(membership.Membership):
    """Membership whose looks are given by hand."""

    def __init__(self, silence_s=5.0):
        self.fenced_ids: list[str] = []
        self.taken: list[list[str]] = []
        self.resumed = 0
        duties = membership.Duties(
            take_over=lambda ids: self.taken.append(list(ids)),
            resume=self._count,
            lost=lambda: None,
        )
        super().__init__(self, LocalClock(), duties, silence_s=silence_s)
        self.peers: list[Peer] = []
        self.id = "me"

    def _count(self):
        self.resumed += 1

    def beat(self):
        if self.peers is None:
            raise errors.Unavailable("the database is away")
        return self.peers

    def fence(self, peer):
        self.fenced_ids.append(peer.id)
        return True

    def fenced(self):
        return tuple(self.fenced_ids)

    def forget(self):
        assert len(self.taken) > 1, "what is forgotten was taken over before"

    def look(self, now, *peers):
        self.peers = list(peers)
        self._look(now)


def peer(beats, *, present=True):
    return Peer("b.1", "b", beats, present=present)


def looks(watched, seconds, make, start=0.0):
    now = start
    while now <= start + seconds:
        watched.look(now, make(now))
        now += 0.5
    return now


def test_a_frozen_peer_is_gone_after_the_silence_and_not_before():
    watched = Watched()
    looks(watched, 4.5, lambda _: peer(7))
    assert watched.fenced_ids == []
    looks(watched, 1.0, lambda _: peer(7), start=5.0)
    assert watched.fenced_ids[0] == "b.1"
    assert watched.taken[-1] == ["b.1"]
    assert watched.resumed == 1


def test_a_killed_peer_is_gone_after_three_beats():
    watched = Watched()
    looks(watched, 1.0, lambda _: peer(7, present=False))
    assert watched.fenced_ids == []
    watched.look(1.5, peer(7, present=False))
    assert watched.fenced_ids == ["b.1"]


def test_a_beating_peer_without_its_session_keeps_its_place():
    watched = Watched()
    looks(watched, 20.0, lambda now: peer(int(now * 2), present=False))
    assert watched.fenced_ids == []


def test_after_a_pause_of_our_own_everybody_is_watched_anew():
    watched = Watched()
    looks(watched, 4.5, lambda _: peer(7))
    looks(watched, 4.5, lambda _: peer(7), start=60.0)  # we were frozen, or the database away
    assert watched.fenced_ids == []


def test_work_that_was_left_is_looked_for_again_and_again():
    watched = Watched()
    watched.fenced_ids = ["old.1"]
    looks(watched, 11.0, lambda now: peer(int(now * 2)))
    assert len(watched.taken) == 3
    assert watched.resumed == 1


def test_who_joined_and_is_not_ready_yet_beats_already(replica, monkeypatch):
    monkeypatch.setattr(membership, "BEAT_S", 0.01)
    slow, other = replica("slow"), replica("other")
    first = the_one(other.place.beat(), "slow").beats
    starting = membership.Starting(slow.place)
    try:
        again = threading.Event()
        for _ in range(1000):
            if the_one(other.place.beat(), "slow").beats > first:
                again.set()
                break
            again.wait(0.01)
        assert again.is_set()
    finally:
        starting.stop()
    assert other.place.fence(the_one(other.place.beat(), "slow"))
    fenced = membership.Starting(slow.place)  # it hears of that and ends by itself
    fenced._thread.join(10)
    assert not fenced._thread.is_alive()
