"""What ports.outbox and ports.chat_identities promise, on every engine."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sentienguard.adapters.sql_store import Database
from sentienguard.model.ids import IncidentId
from sentienguard.ports.chat_identities import ChatIdentity, NotLinked
from sentienguard.ports.outbox import OutboxStatus, Outgoing
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import at_once

ONE = IncidentId("inc_20260212_112600_00000001")
TWO = IncidentId("inc_20260212_112600_00000002")


def message(name: str, *, channel: str = "ops", incident: IncidentId = ONE, after: float = 0.0,
            due: float = 0.0, unanswered: bool = False) -> Outgoing:  # fmt: skip
    return Outgoing(
        id=name,
        channel=channel,
        incident=incident,
        kind="opened",
        text='{"a":"日本"}',
        made_at=later(after),
        due_at=later(after + due),
        unanswered=unanswered,
    )


def names(found: object) -> list[str]:
    return [one.id for one in found]  # type: ignore[attr-defined]


class OutboxCases:
    def test_a_log_that_was_never_read_has_no_position(self, database: Database) -> None:
        assert database.outbox.position() is None

    def test_messages_and_position_are_kept_together_or_not_at_all(
        self, database: Database
    ) -> None:
        assert database.outbox.add([message("a")], start=0, end=7)
        assert not database.outbox.add([message("b")], start=0, end=9)
        assert database.outbox.position() == 7
        assert names(database.outbox.list(limit=10)) == ["a"]
        assert database.outbox.add([message("a"), message("c")], start=7, end=9)
        assert sorted(names(database.outbox.list(limit=10))) == ["a", "c"]

    def test_one_of_many_moves_the_position(self, database: Database) -> None:
        moved = at_once(lambda at: database.outbox.add([message(f"m{at}")], start=0, end=1), 8)
        assert sum(moved) == 1
        assert len(database.outbox.list(limit=10)) == 1

    def test_a_message_reads_back_as_it_was_kept(self, database: Database) -> None:
        kept = message("a", due=60, unanswered=True)
        database.outbox.put(kept)
        database.outbox.put(replace(kept, channel="other"))
        assert database.outbox.list(limit=10) == (kept,)

    def test_what_is_due_comes_in_order_and_one_of_an_incident(self, database: Database) -> None:
        outbox = database.outbox
        for one in (
            message("b", after=1), message("a"), message("late", after=3, due=600),
            message("two", incident=TWO), message("chat", channel="chat", after=2),
            message("x1", incident=IncidentId("")), message("x2", incident=IncidentId("")),
        ):  # fmt: skip
            outbox.put(one)
        assert names(outbox.due(later(5), limit=10)) == ["a", "two", "x1", "x2", "chat"]
        outbox.end("a", OutboxStatus.SENT, at=later(5), reference="r1", problem="")
        assert "b" in names(outbox.due(later(6), limit=10))
        assert "late" not in names(outbox.due(later(6), limit=10))

    def test_a_message_is_taken_by_one(self, database: Database) -> None:
        database.outbox.put(message("a"))
        taken = at_once(lambda _: database.outbox.claim("a", now=NOW, until=later(60)), 8)
        assert sum(taken) == 1
        assert names(database.outbox.due(later(1), limit=10)) == []
        assert database.outbox.claim("a", now=later(61), until=later(90)), "it died"
        database.outbox.unclaim()
        assert database.outbox.claim("a", now=later(62), until=later(90))

    def test_a_failure_is_counted_and_tried_later(self, database: Database) -> None:
        database.outbox.put(message("a"))
        database.outbox.claim("a", now=NOW, until=later(60))
        database.outbox.again("a", due_at=later(30), problem="busy")
        assert names(database.outbox.due(later(29), limit=10)) == []
        [found] = database.outbox.due(later(30), limit=10)
        assert (found.attempts, found.problem) == (1, "busy")

    def test_an_end_is_one_and_the_last_reference_counts(self, database: Database) -> None:
        outbox = database.outbox
        for name in ("a", "b", "c"):
            outbox.put(message(name))
        outbox.end("a", OutboxStatus.SENT, at=later(1), reference="r1", problem="")
        outbox.end("a", OutboxStatus.FAILED, at=later(9), reference="", problem="late")
        outbox.end("b", OutboxStatus.SENT, at=later(2), reference="r2", problem="")
        outbox.end("c", OutboxStatus.DROPPED, at=later(3), reference="", problem="")
        assert outbox.reference("ops", ONE) == "r2"
        assert outbox.reference("ops", TWO) == ""
        assert outbox.sent_since("ops", later(2)) == 1
        assert outbox.sent_since("ops", NOW) == 2

    def test_a_thread_is_all_of_a_channel_and_an_incident_in_order(
        self, database: Database
    ) -> None:
        outbox = database.outbox
        for one in (
            message("b", after=1, unanswered=True, due=60), message("a"),
            message("other", channel="chat"), message("two", incident=TWO),
        ):  # fmt: skip
            outbox.put(one)
        outbox.end("a", OutboxStatus.FAILED, at=later(1), reference="", problem="no")
        found = outbox.thread("ops", ONE)
        assert [(one.id, one.status) for one in found] == [
            ("a", OutboxStatus.FAILED), ("b", OutboxStatus.WAITING),
        ]  # fmt: skip

    def test_what_is_tried_again_is_not_overtaken(self, database: Database) -> None:
        outbox = database.outbox
        for one in (message("first"), message("second", after=1), message("two", incident=TWO)):
            outbox.put(one)
        outbox.again("first", due_at=later(60), problem="busy")
        assert names(outbox.due(later(5), limit=10)) == ["two"]
        assert names(outbox.due(later(60), limit=10)) == ["first", "two"]
        outbox.end("first", OutboxStatus.FAILED, at=later(61), reference="", problem="given up")
        assert names(outbox.due(later(61), limit=10)) == ["two", "second"]

    def test_a_reminder_is_in_the_way_only_once_it_was_tried(self, database: Database) -> None:
        outbox = database.outbox
        outbox.put(message("reminder", unanswered=True, due=600))
        outbox.put(message("news", after=1))
        assert names(outbox.due(later(5), limit=10)) == ["news"]
        outbox.again("reminder", due_at=later(700), problem="busy")
        assert names(outbox.due(later(5), limit=10)) == []

    def test_what_waits_for_its_time_holds_up_no_reminder(self, database: Database) -> None:
        outbox = database.outbox
        outbox.put(message("held", due=600))
        outbox.put(message("reminder", after=1, due=60, unanswered=True))
        assert names(outbox.due(later(61), limit=10)) == ["reminder"]
        outbox.again("reminder", due_at=later(120), problem="busy")
        assert names(outbox.due(later(120), limit=10)) == ["reminder"]
        assert names(outbox.due(later(600), limit=10)) == ["held"], "in order again"

    def test_what_may_not_wait_takes_along_what_would_have(self, database: Database) -> None:
        outbox = database.outbox
        held = [
            message("held", due=600), message("reminder", due=600, unanswered=True),
            message("chat", channel="chat", due=600), message("two", incident=TWO, due=600),
        ]  # fmt: skip
        outbox.add(held, start=0, end=1)
        assert names(outbox.due(later(5), limit=10)) == []
        outbox.add([message("at once", after=2)], start=1, end=2)
        assert names(outbox.due(later(5), limit=10)) == ["held"]
        assert outbox.thread("ops", ONE)[0].due_at == later(2)
        outbox.end("held", OutboxStatus.SENT, at=later(5), reference="", problem="")
        assert names(outbox.due(later(5), limit=10)) == ["at once"]

    def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(
        self, database: Database
    ) -> None:
        outbox = database.outbox
        for name in ("a", "b"):
            outbox.put(message(name))
        outbox.end("a", OutboxStatus.SENT, at=later(1), reference="", problem="")
        assert outbox.forget(NOW + timedelta(days=1)) == 1
        assert names(outbox.list(limit=10)) == ["b"]


class ChatIdentityCases:
    def test_a_link_is_found_by_the_service_s_ids_alone(self, database: Database) -> None:
        made = ChatIdentity("slack", "T1", "U1", "anna", "root", NOW)
        database.chat.link(made)
        assert database.chat.account("slack", "T1", "U1") == "anna"
        for other in (("slack", "T2", "U1"), ("teams", "T1", "U1"), ("slack", "T1", "anna")):
            with pytest.raises(NotLinked):
                database.chat.account(*other)
        assert database.chat.list() == (made,)

    def test_the_last_link_counts_and_ends(self, database: Database) -> None:
        database.chat.link(ChatIdentity("slack", "T1", "U1", "anna", "root", NOW))
        database.chat.link(ChatIdentity("slack", "T1", "U1", "bert", "root", later(1)))
        assert database.chat.account("slack", "T1", "U1") == "bert"
        database.chat.unlink("slack", "T1", "U1")
        with pytest.raises(NotLinked):
            database.chat.unlink("slack", "T1", "U1")
