"""One audit log in PostgreSQL: the contract of every log, and what only several writers can do."""

import contextlib
import threading

import psycopg
import pytest

from sentienguard.adapters.audit_files import export, reader
from sentienguard.adapters.audit_shared import log as shared
from sentienguard.adapters.audit_shared import memory
from sentienguard.adapters.sql_store import open_database
from sentienguard.ports import audit_log
from sentienguard.ports.replicas import TakenOver
from sentienguard.stages.audit import verify
from tests.contract import audit_log_cases
from tests.contract.audit_log_cases import INCIDENT, at_once, fact, rules, signed_events

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


class InDatabase:
    """A log in a database."""

    def __init__(self, database):
        self.database = database

    def open(self, make, **options):
        return shared.AuditShared(self.database.audit, make, **options)

    def stored(self):
        return shared.read_stored(self.database.audit)

    def sound(self):
        trust = verify.Trust(agent_key=audit_log_cases.KEYS.get)
        report = verify.verify(self.stored(), trust, deep=True, live=True)
        assert report.passed, report.findings
        return report


class TestInDatabase(audit_log_cases.AuditLogCases):
    @pytest.fixture
    def place(self, database):
        return InDatabase(database)


@pytest.fixture
def place(database):
    return InDatabase(database)


@pytest.fixture
def pair(place, url):
    """Two replicas' logs over one database, each with connections of its own."""
    with contextlib.ExitStack() as opened:
        other = opened.enter_context(contextlib.closing(open_database(url)))
        yield (
            opened.enter_context(place.open(rules)),
            opened.enter_context(InDatabase(other).open(rules)),
        )


def test_two_replicas_write_one_log_in_one_order(pair, place):
    places: list[int] = []

    def write(n):
        log = pair[n % 2]
        places.extend(log.append(fact(f"{n}:{m}")).index for m in range(15))

    at_once(8, write)
    assert sorted(places) == list(range(120))
    assert dict(place.sound().sources) == {"cp": 120}


def test_a_key_written_at_both_replicas_is_one_entry(pair, place):
    places: list[int] = []
    at_once(16, lambda n: places.append(pair[n % 2].append(fact("same")).index))
    assert places == [0] * 16
    assert place.sound().size == 1


def test_an_agent_goes_on_at_the_other_replica_where_it_stopped(pair, place):
    first, second, third = signed_events(3)
    one, other = pair
    one.append(first)
    with pytest.raises(audit_log.SourceGap):
        other.append(third)
    other.append(second)
    assert one.append(second).repeated
    one.append(third)
    assert dict(place.sound().sources) == {audit_log_cases.NAME: 3}


def test_what_one_replica_appended_the_other_reads_and_proves(pair):
    one, other = pair
    one.append_many([fact(n) for n in range(7)])
    assert len(other.by_incident(INCIDENT)) == 7
    assert other.prove(6).checkpoint == one.prove(6).checkpoint
    assert other.consistency(3, 7) == one.consistency(3, 7)
    assert one.add_cosignature(cosigned(one, 7)) == 1
    assert other.cosigned() == one.cosigned()


def cosigned(log, size):
    note = log.prove(size - 1).checkpoint
    return audit_log_cases.checkpoint.cosign(note, audit_log_cases.NAME, audit_log_cases.AGENT, 100)


def test_replicas_that_sign_at_once_sign_the_same(pair):
    seen: dict[int, set[str]] = {}
    turn = threading.Lock()

    def write_and_sign(n):
        for m in range(10):
            log = pair[n % 2]
            proof = log.prove(log.append(fact(f"{n}/{m}")).index)
            with turn:
                seen.setdefault(proof.size, set()).add(proof.checkpoint)

    at_once(6, write_and_sign)
    assert seen
    assert all(len(notes) == 1 for notes in seen.values())


class Doubtful:
    """A storage that loses the connection at the end of a turn, before or after the commit."""

    def __init__(self, storage, *, committed):
        self._storage, self._committed, self.armed = storage, committed, 0

    def __getattr__(self, name):
        return getattr(self._storage, name)

    @contextlib.contextmanager
    def turn(self):
        lost = shared.errors.Unavailable("the connection was lost")
        if self.armed and not self._committed:
            self.armed -= 1
            with self._storage.turn() as turn:
                yield turn
                raise lost
        with self._storage.turn() as turn:
            yield turn
        if self.armed:
            self.armed -= 1
            raise lost


@pytest.mark.parametrize("committed", [True, False])
def test_where_a_commit_is_in_doubt_nothing_is_lost_and_nothing_is_twice(
    place, database, committed
):
    storage = Doubtful(database.audit, committed=committed)
    with shared.AuditShared(storage, rules) as log:
        log.append(fact("before"))
        storage.armed = 3
        outcomes = log.append_many([fact("a"), fact("b"), *signed_events(2)])
        assert [one.index for one in outcomes] == [1, 2, 3, 4]
        assert log.append(fact("after")).index == 5
    report = place.sound()
    assert dict(report.sources) == {"cp": 4, audit_log_cases.NAME: 2}


def test_while_the_database_does_not_answer_appends_are_unavailable_and_then_go_on(
    place, database, monkeypatch
):
    monkeypatch.setattr(shared, "PATIENCE_S", 0.3)
    storage = Doubtful(database.audit, committed=False)
    with shared.AuditShared(storage, rules) as log:
        storage.armed = 1000
        with pytest.raises(audit_log.AuditUnavailable, match="give the same entries again"):
            log.append(fact("a"))
        storage.armed = 0
        assert log.append(fact("a")).index == 0
    assert place.sound().size == 1


def test_a_replica_that_was_taken_over_appends_signs_and_keeps_nothing_more(place, database, url):
    with contextlib.closing(open_database(url)) as other:
        zombie, heir = database.replicas("zombie.1"), other.replicas("heir.1")
        zombie.join("zombie", log="database")
        heir.join("heir", log="database")
        with place.open(rules) as log:
            log.append(fact("mine"))
            (peer,) = heir.beat()
            assert heir.fence(peer)
            with pytest.raises(TakenOver):
                log.append(fact("late"))
            with pytest.raises(TakenOver):
                log.put_blob(b"late", "text/plain")
            with pytest.raises(TakenOver):
                log.append(fact("later"))
        with InDatabase(other).open(rules) as log:
            assert log.append(fact("heir's")).index == 1
        zombie.leave()
        heir.leave()
    assert [one["key"] for one in keys(place)] == ["mine", "heir's"]


def keys(place):
    return [audit_log.StoredEntry(0, one).fields for one in place.stored().records]


def restored_to(url, size):
    """Take the database back to an older state, as a backup would."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM audit_entries WHERE place >= %s", (size,))
        connection.execute(
            "UPDATE audit_head SET size = %s, checkpoint = NULL, checkpoint_size = -1", (size,)
        )


def test_a_database_that_lost_acknowledged_entries_is_never_continued(place, url):
    with place.open(rules) as log:
        log.append_many([fact(n) for n in range(5)])
        restored_to(url, 3)
        with pytest.raises(audit_log.AuditBroken, match="older state"):
            log.append(fact("fork"))
        with pytest.raises(audit_log.AuditBroken):
            log.append(fact("again"))
    assert len(place.stored().records) == 3


def test_a_database_that_went_on_another_way_is_noticed_by_who_saw_the_first(place, url, database):
    with contextlib.closing(open_database(url)) as other, place.open(rules) as log:
        log.append_many([fact(n) for n in range(5)])
        log.prove(4)
        restored_to(url, 3)
        with InDatabase(other).open(rules) as naive:  # a new replica that knows nothing of it
            naive.append_many([fact(f"fork {n}") for n in range(4)])
            naive.prove(6)
        with pytest.raises(audit_log.AuditBroken):
            log.append(fact("x"))


def test_a_replica_remembers_over_a_restart_what_it_saw_signed(place, url, tmp_path):
    seen = memory.Seen(tmp_path / "seen")
    with place.open(rules, seen=seen) as log:
        log.append_many([fact(n) for n in range(5)])
    place.open(rules, seen=seen).close()
    restored_to(url, 3)
    with pytest.raises(audit_log.AuditBroken, match="not the one that was signed"):
        place.open(rules, seen=seen)


def test_a_changed_entry_is_noticed_at_the_start_and_by_the_verifier(place, url):
    with place.open(rules) as log:
        log.append_many([fact(n) for n in range(5)])
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE audit_entries SET stored = convert_to(replace(convert_from(stored, 'UTF8'),"
            " 'engine', 'nobody'), 'UTF8') WHERE place = 4"
        )
    with pytest.raises(audit_log.AuditBroken):
        place.open(rules)
    assert not verify.verify(place.stored()).passed


def test_no_two_entries_can_have_one_place_whatever_the_code_does(place, url):
    with place.open(rules) as log:
        log.append(fact("a"))
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO audit_entries (place, stored) VALUES (0, 'fork')")


def test_an_export_is_a_log_in_files_that_verifies(place, tmp_path):
    with place.open(rules) as log:
        log.append_many([fact(n) for n in range(300)])
        log.add_cosignature(cosigned(log, 300))
    target = tmp_path / "copy"
    assert export.write_stored(target, place.stored()) == 300
    copy = reader.read_stored(target)
    assert copy == place.stored()
    assert verify.verify(copy, deep=True).passed
    with pytest.raises(audit_log.EntryRefused, match="there already"):
        export.write_stored(target, place.stored())
