"""What ports.order_store promises of the orders that a host says it began, on every engine."""

from dataclasses import replace

from sentienguard.adapters.sql_store import Database
from sentienguard.model.ids import AgentId, OrderId
from sentienguard.model.order import Order
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW, later


def given(database: Database, number: int, *, at: float, agent: AgentId = nouns.AGENT) -> Order:
    """Release an order and hand it over `at` seconds later."""
    made = nouns.order(number, agent=agent)
    assert database.orders.release(made, at=NOW)
    assert database.orders.delivered([made.id], at=later(at)) == {made.id}
    return made


def begun(database: Database, since: float) -> list[OrderId]:
    found = database.orders.begun_on(nouns.AGENT, since=later(since))
    return [one.order.id for one in found]


class BegunCases:
    def test_what_began_is_told_oldest_first_with_its_report(self, database: Database) -> None:
        late, early = given(database, 1, at=20), given(database, 2, at=10)
        for one in (late, early):
            database.orders.admitted(one.id)
        database.orders.finished(nouns.report(late))
        assert begun(database, 0) == [early.id, late.id]
        running, ended = database.orders.begun_on(nouns.AGENT, since=NOW)
        assert (running.report, ended.report) == (None, nouns.report(late))

    def test_what_waits_was_refused_or_taken_back_did_not_begin(self, database: Database) -> None:
        given(database, 1, at=10)
        refused = given(database, 2, at=10)
        database.orders.refused(refused.id, because="rule guard_holds")
        withdrawn = nouns.order(3)
        database.orders.release(withdrawn, at=NOW)
        assert database.orders.withdraw(withdrawn.id)
        assert begun(database, 0) == []

    def test_nothing_from_before_and_nothing_of_another_host(self, database: Database) -> None:
        before, since = given(database, 1, at=9.9), given(database, 2, at=10)
        other = given(database, 3, at=10, agent=AgentId("another"))
        for one in (before, since, other):
            database.orders.admitted(one.id)
        assert begun(database, 10) == [since.id]

    def test_what_began_without_a_note_that_it_was_handed_over_counts_from_its_release(
        self, database: Database
    ) -> None:
        made = nouns.order(1)
        database.orders.release(made, at=later(5))
        database.orders.admitted(made.id)
        assert begun(database, 5) == [made.id]
        assert begun(database, 6) == []

    def test_dry_runs_are_among_them(self, database: Database) -> None:
        made = replace(nouns.order(1), dry_run=True)
        database.orders.release(made, at=NOW)
        database.orders.delivered([made.id], at=NOW)
        database.orders.admitted(made.id)
        assert [one.order.dry_run for one in database.orders.begun_on(made.agent, since=NOW)] == [
            True
        ]
