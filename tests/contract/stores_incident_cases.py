"""What ports.incident_store promises, on every engine."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.model import errors, ids
from sentienguard.model.anomaly import Severity
from sentienguard.model.incident import NEXT, Incident, Outcome, Status
from sentienguard.ports.incident_store import IncidentFilter, NoSuchIncident, WrongTransition
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import THREADS, at_once

ANY = IncidentFilter()
AT_2, AT_3 = later(2), later(3)  # when the second and the third of some incidents opened


def close(database: Database, incident: Incident, *, outcome: Outcome = Outcome.RESOLVED) -> None:
    database.incidents.move(
        incident.id, Status.CLOSED, summary="done", outcome=outcome, at=later(900)
    )


class IncidentCases:
    def test_an_incident_comes_back_as_it_was_kept(self, database: Database) -> None:
        given = nouns.incident()
        assert database.incidents.open(given) == given
        assert database.incidents.get(given.id) == given

    def test_an_incident_outlives_the_process(self, url: str, database: Database) -> None:
        given = database.incidents.open(nouns.incident())
        database.close()
        again = open_database(url)
        try:
            assert again.incidents.get(given.id) == given
        finally:
            again.close()

    def test_times_of_another_zone_name_the_same_instant(self, database: Database) -> None:
        elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
        given = database.incidents.open(replace(nouns.incident(), opened_at=elsewhere))
        assert database.incidents.get(given.id).opened_at == NOW

    def test_a_time_without_a_zone_is_refused(self, database: Database) -> None:
        with pytest.raises(errors.Broken, match="no time zone"):
            database.incidents.open(replace(nouns.incident(), opened_at=NOW.replace(tzinfo=None)))
        assert database.incidents.unfinished() == ()

    def test_an_open_symptom_takes_no_second_incident(self, database: Database) -> None:
        first = database.incidents.open(nouns.incident())
        assert database.incidents.open(nouns.moved_in_time(first, 60)) == first
        assert database.incidents.unfinished() == (first,)

    def test_a_closed_symptom_takes_a_new_incident(self, database: Database) -> None:
        first = database.incidents.open(nouns.incident())
        close(database, first)
        second = nouns.moved_in_time(first, 60)
        assert database.incidents.open(second) == second

    def test_the_same_symptom_of_two_agents_is_two_incidents(self, database: Database) -> None:
        first = database.incidents.open(nouns.incident(1))
        other = replace(nouns.incident(2), agent=ids.AgentId("another"))
        assert database.incidents.open(other) == other
        assert database.incidents.unfinished() == (first, other)
        assert database.incidents.unfinished(first.agent) == (first,)
        assert database.incidents.unfinished(ids.AgentId("another")) == (other,)
        assert database.incidents.unfinished(ids.AgentId("nobody")) == ()

    def test_opening_again_what_was_closed_meanwhile_reopens_nothing(
        self, database: Database
    ) -> None:
        given = database.incidents.open(nouns.incident())
        close(database, given)
        assert database.incidents.open(given).status is Status.CLOSED
        assert database.incidents.unfinished() == ()

    def test_an_id_of_another_symptom_is_refused(self, database: Database) -> None:
        first = database.incidents.open(nouns.incident())
        other = replace(nouns.incident(2, subject="/srv"), id=first.id)
        with pytest.raises(errors.Rejected, match="belongs to another symptom"):
            database.incidents.open(other)

    def test_twenty_threads_of_two_control_planes_open_one_incident(
        self, url: str, database: Database
    ) -> None:
        other = open_database(url)
        try:
            given = [nouns.moved_in_time(nouns.incident(), number) for number in range(THREADS)]
            planes = (database, other)
            found = at_once(lambda number: planes[number % 2].incidents.open(given[number]))
        finally:
            other.close()
        assert len({incident.id for incident in found}) == 1
        assert len(database.incidents.unfinished()) == 1

    def test_opening_while_others_close_never_leaves_two_open(self, database: Database) -> None:
        def work(number: int) -> None:
            for turn in range(5):
                mine = database.incidents.open(
                    nouns.moved_in_time(nouns.incident(), number * 100 + turn)
                )
                close(database, mine)

        at_once(work, 8)
        assert database.incidents.unfinished() == ()

    @pytest.mark.parametrize("wanted", ["inc_none", "", "'; DROP TABLE incidents; --"])
    def test_an_unknown_incident_is_said_to_be_unknown(
        self, database: Database, wanted: str
    ) -> None:
        unknown = ids.IncidentId(wanted)
        with pytest.raises(NoSuchIncident):
            database.incidents.get(unknown)
        with pytest.raises(NoSuchIncident):
            database.incidents.move(unknown, Status.ANALYZING, summary="")
        assert database.incidents.decision(unknown) is None

    def test_every_move_of_the_life_is_possible_and_no_other(self, database: Database) -> None:
        for number, (here, there) in enumerate((a, b) for a in Status for b in Status):
            given = replace(nouns.incident(number, subject=f"/{number}"), status=here)
            if here is Status.CLOSED:
                given = replace(given, outcome=Outcome.RESOLVED, closed_at=NOW)
            database.incidents.open(given)
            end = {"outcome": Outcome.FAILED, "at": later(5)} if there is Status.CLOSED else {}
            if here is there:
                assert database.incidents.move(given.id, there, summary="again", **end) == given
            elif there in NEXT[here]:
                moved = database.incidents.move(given.id, there, summary="on", **end)
                assert (moved.status, moved.summary) == (there, "on")
                assert database.incidents.get(given.id) == moved
            else:
                with pytest.raises(WrongTransition, match=f"is {here} and cannot become {there}"):
                    database.incidents.move(given.id, there, summary="", **end)
                assert database.incidents.get(given.id) == given

    def test_closing_keeps_how_and_when(self, database: Database) -> None:
        given = database.incidents.open(nouns.incident())
        moved = database.incidents.move(
            given.id, Status.CLOSED, summary="gone", outcome=Outcome.SELF_RECOVERED, at=later(9)
        )
        assert (moved.outcome, moved.closed_at) == (Outcome.SELF_RECOVERED, later(9))
        assert database.incidents.get(given.id) == moved

    def test_closing_needs_an_outcome_and_a_time(self, database: Database) -> None:
        given = database.incidents.open(nouns.incident())
        with pytest.raises(WrongTransition, match="needs an outcome and a time"):
            database.incidents.move(given.id, Status.CLOSED, summary="", at=NOW)
        with pytest.raises(WrongTransition, match="needs an outcome and a time"):
            database.incidents.move(given.id, Status.CLOSED, summary="", outcome=Outcome.FAILED)
        with pytest.raises(WrongTransition, match="goes with CLOSED only"):
            database.incidents.move(given.id, Status.ANALYZING, summary="", outcome=Outcome.FAILED)
        assert database.incidents.get(given.id) == given

    def test_of_two_people_who_close_at_once_one_is_kept(self, database: Database) -> None:
        given = database.incidents.open(nouns.incident())
        outcomes = tuple(Outcome)

        def work(number: int) -> Outcome | None:
            return database.incidents.move(
                given.id, Status.CLOSED, summary="", outcome=outcomes[number], at=NOW
            ).outcome

        found = at_once(work, len(outcomes))
        assert set(found) == {database.incidents.get(given.id).outcome}

    def test_pages_follow_one_another_newest_first(self, database: Database) -> None:
        kept = [
            database.incidents.open(nouns.incident(number, subject=f"/{number}"))
            for number in range(7)
        ]
        same_time = replace(nouns.incident(50, subject="/same"), opened_at=kept[3].opened_at)
        kept.append(database.incidents.open(same_time))
        expected = sorted(kept, key=lambda one: (one.opened_at, one.id), reverse=True)

        found: list[Incident] = []
        cursor = None
        for size in (3, 3, 2):
            page = database.incidents.list(ANY, cursor=cursor, limit=3)
            assert len(page.incidents) == size
            found += page.incidents
            cursor = page.next_cursor
        assert cursor is None
        assert found == expected

    def test_a_page_that_is_exactly_full_is_the_last(self, database: Database) -> None:
        given = database.incidents.open(nouns.incident())
        assert database.incidents.list(ANY, cursor=None, limit=1).next_cursor is None
        assert database.incidents.list(ANY, cursor=None, limit=1).incidents == (given,)

    def test_an_empty_database_has_one_empty_page(self, database: Database) -> None:
        page = database.incidents.list(ANY, cursor=None, limit=10)
        assert (page.incidents, page.next_cursor) == ((), None)

    def test_what_opens_meanwhile_does_not_shift_the_next_page(self, database: Database) -> None:
        for number in range(4):
            database.incidents.open(nouns.incident(number, subject=f"/{number}"))
        first = database.incidents.list(ANY, cursor=None, limit=2)
        database.incidents.open(nouns.incident(9, subject="/new"))
        second = database.incidents.list(ANY, cursor=first.next_cursor, limit=2)
        assert [one.anomaly.series.subject for one in second.incidents] == ["/1", "/0"]

    @pytest.mark.parametrize(
        "cursor",
        ["", "x", "!!!", "é", "MTIz", "eCB5", "MSA", "\x00", "OTk5OTk5OTk5OTk5OTk5OTk5OTkgaQ"],
    )
    def test_a_cursor_that_we_did_not_give_is_rejected_or_finds_nothing(
        self, database: Database, cursor: str
    ) -> None:
        database.incidents.open(nouns.incident())
        try:
            page = database.incidents.list(ANY, cursor=cursor, limit=10)
        except errors.Rejected:
            return
        assert page.incidents == ()

    def test_a_cursor_of_nonsense_is_rejected(self, database: Database) -> None:
        with pytest.raises(errors.Rejected, match="begin again without a cursor"):
            database.incidents.list(ANY, cursor="nonsense", limit=10)

    def test_a_page_of_nothing_is_rejected(self, database: Database) -> None:
        with pytest.raises(errors.Rejected, match="limit of at least 1"):
            database.incidents.list(ANY, cursor=None, limit=0)

    @pytest.mark.parametrize(
        ("where", "subjects"),
        [
            (IncidentFilter(), ["/c", "/b", "/a"]),
            (IncidentFilter(status=Status.CLOSED), ["/a"]),
            (IncidentFilter(status=Status.OPEN), ["/c", "/b"]),
            (IncidentFilter(outcome=Outcome.ESCALATED), ["/a"]),
            (IncidentFilter(outcome=Outcome.RESOLVED), []),
            (IncidentFilter(environment="staging"), ["/b"]),
            (IncidentFilter(within=frozenset({"staging"})), ["/b"]),
            (IncidentFilter(within=frozenset({"staging", "production"})), ["/c", "/b", "/a"]),
            (IncidentFilter(within=frozenset()), []),
            (IncidentFilter(environment="production", within=frozenset({"staging"})), []),
            (IncidentFilter(text="tidy", within=frozenset({"staging"})), []),
            (IncidentFilter(host="db_1"), ["/c"]),
            (IncidentFilter(host="db"), []),
            (IncidentFilter(text="DISK_USAGE"), ["/c", "/b", "/a"]),
            (IncidentFilter(text="/b"), ["/b"]),
            (IncidentFilter(text="db_1"), ["/c"]),
            (IncidentFilter(text="ÄRGER"), ["/b"]),
            (IncidentFilter(text="STRASSE"), ["/b"]),
            (IncidentFilter(text="b_1"), ["/c"]),
            (IncidentFilter(text="%"), ["/c"]),
            (IncidentFilter(text="_1%"), []),
            (IncidentFilter(text="!"), []),
            (IncidentFilter(text="' OR '1'='1"), []),
            (IncidentFilter(text=""), ["/c", "/b", "/a"]),
            (IncidentFilter(text="inc_20260212_112601"), ["/a"]),
            (IncidentFilter(environment="production", host="web-1", text="tidy"), ["/a"]),
            (IncidentFilter(severity=Severity.CRITICAL), ["/b", "/a"]),
            (IncidentFilter(severity=Severity.WARNING), ["/c"]),
            (IncidentFilter(severity=Severity.INFO), []),
            (IncidentFilter(since=AT_2), ["/c", "/b"]),
            (IncidentFilter(until=AT_2), ["/a"]),
            (IncidentFilter(since=AT_2, until=AT_3), ["/b"]),
            (IncidentFilter(since=AT_3, until=AT_2), []),
            (IncidentFilter(severity=Severity.CRITICAL, since=AT_2, text="straße"), ["/b"]),
        ],
    )
    def test_a_list_holds_what_its_filter_names(
        self, database: Database, where: IncidentFilter, subjects: list[str]
    ) -> None:
        first = database.incidents.open(nouns.incident(1, subject="/a"))
        database.incidents.open(
            replace(nouns.incident(2, subject="/b"), environment="staging", summary="Ärger Straße")
        )
        third = nouns.incident(3, subject="/c", host="db_1")
        said = replace(third.anomaly, severity=Severity.WARNING, reason='"severity":"info"')
        database.incidents.open(replace(third, anomaly=said, summary="100% full"))
        database.incidents.move(
            first.id, Status.CLOSED, summary="Tidy", outcome=Outcome.ESCALATED, at=NOW
        )
        page = database.incidents.list(where, cursor=None, limit=10)
        assert [one.anomaly.series.subject for one in page.incidents] == subjects

    def test_a_search_of_a_novel_is_rejected(self, database: Database) -> None:
        with pytest.raises(errors.Rejected, match="at most 200"):
            database.incidents.list(IncidentFilter(text="x" * 201), cursor=None, limit=1)

    def test_the_newest_unfinished_of_an_environment_come_oldest_first(
        self, database: Database
    ) -> None:
        kept = [nouns.incident(number, subject=f"/{number}") for number in range(1, 6)]
        elsewhere = replace(nouns.incident(6, subject="/6"), environment="elsewhere")
        for one in (*reversed(kept), elsewhere):
            database.incidents.open(one)
        database.incidents.move(
            kept[4].id, Status.CLOSED, summary="", outcome=Outcome.ESCALATED, at=later(10)
        )
        place = kept[0].environment
        newest = database.incidents.newest_unfinished
        assert [one.id for one in newest(place, most=2)] == [kept[2].id, kept[3].id]
        assert [one.id for one in newest(place, most=9)] == [one.id for one in kept[:4]]
        assert [one.id for one in newest("elsewhere", most=9)] == [elsewhere.id]
        assert newest("nowhere", most=9) == ()

    def test_unfinished_ones_come_oldest_first(self, database: Database) -> None:
        kept = [
            database.incidents.open(nouns.incident(number, subject=f"/{number}"))
            for number in (3, 1, 2)
        ]
        close(database, kept[2])
        assert database.incidents.unfinished() == (kept[1], kept[0])

    def test_agents_are_found_by_the_statuses_of_their_incidents(self, database: Database) -> None:
        store = database.incidents
        given = store.open(nouns.incident())
        closed = store.open(replace(nouns.incident(2), agent=ids.AgentId("another")))
        close(database, closed)
        assert store.agents_in([Status.OPEN, Status.VERIFYING]) == {given.agent}
        assert store.agents_in([Status.CLOSED]) == {closed.agent}
        assert store.agents_in([Status.VERIFYING]) == store.agents_in([]) == frozenset()

    def test_those_that_are_not_closed_are_counted_by_agent(self, database: Database) -> None:
        store = database.incidents
        given = [store.open(nouns.incident(n, subject=f"/{n}")) for n in (1, 2, 3)]
        other = store.open(replace(nouns.incident(4), agent=ids.AgentId("another")))
        assert store.open_by_agent() == {given[0].agent: 3, other.agent: 1}
        for one in (given[1], other):
            close(database, one)
        assert store.open_by_agent() == {given[0].agent: 2}

    def test_the_open_one_of_a_symptom_is_found(self, database: Database) -> None:
        given = database.incidents.open(nouns.incident())
        store = database.incidents
        assert store.open_for(given.agent, given.fingerprint) == given
        assert store.open_for(given.agent, ids.Fingerprint("0" * 16)) is None
        assert store.open_for(ids.AgentId("another"), given.fingerprint) is None
        close(database, given)
        assert store.open_for(given.agent, given.fingerprint) is None

    def test_earlier_ones_are_closed_recent_and_newest_first(self, database: Database) -> None:
        base = nouns.incident()
        for seconds in (0, 100, 200, 300):
            kept = database.incidents.open(nouns.moved_in_time(base, seconds))
            if seconds < 300:
                close(database, kept)
        found = database.incidents.earlier(
            base.agent, base.fingerprint, since=base.opened_at + timedelta(seconds=100)
        )
        assert [(one.opened_at - base.opened_at).seconds for one in found] == [200, 100]

    def test_a_decision_comes_back_and_the_first_one_stays(self, database: Database) -> None:
        given = database.incidents.open(nouns.incident())
        assert database.incidents.decision(given.id) is None
        first = nouns.decision(given)
        database.incidents.put_decision(first)
        database.incidents.put_decision(replace(first, playbook=None))
        assert database.incidents.decision(given.id) == first

    def test_a_further_decision_takes_the_place_of_the_one_it_follows_and_of_no_other(
        self, database: Database
    ) -> None:
        given = database.incidents.open(nouns.incident())
        first = nouns.decision(given)
        second = replace(first, playbook=ids.PlaybookName("restart"))
        assert first.playbook is not None
        database.incidents.put_further(second, after=first.playbook)
        assert database.incidents.decision(given.id) is None
        database.incidents.put_decision(first)
        database.incidents.put_further(second, after=first.playbook)
        assert database.incidents.decision(given.id) == second
        database.incidents.put_further(first, after=first.playbook)  # performed a second time
        assert database.incidents.decision(given.id) == second
        database.incidents.put_further(
            replace(first, playbook=None), after=ids.PlaybookName("restart")
        )
        assert database.incidents.decision(given.id) == replace(first, playbook=None)

    def test_a_decision_needs_its_incident(self, database: Database) -> None:
        with pytest.raises(NoSuchIncident):
            database.incidents.put_decision(nouns.decision(nouns.incident()))

    def test_outcomes_of_a_playbook_are_those_of_its_environment(self, database: Database) -> None:
        cases = [
            (1, "production", nouns.CLEAN_DISK, Outcome.RESOLVED),
            (2, "production", nouns.CLEAN_DISK, Outcome.FAILED),
            (3, "staging", nouns.CLEAN_DISK, Outcome.FAILED),
            (4, "production", ids.PlaybookName("restart"), Outcome.FAILED),
            (5, "production", None, Outcome.ESCALATED),
            (6, "production", nouns.CLEAN_DISK, None),
        ]
        for number, environment, playbook, outcome in cases:
            given = replace(nouns.incident(number, subject=f"/{number}"), environment=environment)
            database.incidents.open(given)
            database.incidents.put_decision(nouns.decision(given, playbook=playbook))
            if outcome is not None:
                database.incidents.move(
                    given.id, Status.CLOSED, summary="", outcome=outcome, at=later(number * 10)
                )
        assert database.incidents.outcomes("clean_disk", "production") == (
            (later(20), Outcome.FAILED),
            (later(10), Outcome.RESOLVED),
        )

    @pytest.mark.parametrize("text", ["nul \x00", "half a pair \ud800"])
    def test_text_that_one_engine_cannot_hold_is_rejected_on_both(
        self, database: Database, text: str
    ) -> None:
        given = database.incidents.open(nouns.incident())
        with pytest.raises(errors.Rejected, match="summary holds a character"):
            database.incidents.move(given.id, Status.ANALYZING, summary=text)
        assert database.incidents.get(given.id) == given

    def test_a_value_that_would_not_read_back_is_rejected(self, database: Database) -> None:
        given = nouns.incident()
        for value in (float("nan"), float("inf")):
            broken = replace(given, anomaly=replace(given.anomaly, value=value))
            with pytest.raises(errors.Rejected, match="anomaly"):
                database.incidents.open(broken)
        assert database.incidents.unfinished() == ()
