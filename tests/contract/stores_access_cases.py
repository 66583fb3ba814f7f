"""What ports.session_store and factor_store promise, on every engine."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sentienguard.adapters.sql_store import Database
from sentienguard.model import errors
from sentienguard.model.access import Role, User
from sentienguard.ports.factor_store import Factor, NoSuchFactor, NoSuchTicket, Ticket, Way
from sentienguard.ports.session_store import (
    Issued,
    Login,
    NoSuchLogin,
    NoSuchReadToken,
    ReadToken,
    RefreshReused,
)
from sentienguard.ports.user_store import NoSuchUser, NotAuthenticated
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import at_once
from tests.support import accounts


def login(user: str = "anna", number: int = 1, *, at=NOW, hours: float = 12) -> Login:
    return Login(f"log_{number}", user, at, at + timedelta(hours=hours), "192.0.2.7")


def pair(number: int, *, at=NOW) -> tuple[Issued, Issued]:
    access = Issued(f"a{number}", at + timedelta(minutes=15))
    return access, Issued(f"r{number}", at + timedelta(minutes=60))


class People:
    @pytest.fixture
    def people(self, database: Database) -> Database:
        for name in ("anna", "bert"):
            accounts.add(
                database.users, name, "correct horse battery", {"production": Role.OBSERVER}
            )
        return database


class SessionCases(People):
    def test_an_access_token_opens_for_its_minutes(self, people: Database) -> None:
        given = replace(login(), strong_at=later(0))
        people.sessions.open(given, *pair(1))
        found = people.sessions.by_access("a1", at=later(15 * 60 - 0.001))
        assert found == (User("anna", {"production": Role.OBSERVER}), given)
        with pytest.raises(NotAuthenticated):
            people.sessions.by_access("a1", at=later(15 * 60))

    @pytest.mark.parametrize("token", ["", "other", "A1", "r1", "\x00", "\ud800"])
    def test_another_token_opens_nothing(self, people: Database, token: str) -> None:
        people.sessions.open(login(), *pair(1))
        with pytest.raises(NotAuthenticated):
            people.sessions.by_access(token, at=NOW)

    def test_nobody_else_gets_a_token_that_is_in_use(self, people: Database) -> None:
        people.sessions.open(login(), *pair(1))
        for again in (login("bert", 1), login("bert", 2)):
            with pytest.raises(errors.Rejected):
                people.sessions.open(again, *pair(1))
        assert people.sessions.by_access("a1", at=NOW)[0].name == "anna"
        assert people.sessions.of("bert", at=NOW) == ()
        with pytest.raises(NoSuchUser):
            people.sessions.open(login("nobody", 3), *pair(3))

    def test_new_roles_and_their_end_count_at_once(self, people: Database) -> None:
        people.sessions.open(login(), *pair(1))
        ends = {"staging": later(60)}
        changed = people.users.set_roles("anna", {"staging": Role.AUDITOR}, ends)
        assert people.sessions.by_access("a1", at=NOW)[0] == changed == people.users.get("anna")
        assert changed.ends == ends

    def test_a_refresh_token_gives_the_next_pair(self, people: Database) -> None:
        people.sessions.open(login(), *pair(1))
        again = people.sessions.refresh("r1", *pair(2, at=later(900)), at=later(900))
        assert again == login()
        assert people.sessions.by_access("a2", at=later(901))[1] == login()

    def test_one_that_comes_again_ends_the_login_with_all_its_tokens(
        self, people: Database
    ) -> None:
        people.sessions.open(login(), *pair(1))
        people.sessions.open(login("anna", 2), *pair(8))
        people.sessions.refresh("r1", *pair(2), at=later(1))
        people.sessions.refresh("r2", *pair(3), at=later(2))
        with pytest.raises(RefreshReused) as reused:
            people.sessions.refresh("r1", *pair(4), at=later(3))
        assert reused.value.login.id == "log_1"
        for token in ("a1", "a2", "a3", "a4"):
            with pytest.raises(NotAuthenticated):
                people.sessions.by_access(token, at=later(4))
        for token in ("r1", "r2", "r3"):
            with pytest.raises(NotAuthenticated):
                people.sessions.refresh(token, *pair(5), at=later(4))
        assert people.sessions.by_access("a8", at=later(4))[1].id == "log_2"

    def test_of_many_at_once_one_is_first_and_the_others_end_it(self, people: Database) -> None:
        people.sessions.open(login(), *pair(0))

        def work(number: int) -> str:
            try:
                people.sessions.refresh("r0", *pair(number + 1), at=later(1))
            except RefreshReused:
                return "reused"
            except NotAuthenticated:
                return "ended"
            return "first"

        said = at_once(work)
        assert sorted(said).count("first") == 1
        assert said.count("reused") == 1
        assert people.sessions.of("anna", at=later(2)) == ()

    def test_a_refresh_token_is_over_with_its_time_and_with_its_login(
        self, people: Database
    ) -> None:
        people.sessions.open(login(hours=0.5), *pair(1))
        people.sessions.open(login("bert", 2), *pair(2))
        for token, seconds in (("r1", 1800), ("r2", 3600), ("a2", 0)):
            with pytest.raises(NotAuthenticated) as refused:
                people.sessions.refresh(token, *pair(3), at=later(seconds))
            assert not isinstance(refused.value, RefreshReused)

    def test_a_login_is_over_at_its_end_whatever_its_tokens_say(self, people: Database) -> None:
        people.sessions.open(login(hours=0.1), *pair(1))
        assert people.sessions.stands("log_1", at=later(359))
        for ask in (
            lambda: people.sessions.by_access("a1", at=later(360)),
            lambda: people.sessions.end("log_1", user="anna", at=later(360), because="logout"),
            lambda: people.sessions.strengthen("log_1", at=later(360)),
        ):
            with pytest.raises((NotAuthenticated, NoSuchLogin)):
                ask()
        assert not people.sessions.stands("log_1", at=later(360))

    def test_its_owner_ends_one_or_all(self, people: Database) -> None:
        for number, name in ((1, "anna"), (2, "anna"), (3, "anna"), (4, "bert")):
            people.sessions.open(login(name, number, at=later(number)), *pair(number))
        with pytest.raises(NoSuchLogin):
            people.sessions.end("log_1", user="bert", at=later(9), because="revoked")
        ended = people.sessions.end("log_1", user="anna", at=later(9), because="revoked")
        assert (ended.ended_at, ended.ended_because) == (later(9), "revoked")
        assert [one.id for one in people.sessions.of("anna", at=later(9))] == ["log_3", "log_2"]
        assert people.sessions.end_all("anna", at=later(9), because="revoked") == 2
        for token in ("a1", "a2", "a3"):
            with pytest.raises(NotAuthenticated):
                people.sessions.by_access(token, at=later(10))
        assert people.sessions.by_access("a4", at=later(10))[1].user == "bert"

    def test_a_second_factor_is_remembered_with_its_moment(self, people: Database) -> None:
        people.sessions.open(login(), *pair(1))
        people.sessions.strengthen("log_1", at=later(7))
        assert people.sessions.by_access("a1", at=later(8))[1].strong_at == later(7)

    def test_what_is_over_is_forgotten(self, people: Database) -> None:
        for number in range(5):
            at = NOW + timedelta(days=number)
            people.sessions.open(login("anna", number, at=at), *pair(number, at=at))
        with pytest.raises(NoSuchLogin):
            people.sessions.end("log_0", user="anna", at=NOW, because="logout")

    def test_a_machine_reads_until_the_end_or_until_it_is_revoked(self, people: Database) -> None:
        made = [
            ReadToken(f"rot_{n}", "grafana", "production", "anna", later(n), later(60))
            for n in (1, 2)
        ]
        for token in made:
            people.sessions.add_read_token(token, f"s{token.id}")
        with pytest.raises(errors.Rejected):
            people.sessions.add_read_token(replace(made[0], id="rot_9"), "srot_1")
        assert people.sessions.by_read_token("srot_1", at=later(59)) == made[0]
        for secret, at in (("srot_1", later(60)), ("", NOW), ("rot_1", NOW)):
            with pytest.raises(NotAuthenticated):
                people.sessions.by_read_token(secret, at=at)
        ended = replace(made[1], revoked_at=later(5))
        assert people.sessions.revoke_read_token("rot_2", at=later(5)) == ended
        assert people.sessions.revoke_read_token("rot_2", at=later(6)) == ended
        with pytest.raises(NotAuthenticated):
            people.sessions.by_read_token("srot_2", at=later(6))
        assert people.sessions.read_tokens() == (made[0], ended)
        with pytest.raises(NoSuchReadToken):
            people.sessions.revoke_read_token("rot_3", at=NOW)

    def test_the_networks_of_a_person_are_known_from_their_second_login_on(
        self, people: Database
    ) -> None:
        def came(user: str, network: str, seconds: float) -> list[str]:
            return list(people.sessions.came_from(user, network, at=later(seconds)))

        assert came("anna", "192.0.2.0/24", 0) == []
        assert came("anna", "192.0.2.0/24", 1) == ["192.0.2.0/24"]
        assert came("anna", "2001:db8:1::/48", 2) == ["192.0.2.0/24"]
        assert came("bert", "192.0.2.0/24", 3) == []  # nobody else's networks are theirs
        assert came("anna", "198.51.100.0/24", 4) == ["192.0.2.0/24", "2001:db8:1::/48"]

    def test_of_many_logins_at_once_from_one_network_it_is_known_once(
        self, people: Database
    ) -> None:
        at_once(lambda number: people.sessions.came_from("anna", "192.0.2.0/24", at=later(number)))
        known = people.sessions.came_from("anna", "x", at=later(99))
        assert list(known) == ["192.0.2.0/24"]


APP = Factor("fac_1", "anna", Way.TOTP, "phone", NOW, b"\x00secret", used_through=7)
KEY = Factor("fac_2", "anna", Way.WEBAUTHN, "key", later(1), b"cose", b"\x00id", "localhost", 0)


class FactorCases(People):
    def test_factors_come_back_oldest_first(self, people: Database) -> None:
        for factor in (KEY, APP):
            people.factors.add(factor)
        assert people.factors.of("anna") == (APP, KEY)
        assert people.factors.of("bert") == ()

    def test_a_passkey_is_one_person_s(self, people: Database) -> None:
        people.factors.add(KEY)
        with pytest.raises(errors.Rejected, match="registered already"):
            people.factors.add(replace(KEY, id="fac_3", user="bert"))
        people.factors.add(APP)
        people.factors.add(replace(APP, id="fac_4", user="bert"))  # secrets may be equal

    @pytest.mark.parametrize(
        ("was", "through", "counts"),
        [(7, 8, True), (7, 7, False), (7, 6, False), (7, 0, False), (0, 0, True), (0, 1, True)],
    )
    def test_a_counter_never_goes_back(self, people: Database, was, through, counts) -> None:
        people.factors.add(replace(APP, used_through=was))
        assert people.factors.advance("fac_1", through) is counts
        assert people.factors.of("anna")[0].used_through == max(was, through)

    def test_of_twenty_who_use_a_step_at_once_one_does(self, people: Database) -> None:
        people.factors.add(APP)
        assert sum(at_once(lambda _: people.factors.advance("fac_1", 8))) == 1

    def test_only_its_owner_takes_a_factor_away(self, people: Database) -> None:
        people.factors.add(APP)
        with pytest.raises(NoSuchFactor):
            people.factors.remove("fac_1", "bert")
        assert people.factors.remove("fac_1", "anna") == APP
        with pytest.raises(NoSuchFactor):
            people.factors.remove("fac_1", "anna")

    def test_a_recovery_code_counts_once_for_its_owner(self, people: Database) -> None:
        people.factors.set_recovery_codes("anna", ["one", "two"])
        assert people.factors.recovery_codes_left("anna") == 2
        assert not people.factors.use_recovery_code("bert", "one", at=NOW)
        used = at_once(lambda _: people.factors.use_recovery_code("anna", "one", at=NOW))
        assert sum(used) == 1
        assert people.factors.recovery_codes_left("anna") == 1
        people.factors.set_recovery_codes("anna", ["three"])
        assert not people.factors.use_recovery_code("anna", "two", at=NOW)

    def test_all_is_taken_from_somebody_at_once(self, people: Database) -> None:
        for factor in (APP, KEY):
            people.factors.add(factor)
        people.factors.set_recovery_codes("anna", ["one"])
        assert people.factors.remove_all("anna") == 2
        assert people.factors.of("anna") == ()
        assert people.factors.recovery_codes_left("anna") == 0

    def test_a_ticket_is_used_up_once_for_its_purpose_in_its_time(self, people: Database) -> None:
        given = Ticket("login", "anna", b"\x00challenge", later(60), "log_1")
        people.factors.open_ticket("s", given, at=NOW)
        assert people.factors.ticket("s", "login", at=later(59)) == given
        for secret, purpose, at in (("t", "login", 1), ("s", "step-up", 1), ("s", "login", 60)):
            with pytest.raises(NoSuchTicket):
                people.factors.ticket(secret, purpose, at=later(at))

        def work(_: int) -> bool:
            try:
                people.factors.take_ticket("s", "login", at=later(1))
            except NoSuchTicket:
                return False
            return True

        assert sum(at_once(work)) == 1

    def test_what_somebody_has_under_way_is_dropped_and_nobody_else_s(
        self, people: Database
    ) -> None:
        for secret, name in (("a", "anna"), ("b", "anna"), ("c", "bert")):
            given = Ticket("login", name, b"x", later(60))
            people.factors.open_ticket(secret, given, at=NOW)
        people.factors.drop_tickets("anna")
        for secret in ("a", "b"):
            with pytest.raises(NoSuchTicket):
                people.factors.ticket(secret, "login", at=later(1))
        assert people.factors.ticket("c", "login", at=later(1)).user == "bert"

    def test_wrong_answers_in_a_row_lock_for_a_while(self, people: Database) -> None:
        def fail() -> bool:
            return people.factors.failed("anna", most=3, locked_until=later(60))

        assert [fail(), fail()] == [False, False]
        people.factors.succeeded("anna")
        assert [fail(), fail(), fail()] == [False, False, True]
        assert people.factors.locked_until("anna", at=later(59)) == later(60)
        assert people.factors.locked_until("anna", at=later(60)) is None
        assert people.factors.locked_until("bert", at=NOW) is None
        assert not fail()
