"""What ports.emergency_store promises, on every engine."""

from dataclasses import replace

import pytest

from sentienguard.adapters.sql_store import Database
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.model.emergency import Emergency, EmergencyId, Phase
from sentienguard.ports.emergency_store import EmergencyOver, NoSuchEmergency, OwnRequest
from sentienguard.ports.user_store import NoSuchUser, Outside
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import at_once

MINUTES, TO_AGREE = 10, 900.0


def asked(number: int = 1, user: str = "anna", at: float = 0) -> Emergency:
    return Emergency(
        id=EmergencyId(f"brk_{number}"),
        user=user,
        environment="production",
        purpose=Permission.RUN_PLAYBOOK,
        reason="the pager burns — 日本語",
        minutes=MINUTES,
        asked_at=later(at),
        expires_at=later(at + TO_AGREE),
    )


class EmergencyCases:
    @pytest.fixture
    def people(self, database: Database) -> Database:
        for name in ("anna", "bert", "cleo"):
            database.users.adopt(Outside("issuer", name), name, {})  # without hashing a password
        return database

    def test_a_request_comes_back_and_gives_nothing(self, people: Database) -> None:
        people.emergencies.ask(asked())
        assert people.emergencies.get(asked().id) == asked()
        assert people.emergencies.of("anna", at=later(1)) == ()
        with pytest.raises(errors.Rejected):
            people.emergencies.ask(replace(asked(), minutes=60))
        assert people.emergencies.get(asked().id) == asked()
        with pytest.raises(NoSuchUser):
            people.emergencies.ask(asked(2, "nobody"))

    def test_it_stands_for_its_minutes_from_the_second_persons_yes_on(
        self, people: Database
    ) -> None:
        people.emergencies.ask(asked())
        given = people.emergencies.agree(asked().id, by="bert", at=later(60))
        ends = later(60 + MINUTES * 60)
        assert given == replace(asked(), agreed_by="bert", agreed_at=later(60), ends_at=ends)
        assert people.emergencies.of("anna", at=later(60 + MINUTES * 60 - 0.001)) == (given,)
        assert people.emergencies.of("anna", at=ends) == ()
        assert people.emergencies.of("bert", at=later(61)) == ()

    def test_nobody_agrees_to_their_own(self, people: Database) -> None:
        people.emergencies.ask(asked())
        with pytest.raises(OwnRequest):
            people.emergencies.agree(asked().id, by="anna", at=later(1))
        assert people.emergencies.get(asked().id) == asked()

    def test_nobody_agrees_late_or_again(self, people: Database) -> None:
        for number in (1, 2):
            people.emergencies.ask(asked(number))
        with pytest.raises(EmergencyOver, match="lapsed"):
            people.emergencies.agree(asked(1).id, by="bert", at=later(TO_AGREE))
        given = people.emergencies.agree(asked(2).id, by="bert", at=later(TO_AGREE - 0.001))
        with pytest.raises(EmergencyOver, match="agreed to by bert"):
            people.emergencies.agree(asked(2).id, by="cleo", at=later(TO_AGREE))
        assert people.emergencies.get(asked(2).id) == given

    def test_what_was_ended_stays_ended(self, people: Database) -> None:
        for number in (1, 2):
            people.emergencies.ask(asked(number))
        people.emergencies.agree(asked(1).id, by="bert", at=later(1))
        for number in (1, 2):  # one stands, one is a request
            ended = people.emergencies.end(asked(number).id, by="cleo", at=later(2))
            assert (ended.ended_by, ended.ended_at) == ("cleo", later(2))
            assert ended.phase(later(2)) is Phase.ENDED
            for deed in (people.emergencies.end, people.emergencies.agree):
                with pytest.raises(EmergencyOver):
                    deed(asked(number).id, by="bert", at=later(3))
            assert people.emergencies.get(asked(number).id) == ended
        assert people.emergencies.of("anna", at=later(3)) == ()

    def test_nothing_that_is_over_is_ended(self, people: Database) -> None:
        for number in (1, 2):
            people.emergencies.ask(asked(number))
        people.emergencies.agree(asked(1).id, by="bert", at=NOW)
        with pytest.raises(EmergencyOver):
            people.emergencies.end(asked(1).id, by="bert", at=later(MINUTES * 60))
        with pytest.raises(EmergencyOver):
            people.emergencies.end(asked(2).id, by="bert", at=later(TO_AGREE))

    def test_the_clocks_end_is_noted_once(self, people: Database) -> None:
        for number in (1, 2, 3):
            people.emergencies.ask(asked(number))
        for number in (1, 2):
            people.emergencies.agree(asked(number).id, by="bert", at=NOW)
        people.emergencies.end(asked(2).id, by="bert", at=later(1))
        over = later(MINUTES * 60)
        with pytest.raises(EmergencyOver):
            people.emergencies.end(asked(1).id, by="", at=later(MINUTES * 60 - 1))
        assert [one.id for one in people.emergencies.unrecorded(at=over)] == [asked(1).id]
        noted = people.emergencies.end(asked(1).id, by="", at=later(MINUTES * 60 + 30))
        assert (noted.ended_by, noted.ended_at, noted.phase(over)) == ("", over, Phase.OVER)
        assert people.emergencies.unrecorded(at=later(9999)) == ()
        with pytest.raises(EmergencyOver):
            people.emergencies.end(asked(1).id, by="", at=later(9999))

    def test_they_are_listed_newest_first(self, people: Database) -> None:
        for number, at in ((1, 5.0), (2, 9.0), (3, 7.0)):
            people.emergencies.ask(asked(number, at=at))
        listed = people.emergencies.list()
        assert [one.id for one in listed] == [asked(number).id for number in (2, 3, 1)]

    def test_an_unknown_one_is_said_to_be_unknown(self, people: Database) -> None:
        unknown = EmergencyId("brk_none")
        for ask in (
            lambda: people.emergencies.get(unknown),
            lambda: people.emergencies.agree(unknown, by="bert", at=NOW),
            lambda: people.emergencies.end(unknown, by="bert", at=NOW),
        ):
            with pytest.raises(NoSuchEmergency):
                ask()

    def test_of_many_second_persons_at_once_one_counts(self, people: Database) -> None:
        people.emergencies.ask(asked())

        def work(number: int) -> bool:
            try:
                people.emergencies.agree(asked().id, by=f"p{number}", at=later(1))
            except EmergencyOver:
                return False
            return True

        assert sum(at_once(work)) == 1
