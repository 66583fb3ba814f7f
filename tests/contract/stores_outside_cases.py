"""What ports.topology_store, outside_logs and change_store promise, on every engine."""

import dataclasses
from datetime import timedelta

from sentienguard.adapters.sql_store import Database
from sentienguard.model.evidence import Changed
from sentienguard.model.topology import CallKind, Edge
from sentienguard.ports.outside_logs import NewLine
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import THREADS, at_once

SHOP = Edge("shop", "stock", CallKind.REQUEST)
MAIL = Edge("shop", "mail", CallKind.MESSAGE)
DAY = timedelta(days=1)


class TopologyCases:
    def test_a_call_is_kept_with_when_it_was_seen_first_and_last(self, database: Database) -> None:
        assert database.topology.saw("drill", {SHOP: 2}, at=later(10), most=10) == 0
        database.topology.saw("drill", {SHOP: 3, MAIL: 1}, at=later(20), most=10)
        database.topology.saw("drill", {SHOP: 1}, at=later(5), most=10)  # told late
        mail, shop = database.topology.edges(["drill"], since=NOW)
        assert (mail.edge, mail.calls) == (MAIL, 1)
        assert (shop.edge, shop.calls) == (SHOP, 6)
        assert (shop.first_seen, shop.last_seen) == (later(10), later(20))

    def test_environments_are_apart_and_old_calls_are_left_out(self, database: Database) -> None:
        database.topology.saw("drill", {SHOP: 1}, at=later(10), most=10)
        database.topology.saw("production", {MAIL: 1}, at=later(20), most=10)
        found = database.topology.edges(["drill", "production"], since=later(15))
        assert [(one.environment, one.edge) for one in found] == [("production", MAIL)]
        assert database.topology.edges([], since=NOW) == ()

    def test_an_explosion_of_names_ends_at_the_limit(self, database: Database) -> None:
        many = {Edge("shop", f"s{number:03}", CallKind.REQUEST): 1 for number in range(50)}
        database.topology.saw("drill", {SHOP: 1}, at=NOW, most=10)
        assert database.topology.saw("drill", {SHOP: 1, **many}, at=later(1), most=10) == 41
        found = database.topology.edges(["drill"], since=NOW)
        assert len(found) == 10
        assert SHOP in {one.edge for one in found if one.calls == 2}, "what is known goes on"
        assert database.topology.saw("drill", {}, at=NOW, most=10) == 0

    def test_what_was_not_seen_for_long_is_dropped(self, database: Database) -> None:
        database.topology.saw("drill", {SHOP: 1}, at=NOW, most=10)
        database.topology.saw("drill", {MAIL: 1}, at=NOW + DAY, most=10)
        assert database.topology.forget(NOW + DAY) == 1
        assert [one.edge for one in database.topology.edges(["drill"], since=NOW)] == [MAIL]

    def test_twenty_that_saw_the_same_at_once_count_every_call(self, database: Database) -> None:
        at_once(lambda _: database.topology.saw("drill", {SHOP: 1}, at=NOW, most=10))
        [found] = database.topology.edges(["drill"], since=NOW)
        assert found.calls == THREADS


def line(number: int = 1, **changes: object) -> NewLine:
    given = NewLine(
        "drill", "web-1", "shop", later(number), later(number + 1), "error", "日本 \x7f"
    )
    return dataclasses.replace(given, **changes)


class OutsideLogCases:
    def test_lines_come_back_newest_first_and_page_by_page(self, database: Database) -> None:
        database.outside_logs.put([line(number) for number in range(5)])
        database.outside_logs.put([])
        first = database.outside_logs.list(["drill"], host=None, before=None, limit=3)
        rest = database.outside_logs.list(["drill"], host=None, before=first[-1].number, limit=3)
        assert [one.line for one in (*first, *rest)] == [line(n) for n in (4, 3, 2, 1, 0)]

    def test_of_one_host_and_of_seen_environments_only(self, database: Database) -> None:
        other = line(2, host="web-2")
        database.outside_logs.put([line(1), other, line(3, environment="production")])
        found = database.outside_logs.list(["drill"], host="web-2", before=None, limit=9)
        assert [one.line for one in found] == [other]
        assert len(database.outside_logs.list(["drill"], host=None, before=None, limit=9)) == 2
        assert database.outside_logs.list([], host=None, before=None, limit=9) == ()

    def test_what_came_long_ago_is_dropped(self, database: Database) -> None:
        database.outside_logs.put([line(1), line(100)])
        assert database.outside_logs.forget(later(50), most=100) == 1
        assert len(database.outside_logs.list(["drill"], host=None, before=None, limit=9)) == 1

    def test_of_too_many_the_oldest_are_dropped(self, database: Database) -> None:
        database.outside_logs.put([line(number) for number in range(100, 110)])
        assert database.outside_logs.forget(later(50), most=3) == 7
        found = database.outside_logs.list(["drill"], host=None, before=None, limit=9)
        assert [one.line for one in found] == [line(number) for number in (109, 108, 107)]
        assert database.outside_logs.forget(later(50), most=3) == 0

    def test_lines_of_a_time_come_newest_first_and_bounded(self, database: Database) -> None:
        wanted = [line(number) for number in (10, 20, 30, 40)]
        database.outside_logs.put([*wanted, line(25, environment="production")])
        between = database.outside_logs.between
        assert list(between("drill", wanted[1].at, wanted[3].at, limit=9)) == [wanted[2], wanted[1]]
        assert list(between("drill", wanted[0].at, wanted[3].at, limit=1)) == [wanted[2]]


class ChangeCases:
    def test_a_change_is_kept_once_however_often_it_is_told(self, database: Database) -> None:
        assert database.changes.put("drill", [change(1), change(2)], received_at=NOW) == 2
        again = dataclasses.replace(change(1), summary="told otherwise")
        assert database.changes.put("drill", [again, change(3)], received_at=later(9)) == 1
        assert database.changes.put("drill", [], received_at=NOW) == 0
        found = database.changes.between("drill", NOW, later(99), limit=9)
        assert list(found) == [change(3), change(2), change(1)]

    def test_environments_and_times_are_apart(self, database: Database) -> None:
        database.changes.put("drill", [change(1), change(2), change(3)], received_at=NOW)
        assert database.changes.put("production", [change(1)], received_at=NOW) == 1
        between = database.changes.between
        assert list(between("drill", later(2), later(3), limit=9)) == [change(2)]
        assert list(between("drill", NOW, later(99), limit=1)) == [change(3)]
        assert list(between("production", NOW, later(99), limit=9)) == [change(1)]

    def test_what_took_effect_long_ago_is_dropped(self, database: Database) -> None:
        database.changes.put("drill", [change(1), change(50)], received_at=NOW)
        assert database.changes.forget(later(10)) == 1
        assert list(database.changes.between("drill", NOW, later(99), limit=9)) == [change(50)]

    def test_the_same_change_from_many_threads_is_kept_once(self, database: Database) -> None:
        told = at_once(lambda _n: database.changes.put("drill", [change(1)], received_at=NOW))
        assert sum(told) == 1


def change(number: int) -> Changed:
    return Changed(f"c{number}", later(number), "orders", "deploy", "v1", "ci", "ships it")
