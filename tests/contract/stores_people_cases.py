"""What ports.approval_store, user_store and switches promise, on every engine."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from sentienguard.adapters.sql_store import Database, open_database
from sentienguard.adapters.sql_store.approvals import MAX_LISTED
from sentienguard.model import errors, ids
from sentienguard.model.access import Role, User
from sentienguard.model.approval import Agreement, ApprovalStatus
from sentienguard.model.window import Comparison, Matcher, Purpose, Recurrence, Window, WindowId
from sentienguard.ports.approval_store import AlreadyDecided, NoSuchApproval
from sentienguard.ports.switches import Freeze, NoSuchWindow
from sentienguard.ports.user_store import NameTaken, NoSuchUser, NotAuthenticated, Outside
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW, later
from tests.contract.stores_threads import at_once

HERE = {nouns.approval().environment}


class ApprovalCases:
    def test_a_question_comes_back_and_the_same_id_changes_nothing(
        self, database: Database
    ) -> None:
        given = nouns.approval()
        database.approvals.open(given)
        database.approvals.open(replace(given, question="something else"))
        assert database.approvals.get(given.id) == given
        assert database.approvals.of(given.incident) == given
        assert database.approvals.of(ids.IncidentId("inc_none")) is None

    def test_an_answer_is_kept_with_who_when_and_why(self, database: Database) -> None:
        given = nouns.approval()
        database.approvals.open(given)
        answered = database.approvals.decide(
            given.id, ApprovalStatus.APPROVED, by="anna", at=later(60), note="go"
        )
        assert answered == replace(
            given,
            status=ApprovalStatus.APPROVED,
            decided_by="anna",
            decided_at=later(60),
            note="go",
        )
        assert database.approvals.get(given.id) == answered

    @pytest.mark.parametrize("first", [s for s in ApprovalStatus if s is not s.PENDING])
    @pytest.mark.parametrize("second", [s for s in ApprovalStatus if s is not s.PENDING])
    def test_a_question_is_answered_once(
        self, database: Database, first: ApprovalStatus, second: ApprovalStatus
    ) -> None:
        given = nouns.approval()
        database.approvals.open(given)
        answered = database.approvals.decide(given.id, first, by="anna", at=later(9), note="")
        with pytest.raises(AlreadyDecided, match=f"is {first} already, by anna"):
            database.approvals.decide(given.id, second, by="bert", at=later(10), note="")
        assert database.approvals.get(given.id) == answered

    def test_of_twenty_answers_at_once_one_counts(self, database: Database) -> None:
        given = nouns.approval()
        database.approvals.open(given)

        def work(number: int) -> bool:
            status = ApprovalStatus.APPROVED if number % 2 else ApprovalStatus.DENIED
            try:
                database.approvals.decide(given.id, status, by=f"p{number}", at=NOW, note="")
            except AlreadyDecided:
                return False
            return True

        assert sum(at_once(work)) == 1

    @pytest.mark.parametrize("status", [ApprovalStatus.APPROVED, ApprovalStatus.DENIED])
    def test_an_answer_after_the_end_does_not_count(
        self, database: Database, status: ApprovalStatus
    ) -> None:
        given = nouns.approval()
        database.approvals.open(given)
        late = given.expires_at + timedelta(microseconds=1)
        with pytest.raises(AlreadyDecided, match="expired at"):
            database.approvals.decide(given.id, status, by="anna", at=late, note="")
        assert database.approvals.get(given.id).status is ApprovalStatus.PENDING
        at_the_last_moment = database.approvals.decide(
            given.id, status, by="anna", at=given.expires_at, note=""
        )
        assert at_the_last_moment.status is status

    @pytest.mark.parametrize("status", [ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN])
    def test_a_question_ends_unanswered_after_its_end(
        self, database: Database, status: ApprovalStatus
    ) -> None:
        given = nouns.approval()
        database.approvals.open(given)
        late = given.expires_at + timedelta(hours=1)
        assert (
            database.approvals.decide(given.id, status, by="engine", at=late, note="").status
            is status
        )

    def test_pending_is_no_answer(self, database: Database) -> None:
        given = nouns.approval()
        database.approvals.open(given)
        with pytest.raises(errors.Rejected, match="pending is no answer"):
            database.approvals.decide(given.id, ApprovalStatus.PENDING, by="anna", at=NOW, note="")

    def test_an_unknown_question_is_said_to_be_unknown(self, database: Database) -> None:
        unknown = ids.ApprovalId("apr_none")
        with pytest.raises(NoSuchApproval):
            database.approvals.get(unknown)
        with pytest.raises(NoSuchApproval):
            database.approvals.decide(unknown, ApprovalStatus.APPROVED, by="anna", at=NOW, note="")

    def test_questions_are_listed_newest_first_by_state(self, database: Database) -> None:
        kept = [nouns.approval(number) for number in (2, 3, 1)]
        for given in kept:
            database.approvals.open(given)
        database.approvals.decide(kept[1].id, ApprovalStatus.DENIED, by="a", at=NOW, note="")
        newest_first = [kept[1].id, kept[0].id, kept[2].id]
        assert [one.id for one in database.approvals.list(None, within=HERE)] == newest_first
        pending = database.approvals.list(ApprovalStatus.PENDING, within=HERE)
        assert [one.id for one in pending] == newest_first[1:]
        assert database.approvals.list(ApprovalStatus.EXPIRED, within=HERE) == ()

    def test_many_questions_elsewhere_leave_no_question_here_out(self, database: Database) -> None:
        given = nouns.approval(1)
        database.approvals.open(given)
        for number in range(2, MAX_LISTED + 3):
            later_one = replace(nouns.approval(number), environment="elsewhere")
            database.approvals.open(later_one)
        for status in (None, ApprovalStatus.PENDING):
            [here] = database.approvals.list(status, within=HERE)
            assert here.id == given.id
            assert len(database.approvals.list(status, within={"elsewhere"})) == MAX_LISTED
            assert database.approvals.list(status, within=()) == ()

    def test_each_persons_last_yes_counts_and_they_come_back_in_their_order(
        self, database: Database
    ) -> None:
        given = replace(nouns.approval(), needed=2)
        database.approvals.open(given)
        envelope = {"payloadType": "x", "payload": "eA==", "signatures": []}
        second = Agreement(given.id, "anna", later(60), "looks right", envelope)
        first = Agreement(given.id, "bert", later(30))
        again = replace(second, at=later(90), note="again", signature=None)
        for yes in (replace(second, at=later(20)), first, second):
            database.approvals.agree(yes)
        assert list(database.approvals.agreements(given.id)) == [first, second]
        database.approvals.agree(again)
        assert list(database.approvals.agreements(given.id)) == [first, again]
        assert database.approvals.get(given.id) == given  # a yes alone decides nothing

    def test_a_yes_belongs_to_its_question(self, database: Database) -> None:
        mine, other = nouns.approval(1), nouns.approval(2)
        for given in (mine, other):
            database.approvals.open(given)
        database.approvals.agree(Agreement(mine.id, "anna", later(1)))
        assert list(database.approvals.agreements(other.id)) == []
        assert list(database.approvals.agreements(ids.ApprovalId("apr_none"))) == []
        database.approvals.agree(Agreement(mine.id, "bert", later(0)))
        database.approvals.agree(Agreement(other.id, "carl", later(2)))
        third = ids.ApprovalId("apr_none")
        for wanted in ([mine.id], [other.id, mine.id, third], [third], []):
            assert database.approvals.agreements_of(wanted) == {
                one: list(found) for one in wanted if (found := database.approvals.agreements(one))
            }

    @pytest.mark.parametrize("status", [s for s in ApprovalStatus if s is not s.PENDING])
    def test_nobody_says_yes_to_what_is_answered(
        self, database: Database, status: ApprovalStatus
    ) -> None:
        given = nouns.approval()
        database.approvals.open(given)
        database.approvals.decide(given.id, status, by="anna", at=later(9), note="")
        with pytest.raises(AlreadyDecided, match=f"is {status} already"):
            database.approvals.agree(Agreement(given.id, "bert", later(10)))
        assert list(database.approvals.agreements(given.id)) == []

    def test_a_yes_after_the_end_or_to_nothing_is_kept_nowhere(self, database: Database) -> None:
        given = nouns.approval()
        database.approvals.open(given)
        late = given.expires_at + timedelta(microseconds=1)
        with pytest.raises(AlreadyDecided, match="expired at"):
            database.approvals.agree(Agreement(given.id, "anna", late))
        with pytest.raises(NoSuchApproval):
            database.approvals.agree(Agreement(ids.ApprovalId("apr_none"), "anna", NOW))
        assert list(database.approvals.agreements(given.id)) == []
        database.approvals.agree(Agreement(given.id, "anna", given.expires_at))
        assert [one.by for one in database.approvals.agreements(given.id)] == ["anna"]

    def test_of_many_yeses_of_one_person_at_once_one_is_kept(self, database: Database) -> None:
        given = replace(nouns.approval(), needed=2)
        database.approvals.open(given)
        at_once(lambda number: database.approvals.agree(
            Agreement(given.id, f"p{number % 2}", later(1), f"{number}")
        ))  # fmt: skip
        assert [one.by for one in database.approvals.agreements(given.id)] == ["p0", "p1"]


class UserCases:
    def test_a_user_comes_back_and_knows_the_password(self, database: Database) -> None:
        roles = {"production": Role.OBSERVER, "*": Role.ADMINISTRATOR}
        given = database.users.add("anna@example.org", "correct horse battery", roles)
        assert given == User("anna@example.org", roles)
        assert database.users.get("anna@example.org") == given
        assert database.users.check_password("anna@example.org", "correct horse battery") == given

    @pytest.mark.parametrize(
        ("name", "password"),
        [
            ("anna", "wrong horse battery"),
            ("anna", ""),
            ("anna", "\ud800" * 12),
            ("anna", "x" * 5000),
            ("bert", "correct horse battery"),
            ("", ""),
            ("anna\x00", "correct horse battery"),
            ("\ud800", "correct horse battery"),
            ("' OR ''='", "' OR ''='"),
        ],
    )
    def test_everything_else_is_refused_in_the_same_words(
        self, database: Database, name: str, password: str
    ) -> None:
        database.users.add("anna", "correct horse battery", {})
        with pytest.raises(NotAuthenticated, match=r"^name and password do not match$"):
            database.users.check_password(name, password)

    def test_a_password_counts_however_its_letters_are_composed(self, database: Database) -> None:
        database.users.add("anna", "Schl\u00fcsselwort", {})
        assert database.users.check_password("anna", "Schlu\u0308sselwort").name == "anna"

    def test_a_taken_name_is_rejected_and_keeps_its_password(self, database: Database) -> None:
        database.users.add("anna", "correct horse battery", {})
        with pytest.raises(errors.Rejected, match="is taken"):
            database.users.add("anna", "another password", {"*": Role.ADMINISTRATOR})
        assert database.users.check_password("anna", "correct horse battery").roles == {}

    @pytest.mark.parametrize("password", ["", "elevenchars", "x" * 1025])
    def test_a_short_or_endless_password_is_rejected(
        self, database: Database, password: str
    ) -> None:
        with pytest.raises(errors.Rejected, match="expected 12 to 1024"):
            database.users.add("anna", password, {})
        assert database.users.list() == ()

    @pytest.mark.parametrize("name", ["", " anna", "an\nna", "an\x00na", "a" * 255, "\ud800"])
    def test_a_name_that_people_cannot_read_is_rejected(
        self, database: Database, name: str
    ) -> None:
        with pytest.raises(errors.Rejected, match="expected 1 to 254 printable"):
            database.users.add(name, "correct horse battery", {})

    def test_users_are_listed_by_name(self, database: Database) -> None:
        for name in ("bert", "Anna", "anna"):
            database.users.add(name, "correct horse battery", {})
        assert [user.name for user in database.users.list()] == ["Anna", "anna", "bert"]

    def test_roles_are_replaced_at_once(self, database: Database) -> None:
        database.users.add("anna", "correct horse battery", {"production": Role.ADMINISTRATOR})
        changed = database.users.set_roles("anna", {"staging": Role.OBSERVER})
        assert changed.roles == {"staging": Role.OBSERVER}
        assert database.users.get("anna") == changed

    def test_the_end_of_a_role_comes_back_and_goes_with_it(self, database: Database) -> None:
        roles, ends = {"staging": Role.AUDITOR, "*": Role.OBSERVER}, {"staging": later(60)}
        assert database.users.add("anna", "correct horse battery", roles, ends).ends == ends
        assert database.users.get("anna") == User("anna", roles, ends)
        assert database.users.set_roles("anna", roles).ends == {}
        assert database.users.get("anna").ends == {}

    def test_an_unknown_user_is_said_to_be_unknown(self, database: Database) -> None:
        for call in (
            lambda: database.users.get("nobody"),
            lambda: database.users.set_roles("nobody", {}),
        ):
            with pytest.raises(NoSuchUser):
                call()

    def test_a_person_of_a_provider_is_one_account_whatever_they_are_called(
        self, database: Database
    ) -> None:
        who = Outside("https://login.example.org", "u-1")
        assert database.users.outside(who) is None
        made = database.users.adopt(who, "ada", {"staging": Role.OBSERVER})
        again = database.users.adopt(who, "ada.married", {"*": Role.AUDITOR}, {"*": later(60)})
        assert made == User("ada", {"staging": Role.OBSERVER})
        assert again == User("ada", {"*": Role.AUDITOR}, {"*": later(60)})
        assert database.users.outside(who) == database.users.get("ada") == again
        assert [one.name for one in database.users.list()] == ["ada"]

    def test_no_person_of_a_provider_gets_a_name_that_is_in_use(self, database: Database) -> None:
        kept = database.users.add("anna", "correct horse battery", {"*": Role.ADMINISTRATOR})
        mine = Outside("https://login.example.org", "u-1")
        database.users.adopt(mine, "ada", {})
        for who, name in (
            (Outside("https://login.example.org", "u-2"), "anna"),
            (Outside("https://login.example.org", "u-2"), "ada"),
            (Outside("https://login.example.com", "u-1"), "ada"),
        ):
            with pytest.raises(NameTaken):
                database.users.adopt(who, name, {"*": Role.ADMINISTRATOR})
            assert database.users.outside(who) is None
        assert database.users.get("anna") == kept
        assert database.users.get("ada").roles == {}
        with pytest.raises(errors.Rejected):
            database.users.add("ada", "correct horse battery", {})
        assert [database.users.is_outside(one) for one in ("ada", "anna", "nil")] == [
            True, False, False,
        ]  # fmt: skip

    @pytest.mark.parametrize("password", ["", "x", "correct horse battery", "\x00" * 12])
    def test_no_password_opens_an_account_of_a_provider(
        self, database: Database, password: str
    ) -> None:
        database.users.adopt(Outside("i", "s"), "ada", {"*": Role.ADMINISTRATOR})
        with pytest.raises(NotAuthenticated):
            database.users.check_password("ada", password)

    def test_of_many_first_logins_at_once_one_makes_the_account(self, database: Database) -> None:
        who = Outside("i", "s")
        made = at_once(lambda number: database.users.adopt(who, f"ada{number % 3}", {}).name)
        assert len(set(made)) == 1
        assert [one.name for one in database.users.list()] == [made[0]]


class SwitchCases:
    def test_a_freeze_stands_until_it_is_cleared(self, database: Database) -> None:
        assert database.switches.freeze() is None
        first = Freeze("anna", NOW, "storm")
        database.switches.set_freeze(first)
        assert database.switches.freeze() == first
        second = Freeze("bert", later(1), "bigger storm")
        database.switches.set_freeze(second)
        assert database.switches.freeze() == second
        database.switches.set_freeze(None)
        database.switches.set_freeze(None)
        assert database.switches.freeze() is None

    def test_a_freeze_outlives_the_process(self, url: str, database: Database) -> None:
        database.switches.set_freeze(Freeze("anna", NOW, "storm"))
        database.close()
        again = open_database(url)
        try:
            assert again.switches.freeze() == Freeze("anna", NOW, "storm")
        finally:
            again.close()

    def test_windows_are_listed_by_purpose_until_they_end(self, database: Database) -> None:
        over, stands, comes = window("1", -9, 0), window("2", -1, 9), window("3", 60, 90)
        other = replace(window("4", -1, 9), purpose=Purpose.MAINTENANCE, recurrence=WEEKLY)
        for given in (comes, over, stands, other, replace(stands, comment="the same id again")):
            database.switches.add_window(given)
        assert database.switches.windows(Purpose.SILENCE, at=NOW) == (stands, comes)
        assert database.switches.windows(Purpose.SILENCE, at=later(90)) == ()
        assert database.switches.windows(Purpose.MAINTENANCE, at=NOW) == (other,)
        every = database.switches.windows(Purpose.SILENCE, at=NOW, ended_too=True)
        assert every == (comes, stands, over)
        assert database.switches.window(other.id) == other

    def test_a_window_ends_early_and_never_later(self, database: Database) -> None:
        given = window("1", -9, 60)
        database.switches.add_window(given)
        ended = replace(given, ends_at=NOW)
        assert database.switches.end_window(given.id, at=NOW) == ended
        assert database.switches.end_window(given.id, at=later(30)) == ended
        assert database.switches.windows(Purpose.SILENCE, at=NOW) == ()

    def test_a_window_that_nobody_made_is_named(self, database: Database) -> None:
        for asked in (database.switches.window, partial(database.switches.end_window, at=NOW)):
            with pytest.raises(NoSuchWindow, match="sil_moon"):
                asked(WindowId("sil_moon"))


WEEKLY = Recurrence("0 2 * * sun", "Europe/Berlin", timedelta(hours=2))


def window(name: str, starts: float, ends: float) -> Window:
    return Window(
        id=WindowId(f"sil_{name}"),
        purpose=Purpose.SILENCE,
        matchers=(
            Matcher("host", Comparison.MATCHES, "web-.*"),
            Matcher("tag.rack", Comparison.DIFFERS, 'b"7\\ü'),
        ),
        starts_at=later(starts),
        ends_at=later(ends),
        by="anna",
        comment="move",
    )
