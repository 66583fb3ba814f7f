"""What ports.order_store promises, on every engine."""

from dataclasses import replace

import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.model import ids
from sentienguard.model.incident import Outcome, Status
from sentienguard.model.order import ExecutionOutcome, OrderStatus
from sentienguard.ports.order_store import Budget, NoRoom, NoSuchOrder
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import THREADS, at_once


class OrderCases:
    def test_an_order_comes_back_as_it_was_released(self, database: Database) -> None:
        given = nouns.order()
        assert database.orders.release(given, at=later(5))
        kept = database.orders.get(given.id)
        assert kept.order == given
        assert (kept.status, kept.released_at) == (OrderStatus.RELEASED, later(5))
        assert kept.delivered_at is kept.refused_because is kept.report is None
        assert kept.stop_requested_by is None

    def test_a_second_release_changes_nothing(self, database: Database) -> None:
        given = nouns.order()
        database.orders.release(given, at=NOW)
        assert not database.orders.release(replace(given, parameters={}), at=later(60))
        kept = database.orders.get(given.id)
        assert (kept.order, kept.released_at) == (given, NOW)

    def test_twenty_releases_at_once_are_one(self, database: Database) -> None:
        given = nouns.order()
        assert sum(at_once(lambda _: database.orders.release(given, at=NOW))) == 1

    def test_twenty_threads_of_two_control_planes_never_get_a_number_twice(
        self, url: str, database: Database
    ) -> None:
        other = open_database(url)
        try:
            planes = (database, other)
            found = at_once(
                lambda number: [planes[number % 2].orders.next_seq(nouns.AGENT) for _ in range(5)]
            )
        finally:
            other.close()
        numbers = [number for one in found for number in one]
        assert sorted(numbers) == list(range(1, 5 * THREADS + 1))
        assert all(one == sorted(one) for one in found)

    def test_numbers_rise_over_restarts_for_each_agent(self, url: str, database: Database) -> None:
        assert [database.orders.next_seq(nouns.AGENT) for _ in range(2)] == [1, 2]
        database.close()
        again = open_database(url)
        try:
            assert again.orders.next_seq(nouns.AGENT) == 3
            assert again.orders.next_seq(ids.AgentId("another")) == 1
        finally:
            again.close()

    def test_an_agent_waits_for_its_own_unfinished_orders_oldest_first(
        self, database: Database
    ) -> None:
        first, second, third = (nouns.order(number) for number in (1, 2, 3))
        foreign = nouns.order(4, agent=ids.AgentId("another"))
        for given, seconds in ((second, 2), (first, 1), (third, 3), (foreign, 0)):
            database.orders.release(given, at=later(seconds))
        database.orders.delivered([first.id], at=later(9))
        database.orders.withdraw(third.id)
        waiting = database.orders.waiting(nouns.AGENT)
        assert [kept.order for kept in waiting] == [first, second]
        database.orders.admitted(first.id)
        database.orders.refused(second.id, because="frozen")
        assert database.orders.waiting(nouns.AGENT) == ()

    def test_under_way_is_what_an_agent_was_given_and_has_not_ended(
        self, database: Database
    ) -> None:
        given = [nouns.order(number) for number in range(6)]
        released, delivered, admitted, refused, finished, withdrawn = given
        for number, one in enumerate(given):
            database.orders.release(one, at=later(-number))
        database.orders.withdraw(withdrawn.id)
        for one in (delivered, admitted, refused, finished):
            database.orders.delivered([one.id], at=NOW)
        database.orders.admitted(admitted.id)
        database.orders.refused(refused.id, because="no")
        database.orders.finished(nouns.report(finished))
        under_way = database.orders.under_way(nouns.AGENT)
        assert [kept.order for kept in under_way] == [admitted, delivered]
        assert database.orders.under_way(ids.AgentId("another")) == ()
        assert [kept.order for kept in database.orders.waiting(nouns.AGENT)] == [
            delivered,
            released,
        ]

    def test_who_expects_something_has_an_order_that_waits_or_is_under_way(
        self, database: Database
    ) -> None:
        states = ("released", "delivered", "admitted", "refused", "finished", "withdrawn")
        agents = [ids.AgentId(name) for name in states]
        orders = [nouns.order(number, agent=agent) for number, agent in enumerate(agents)]
        _, delivered, admitted, refused, finished, withdrawn = orders
        for one in orders:
            database.orders.release(one, at=NOW)
        database.orders.withdraw(withdrawn.id)
        for one in (delivered, admitted, refused, finished):
            database.orders.delivered([one.id], at=NOW)
        database.orders.admitted(admitted.id)
        database.orders.refused(refused.id, because="no")
        database.orders.finished(nouns.report(finished))
        assert database.orders.expecting([*agents, ids.AgentId("another")]) == set(agents[:3])
        assert database.orders.expecting(agents[1:2]) == {delivered.agent}
        assert database.orders.expecting([]) == frozenset()

    def test_what_stands_for_several_agents_is_what_waits_or_is_under_way_for_each(
        self, database: Database
    ) -> None:
        states = ("released", "delivered", "admitted", "refused", "finished", "withdrawn")
        agents = [ids.AgentId(name) for name in states]
        orders = [nouns.order(number, agent=agent) for number, agent in enumerate(agents)]
        released, delivered, admitted, refused, finished, withdrawn = orders
        older = nouns.order(9, agent=agents[0])
        for one in orders:
            database.orders.release(one, at=NOW)
        database.orders.release(older, at=later(-1))
        database.orders.withdraw(withdrawn.id)
        database.orders.delivered([one.id for one in (delivered, admitted, finished)], at=NOW)
        database.orders.admitted(admitted.id)
        database.orders.refused(refused.id, because="no")
        database.orders.finished(nouns.report(finished))
        standing = database.orders.standing([*agents, ids.AgentId("another")])
        assert {agent: [one.order for one in kept] for agent, kept in standing.items()} == {
            agents[0]: [older, released],
            agents[1]: [delivered],
            agents[2]: [admitted],
        }
        assert standing[agents[2]][0] == database.orders.get(admitted.id)
        assert list(database.orders.standing(agents[1:2])) == agents[1:2]
        assert database.orders.standing([]) == {}

    def test_of_orders_that_are_handed_over_together_those_taken_back_are_left_out(
        self, database: Database
    ) -> None:
        first, second, third = (nouns.order(number) for number in (1, 2, 3))
        for given in (first, second, third):
            database.orders.release(given, at=NOW)
        database.orders.withdraw(second.id)
        wanted = [third.id, second.id, first.id]
        assert database.orders.delivered(wanted, at=later(1)) == {first.id, third.id}
        assert database.orders.delivered([], at=later(1)) == frozenset()
        assert [database.orders.get(one).delivered_at for one in wanted] == [
            later(1), None, later(1),
        ]  # fmt: skip

    def test_together_with_an_order_that_nobody_knows_none_is_handed_over(
        self, database: Database
    ) -> None:
        given = nouns.order(1)
        database.orders.release(given, at=NOW)
        with pytest.raises(NoSuchOrder):
            database.orders.delivered([given.id, ids.OrderId("ord_zz")], at=NOW)
        assert database.orders.get(given.id).status is OrderStatus.RELEASED

    def test_numbers_for_several_are_each_agents_own_next(self, database: Database) -> None:
        one, other = ids.AgentId("one"), ids.AgentId("other")
        database.orders.next_seq(other)
        assert list(database.orders.next_seqs([other, one, other])) == [2, 1, 3]
        assert list(database.orders.next_seqs([])) == []
        assert database.orders.next_seq(one) == 2

    def test_a_second_delivery_keeps_the_time_of_the_first(self, database: Database) -> None:
        given = nouns.order()
        database.orders.release(given, at=NOW)
        assert database.orders.delivered([given.id], at=later(1))
        assert database.orders.delivered([given.id], at=later(2))
        kept = database.orders.get(given.id)
        assert (kept.status, kept.delivered_at) == (OrderStatus.DELIVERED, later(1))

    def test_only_what_was_not_delivered_can_be_withdrawn(self, database: Database) -> None:
        first, second = nouns.order(1), nouns.order(2)
        for given in (first, second):
            database.orders.release(given, at=NOW)
        database.orders.delivered([first.id], at=NOW)
        assert not database.orders.withdraw(first.id)
        assert database.orders.get(first.id).status is OrderStatus.DELIVERED
        assert database.orders.withdraw(second.id)
        assert database.orders.withdraw(second.id)
        assert not database.orders.delivered([second.id], at=NOW)
        assert database.orders.get(second.id).status is OrderStatus.WITHDRAWN

    def test_delivery_and_withdrawal_at_once_do_not_both_happen(self, database: Database) -> None:
        for number in range(10):
            given = nouns.order(number)
            database.orders.release(given, at=NOW)
            delivered, withdrawn = at_once(
                lambda which, given=given: (
                    database.orders.withdraw(given.id)
                    if which
                    else bool(database.orders.delivered([given.id], at=NOW))
                ),
                2,
            )
            assert delivered != withdrawn

    def test_a_life_never_goes_back(self, database: Database) -> None:
        given = nouns.order()
        database.orders.release(given, at=NOW)
        database.orders.delivered([given.id], at=NOW)
        database.orders.admitted(given.id)
        assert not database.orders.delivered([given.id], at=later(1))
        assert not database.orders.withdraw(given.id)
        database.orders.refused(given.id, because="too late")
        assert database.orders.get(given.id).status is OrderStatus.ADMITTED
        database.orders.finished(nouns.report(given))
        database.orders.admitted(given.id)
        database.orders.refused(given.id, because="too late")
        kept = database.orders.get(given.id)
        assert (kept.status, kept.refused_because) == (OrderStatus.FINISHED, None)

    def test_a_refusal_keeps_its_reason_and_is_no_start(self, database: Database) -> None:
        given = nouns.order()
        database.orders.release(given, at=NOW)
        database.orders.refused(given.id, because="guard is false")
        database.orders.refused(given.id, because="again")
        database.orders.admitted(given.id)
        kept = database.orders.get(given.id)
        assert (kept.status, kept.refused_because) == (OrderStatus.REFUSED, "guard is false")

    def test_the_first_report_stays(self, database: Database) -> None:
        given = nouns.order()
        database.orders.release(given, at=NOW)
        first = nouns.report(given)
        database.orders.finished(first)
        database.orders.finished(nouns.report(given, outcome=ExecutionOutcome.UNKNOWN))
        kept = database.orders.get(given.id)
        assert (kept.status, kept.report) == (OrderStatus.FINISHED, first)

    def test_what_the_host_says_of_a_withdrawn_order_is_kept(self, database: Database) -> None:
        given = nouns.order()
        database.orders.release(given, at=NOW)
        database.orders.withdraw(given.id)
        database.orders.admitted(given.id)
        database.orders.finished(nouns.report(given))
        assert database.orders.get(given.id).status is OrderStatus.FINISHED

    def test_a_stop_is_asked_of_what_has_not_ended(self, database: Database) -> None:
        given = nouns.order()
        database.orders.release(given, at=NOW)
        assert database.orders.request_stop(given.id, by="anna")
        assert database.orders.request_stop(given.id, by="bert")
        assert database.orders.get(given.id).stop_requested_by == "anna"
        database.orders.finished(nouns.report(given))
        assert not database.orders.request_stop(given.id, by="carl")
        refused, withdrawn = nouns.order(2), nouns.order(3)
        database.orders.release(refused, at=NOW)
        database.orders.refused(refused.id, because="no")
        database.orders.release(withdrawn, at=NOW)
        database.orders.withdraw(withdrawn.id)
        assert not database.orders.request_stop(refused.id, by="anna")
        assert not database.orders.request_stop(withdrawn.id, by="anna")

    def test_orders_of_an_environment_are_counted_from_a_time_on(self, database: Database) -> None:
        for number in range(4):
            database.orders.release(nouns.order(number), at=later(number))
        database.orders.release(replace(nouns.order(9), environment="staging"), at=later(9))
        assert database.orders.started_since(later(1), environment="production") == 3
        assert database.orders.started_since(NOW, environment="staging") == 1
        assert database.orders.started_since(NOW, environment="nowhere") == 0

    def test_a_release_that_finds_no_room_keeps_nothing(self, database: Database) -> None:
        budget = Budget(most=2, since=NOW)
        database.orders.release(nouns.order(0), at=later(-1), within=budget)  # an hour ago
        for number in (1, 2):
            assert database.orders.release(nouns.order(number), at=later(number), within=budget)
        with pytest.raises(NoRoom, match="2 of 2 orders"):
            database.orders.release(nouns.order(3), at=later(3), within=budget)
        with pytest.raises(NoSuchOrder):
            database.orders.get(nouns.order(3).id)
        # What was kept before is no second start, and another environment has its own.
        assert not database.orders.release(nouns.order(2), at=later(3), within=budget)
        elsewhere = replace(nouns.order(3), environment="staging")
        assert database.orders.release(elsewhere, at=later(3), within=budget)

    def test_a_budget_of_nothing_releases_nothing(self, database: Database) -> None:
        with pytest.raises(NoRoom, match="0 of 0"):
            database.orders.release(nouns.order(), at=NOW, within=Budget(0, NOW))

    def test_twenty_releases_of_two_control_planes_at_once_keep_within_the_budget(
        self, url: str, database: Database
    ) -> None:
        other = open_database(url)
        planes = (database, other)

        def release(number: int) -> bool:
            orders = planes[number % 2].orders
            try:
                return orders.release(nouns.order(number), at=NOW, within=Budget(5, NOW))
            except NoRoom:
                return False

        try:
            released = at_once(release)
        finally:
            other.close()
        assert sum(released) == 5
        assert database.orders.started_since(NOW, environment="production") == 5

    def test_orders_of_an_agent_are_counted_from_a_time_on(self, database: Database) -> None:
        for number in range(4):
            database.orders.release(nouns.order(number), at=later(number))
        other = ids.AgentId("another")
        database.orders.release(nouns.order(9, agent=other), at=later(9))
        assert database.orders.started_on(nouns.AGENT, since=later(1)) == 3
        assert database.orders.started_on(other, since=NOW) == 1
        assert database.orders.started_on(ids.AgentId("nobody"), since=NOW) == 0

    def test_an_unknown_order_is_said_to_be_unknown(self, database: Database) -> None:
        unknown = ids.OrderId("ord_none")
        orders = database.orders
        for call in (
            lambda: orders.get(unknown),
            lambda: orders.delivered([unknown], at=NOW),
            lambda: orders.withdraw(unknown),
            lambda: orders.admitted(unknown),
            lambda: orders.refused(unknown, because=""),
            lambda: orders.finished(replace(nouns.report(nouns.order()), order=unknown)),
            lambda: orders.request_stop(unknown, by="anna"),
        ):
            with pytest.raises(NoSuchOrder, match="ord_none"):
                call()

    def test_how_a_playbook_ended_is_told_newest_first_with_its_incidents(
        self, database: Database
    ) -> None:
        outcomes = (
            ExecutionOutcome.DRY_RUN,
            ExecutionOutcome.SUCCESS,
            ExecutionOutcome.ROLLED_BACK,
        )
        for number, outcome in enumerate(outcomes, start=1):
            given = nouns.order(number)
            database.orders.release(given, at=later(number))
            database.orders.finished(nouns.report(given, outcome=outcome))
        database.orders.release(nouns.order(4), at=later(4))  # under way: not ended
        database.incidents.open(nouns.incident(2))
        resolved = nouns.incident(2).id
        database.incidents.move(resolved, Status.ANALYZING, summary="")
        database.incidents.move(
            resolved, Status.CLOSED, summary="", outcome=Outcome.RESOLVED, at=later(9)
        )
        found = database.orders.ended(nouns.DIGEST, "production")
        assert [(one.execution, one.incident) for one in found] == [
            (ExecutionOutcome.ROLLED_BACK, None),
            (ExecutionOutcome.SUCCESS, Outcome.RESOLVED),
            (ExecutionOutcome.DRY_RUN, None),
        ]
        assert {one.agent for one in found} == {nouns.AGENT}
        assert database.orders.ended(nouns.DIGEST, "staging") == ()
        assert database.orders.ended(ids.digest(b"another"), "production") == ()
