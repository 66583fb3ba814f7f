"""What ports.incident_figures promises, on every engine."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sentienguard.adapters.sql_store import Database
from sentienguard.model import errors, ids
from sentienguard.model.care import HANDED_TO_PEOPLE, Signed
from sentienguard.model.decision import Confidence
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.model.order import ExecutionOutcome
from sentienguard.ports.incident_figures import Now, Record, Tally
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW

HERE = ("production",)
DAY = timedelta(days=1)


def ended(
    database: Database,
    number: int,
    outcome: Outcome,
    execution: ExecutionOutcome | None = None,
    *,
    took_s: float = 60,
    asked: bool = False,
    confidence: float = 0.9,
    environment: str = "production",
    after: timedelta = timedelta(0),
) -> Incident:
    """Keep an incident from its decision to its end."""
    opened_at = NOW + after
    of = replace(
        nouns.incident(number),
        id=ids.incident_id(opened_at, number.to_bytes(4, "big")),
        fingerprint=ids.Fingerprint(f"fp-{number}"),
        environment=environment,
        opened_at=opened_at,
    )
    database.incidents.open(of)
    sure = Confidence(confidence, 0.1, 1.0, ())
    database.incidents.put_decision(replace(nouns.decision(of), confidence=sure))
    if asked:
        database.approvals.open(
            replace(nouns.approval(number), id=ids.ApprovalId(f"a{number}"), incident=of.id)
        )
    if execution is not None:
        order = replace(
            nouns.order(number),
            id=ids.OrderId(f"ord-{number}"),
            incident=of.id,
            environment=environment,
        )
        database.orders.release(order, at=opened_at)
        database.orders.finished(nouns.report(order, outcome=execution))
    end = opened_at + timedelta(seconds=took_s)
    return database.incidents.move(of.id, Status.CLOSED, summary="x", outcome=outcome, at=end)


class FiguresCases:
    def test_nothing_kept_is_nothing_counted(self, database: Database) -> None:
        figures = database.figures
        assert figures.now(HERE) == Now(0, 0)
        assert figures.tallies(HERE, start=NOW, width=DAY, count=2) == (Tally(), Tally())
        assert figures.said(HERE, since=NOW, playbook=None, limit=9) == ()
        assert figures.records(HERE) == {}

    def test_no_environment_sees_nothing(self, database: Database) -> None:
        ended(database, 1, Outcome.RESOLVED, ExecutionOutcome.SUCCESS)
        figures = database.figures
        assert figures.now(()) == Now(0, 0)
        assert figures.left_to_people((), since=NOW, limit=9) == ()
        assert figures.tallies((), start=NOW, width=DAY, count=1) == (Tally(),)
        assert figures.said((), since=NOW, playbook=None, limit=9) == ()
        assert figures.records(()) == {}
        assert figures.decided("clean_disk", (), before=None, limit=9) == ()

    def test_what_is_open_is_counted_where_one_may_look(self, database: Database) -> None:
        first, second = nouns.incident(1), nouns.incident(2, subject="/srv")
        database.incidents.open(first)
        database.incidents.open(second)
        for status in (Status.ANALYZING, Status.AWAITING_APPROVAL):
            database.incidents.move(second.id, status, summary="x")
        assert database.figures.now(HERE) == Now(2, 1)
        assert database.figures.now(("staging",)) == Now(0, 0)

    def test_what_nobody_took_up_is_left_to_people(self, database: Database) -> None:
        for number, outcome in enumerate(Outcome, 1):
            ended(database, number, outcome)
        named = {
            one: ids.incident_id(NOW, n.to_bytes(4, "big")) for n, one in enumerate(Outcome, 1)
        }
        left = [named[one] for one in HANDED_TO_PEOPLE]
        find = database.figures.left_to_people
        assert find(HERE, since=NOW, limit=99) == tuple(sorted(left, reverse=True))
        assert find(HERE, since=NOW, limit=2) == tuple(sorted(left, reverse=True))[:2]
        assert find(HERE, since=NOW + DAY, limit=99) == ()
        assert find(("staging",), since=NOW, limit=99) == ()

    def test_what_somebody_took_up_is_not_left(self, database: Database) -> None:
        who = Signed("rita", NOW)
        seen, settled, again, given = (ended(database, n, Outcome.ESCALATED) for n in range(1, 5))
        database.care.acknowledge(seen.id, who)
        database.care.settle(settled.id, who, "repaired")
        database.incidents.open(replace(nouns.incident(9), reopens=again.id))
        database.care.assign(given.id, "otto", who)  # he may be asleep
        assert database.figures.left_to_people(HERE, since=NOW, limit=9) == (given.id,)

    def test_each_end_is_counted_as_what_it_was(self, database: Database) -> None:
        ran = ExecutionOutcome
        ended(database, 1, Outcome.RESOLVED, ran.SUCCESS, took_s=10)
        ended(database, 2, Outcome.RESOLVED, ran.SUCCESS, took_s=20, asked=True)
        ended(database, 3, Outcome.RESOLVED, ran.SUCCESS, took_s=90)
        ended(database, 4, Outcome.ROLLED_BACK, ran.ROLLED_BACK, took_s=500)
        ended(database, 5, Outcome.FAILED, ran.PARTIALLY_ROLLED_BACK)
        ended(database, 6, Outcome.FAILED, ran.UNKNOWN)
        ended(database, 7, Outcome.ESCALATED, ran.SUCCESS)
        ended(database, 8, Outcome.ESCALATED, ran.DRY_RUN)
        ended(database, 9, Outcome.ESCALATED, ran.ABORTED)
        ended(database, 10, Outcome.NO_ACTION_NEEDED, ran.SUCCESS_NO_ACTION, took_s=30)
        ended(database, 11, Outcome.SELF_RECOVERED, took_s=200)
        ended(database, 13, Outcome.FIXED_BY_PERSON, took_s=910)
        ended(database, 12, Outcome.RESOLVED, ran.SUCCESS, environment="staging")
        (found,) = database.figures.tallies(HERE, start=NOW, width=DAY, count=1)
        assert found == Tally(
            closed=12, resolved=3, unattended=2, ran=7, rolled_back=1, harmed=2,
            mean_s=40.0, median_s=20.0, recovered=6, recovered_mean_s=210.0,
            by_people=1, by_people_mean_s=910.0, by_people_median_s=910.0,
        )  # fmt: skip

    def test_what_people_ended_counts_when_they_said_so_and_from_its_opening(
        self, database: Database
    ) -> None:
        rita = Signed("rita", NOW + timedelta(seconds=3600))
        for number, outcome in enumerate(sorted(HANDED_TO_PEOPLE), 1):
            of = ended(database, number, outcome, took_s=60)  # closed long before it was ended
            late = replace(rita, at=rita.at + timedelta(days=number % 2))
            database.care.settle(of.id, late, "repaired")
        by_hand = ended(database, 10, Outcome.FIXED_BY_PERSON, took_s=100)
        database.care.settle(by_hand.id, replace(rita, at=by_hand.closed_at or NOW), "repaired")
        ended(database, 11, Outcome.FIXED_BY_PERSON, took_s=50)  # a run that a person asked for
        ended(database, 12, Outcome.ESCALATED)  # nobody has ended it
        mended = ended(database, 13, Outcome.RESOLVED, ExecutionOutcome.SUCCESS)
        database.care.settle(mended.id, rita, "looked at it")  # a remedy had ended it
        elsewhere = ended(database, 14, Outcome.ESCALATED, environment="staging")
        database.care.settle(elsewhere.id, rita, "repaired")
        first, second = database.figures.tallies(HERE, start=NOW, width=DAY, count=2)
        assert (first.by_people, second.by_people) == (4, 3)
        assert first.by_people_median_s == (100 + 3600) / 2
        assert first.by_people_mean_s == (50 + 100 + 3600 + 3600) / 4
        assert second.by_people_mean_s == second.by_people_median_s == 3600 + DAY.total_seconds()
        assert (second.closed, second.mean_s) == (0, None)

    def test_the_median_of_an_even_number_lies_in_the_middle(self, database: Database) -> None:
        for number, took_s in enumerate((10, 20, 40, 1000), 1):
            ended(database, number, Outcome.RESOLVED, took_s=took_s)
        (found,) = database.figures.tallies(HERE, start=NOW, width=DAY, count=1)
        assert (found.median_s, found.mean_s) == (30.0, 267.5)

    def test_spans_hold_their_beginning_and_not_their_end(self, database: Database) -> None:
        for number, after in enumerate((-1, 0, 86_399, 86_400, 2 * 86_400), 1):
            ended(
                database, number, Outcome.RESOLVED, after=timedelta(seconds=after - 60), took_s=60
            )
        found = database.figures.tallies(HERE, start=NOW, width=DAY, count=2)
        assert [one.closed for one in found] == [2, 1]

    @pytest.mark.parametrize(("width", "count"), [(timedelta(0), 1), (DAY, 0)])
    def test_no_span_at_all_is_refused(
        self, database: Database, width: timedelta, count: int
    ) -> None:
        with pytest.raises(errors.Rejected, match="at least one"):
            database.figures.tallies(HERE, start=NOW, width=width, count=count)

    def test_a_text_of_a_host_cannot_look_like_another_outcome(self, database: Database) -> None:
        of = ended(database, 1, Outcome.RESOLVED, ExecutionOutcome.SUCCESS)
        order = replace(nouns.order(2), id=ids.OrderId("ord-2"), incident=of.id)
        report = replace(
            nouns.report(order, outcome=ExecutionOutcome.DRY_RUN),
            reason='"outcome":"UNKNOWN"',
            left_behind=('{"outcome":"ROLLED_BACK"}',),
        )
        database.orders.release(order, at=NOW)
        database.orders.finished(report)
        (found,) = database.figures.tallies(HERE, start=NOW, width=DAY, count=1)
        assert (found.ran, found.rolled_back, found.harmed) == (1, 0, 0)

    def test_confidence_comes_with_what_came_of_it_the_newest_first(
        self, database: Database
    ) -> None:
        ran = ExecutionOutcome
        ended(database, 1, Outcome.RESOLVED, ran.SUCCESS, confidence=0.91, took_s=1)
        ended(database, 2, Outcome.ESCALATED, ran.SUCCESS, confidence=0.95, took_s=2)
        ended(database, 3, Outcome.ROLLED_BACK, ran.ROLLED_BACK, confidence=0.72, took_s=3)
        ended(database, 4, Outcome.ESCALATED, ran.DRY_RUN, confidence=0.6, took_s=4)
        ended(database, 5, Outcome.NO_ACTION_NEEDED, ran.SUCCESS_NO_ACTION, took_s=5)
        ended(database, 6, Outcome.REJECTED, took_s=6)
        ended(database, 7, Outcome.RESOLVED, ran.SUCCESS, environment="staging", took_s=7)
        said = database.figures.said(HERE, since=NOW, playbook=None, limit=9)
        assert [(one.playbook, one.confidence, one.resolved) for one in said] == [
            ("clean_disk", 0.72, False),
            ("clean_disk", 0.95, False),
            ("clean_disk", 0.91, True),
        ]
        assert len(database.figures.said(HERE, since=NOW, playbook=None, limit=2)) == 2
        assert database.figures.said(HERE, since=NOW, playbook="another", limit=9) == ()
        assert len(database.figures.said(HERE, since=NOW, playbook="clean_disk", limit=9)) == 3
        late = NOW + timedelta(seconds=2.5)
        assert len(database.figures.said(HERE, since=late, playbook=None, limit=9)) == 1

    def test_a_playbook_has_its_record_and_its_incidents(self, database: Database) -> None:
        first = ended(database, 1, Outcome.RESOLVED, ExecutionOutcome.SUCCESS)
        second = ended(database, 2, Outcome.FAILED, after=timedelta(seconds=5))
        ended(database, 3, Outcome.RESOLVED, environment="staging")
        assert database.figures.records(HERE) == {"clean_disk": Record(2, 1)}
        found = database.figures.decided("clean_disk", HERE, before=None, limit=9)
        assert [one.incident for one in found] == [second.id, first.id]
        assert (found[0].outcome, found[0].status) == (Outcome.FAILED, Status.CLOSED)
        (older,) = database.figures.decided("clean_disk", HERE, before=second.id, limit=9)
        assert older.incident == first.id
