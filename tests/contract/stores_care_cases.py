"""What ports.incident_care promises, and the link of reopened incidents, on every engine."""

from dataclasses import replace

import pytest

from sentienguard.adapters.sql_store import Database
from sentienguard.model.care import Care, Signed
from sentienguard.model.incident import Outcome, Status
from sentienguard.ports.incident_care import AlreadySettled
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW, later

ANNA, BERT = Signed("anna", NOW), Signed("bert", later(9))
ONE = nouns.incident().id


class CareCases:
    def test_an_incident_that_nobody_touched_has_no_care(self, database: Database) -> None:
        assert database.care.of(ONE) == Care(ONE)
        assert database.care.of_many([]) == {}

    def test_the_first_acknowledgement_stays(self, database: Database) -> None:
        assert database.care.acknowledge(ONE, ANNA) == Care(ONE, acknowledged=ANNA)
        assert database.care.acknowledge(ONE, BERT) == Care(ONE, acknowledged=ANNA)

    def test_the_last_assignment_counts(self, database: Database) -> None:
        database.care.assign(ONE, "carl", ANNA)
        assert database.care.assign(ONE, "dora", BERT).assigned_to == "dora"
        given = Care(ONE, assigned_to=None, assigned=BERT)
        assert database.care.assign(ONE, None, BERT) == given

    def test_one_person_closes_it_by_hand(self, database: Database) -> None:
        closed = database.care.settle(ONE, ANNA, "replaced the disk")
        assert (closed.settled, closed.settled_because) == (ANNA, "replaced the disk")
        with pytest.raises(AlreadySettled, match=ONE):
            database.care.settle(ONE, BERT, "me, too")
        assert database.care.of(ONE) == closed

    def test_a_reopened_incident_and_the_old_one_know_each_other(self, database: Database) -> None:
        old = database.incidents.open(nouns.incident())
        database.incidents.move(
            old.id, Status.CLOSED, summary="x", outcome=Outcome.ESCALATED, at=later(60)
        )
        given = replace(nouns.incident(2), reopens=old.id)
        assert database.incidents.open(given) == given
        assert database.incidents.get(given.id).reopens == old.id
        cares = database.care.of_many([old.id, given.id])
        assert cares[old.id] == Care(old.id, reopened_as=given.id)
        assert cares[given.id] == Care(given.id)
