"""The control plane's view of the log asks for names once for what is read together."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from sentienguard.flow.people_log import PeopleLog
from sentienguard.model import errors
from sentienguard.ports.audit_log import NewEntry, SignedEntry, StoredEntry
from sentienguard.trust import pseudonym

ANN = pseudonym.of(bytes(32), "ann@local")


class Log:
    """Keeps what is appended, and gives what it was made with."""

    def __init__(self, *actors: str) -> None:
        self.kept: list[object] = []
        self.append = self.kept.append
        self.append_many = self.kept.extend
        self.stored = [
            StoredEntry(number, json.dumps({"src": "cp", "actor": one, "data": {}}).encode())
            for number, one in enumerate(actors)
        ]
        self.entries = lambda start, end: self.stored[start:end]


class People:
    """Knows Ann, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def names(self):
        self.asked += 1
        return {ANN: "ann@local"}

    def known(self):
        self.asked += 1
        return {"ann@local": ANN}


def entry(actor, **data):
    return NewEntry(
        kind="freeze.set", at=datetime(2026, 4, 1, tzinfo=UTC), environment="", source="cp",
        actor=actor, key="k", data=data,
    )  # fmt: skip


def test_a_page_asks_once_and_one_that_names_nobody_never():
    people = People()
    log = PeopleLog(Log(*[ANN] * 50, *["sentienguard"] * 50), people)
    page = log.entries(0, 50)
    assert people.asked == 0, "who does not look at an entry pays nothing"
    assert {one.fields["actor"] for one in page for _ in range(3)} == {"ann@local"}
    assert people.asked == 1
    assert {one.fields["actor"] for one in log.entries(50, 100)} == {"sentienguard"}
    assert people.asked == 1


def test_what_can_name_nobody_is_written_as_it_is():
    people, kept = People(), Log()
    log = PeopleLog(kept, people)
    host, own = SignedEntry(b"ann@local", bytes(64)), entry("sentienguard", host="ann@local")
    log.append(host)
    log.append(own)
    assert (kept.kept, people.asked) == ([host, own], 0)


def test_nothing_is_written_while_nobody_can_be_looked_up():
    def away():
        raise errors.Unavailable("the database is away")

    kept = Log()
    log = PeopleLog(kept, SimpleNamespace(known=away, names=away))
    with pytest.raises(errors.Unavailable):
        log.append(entry("ann@local"))
    with pytest.raises(errors.Unavailable):
        log.append_many([entry("sentienguard"), entry("sentienguard", reason="ann@local asked")])
    assert kept.kept == []


def test_somebody_who_came_meanwhile_is_hidden_too():
    people, kept = People(), Log()
    log = PeopleLog(kept, people)
    log.append_many([entry("ann@local", reason="for ann@local"), entry("bob@local")])
    bob = pseudonym.of(bytes(32), "bob@local")
    people.known = lambda: {"ann@local": ANN, "bob@local": bob}
    log.append(entry("bob@local"))
    assert [one.actor for one in kept.kept] == [ANN, "bob@local", bob]
    assert kept.kept[0].data == {"reason": f"for {ANN}"}
