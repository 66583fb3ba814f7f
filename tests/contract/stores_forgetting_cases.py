"""What ports.people promises, on every engine."""

import pytest
from sqlalchemy import inspect

from sentienguard.adapters.sql_store import Database
from sentienguard.adapters.sql_store.people import ACTORS, THEIRS, WORDS
from sentienguard.model import errors
from sentienguard.model.access import Role
from sentienguard.model.care import Signed
from sentienguard.ports.switches import Freeze
from sentienguard.ports.user_store import NoSuchUser, Outside
from sentienguard.trust import pseudonym
from tests.contract import stores_nouns as nouns
from tests.contract.stores_nouns import NOW
from tests.contract.stores_threads import at_once
from tests.support import accounts

ANN, BERT = "ann@example.org", "bert@example.org"
PASSWORD = "correct horse battery"
# Columns of text that name nobody with an account, by table; what is new has to be judged here.
NOBODY = {
    "agents": "id host environment tags tls_pin executor_key quarantined search",
    "alembic_version": "version_num",
    "alerts": "environment fingerprint status alert result incident sender",
    "approval_agreements": "approval signature",  # a signature is dropped with its person
    "approvals": "id incident environment playbook digest status parameters",
    "audit_cosigned": "note",
    "audit_head": "verifier_key checkpoint",
    "audit_blobs": "sha256",
    "changes": "environment id service kind version",
    "chat_identities": "service team person",
    "data_keys": "keeper wrapped",
    "decisions": "incident playbook",
    "detector_states": "agent state",
    "emergencies": "id environment purpose",
    "episodes": "incident agent fingerprint sample",
    "incident_care": "incident",
    "incidents": "id agent host environment tags fingerprint status outcome earlier reopens",
    "join_tokens": "token_sha256 environment host used_by_host",
    "login_tokens": "token_sha256 login purpose",
    "order_numbers": "agent",
    "orders": "id incident agent environment playbook status ended counts_because",
    "outbox": "id channel incident kind status reference problem",
    "outside_logs": "environment host service severity text",
    "people": "name pseudonym secret",
    "playbook_drafts": "id name base body sim_case state",
    "playbook_proofs": "digest case_digest release report",
    "profiles": "host",
    "read_tokens": "id token_sha256 name environment",
    "replicas": "id name log fenced_by",
    "service_edges": "environment caller callee kind",
    "silences": "id host_pattern metric_pattern purpose matchers cron zone",
    "webhook_tokens": "id token_sha256 purpose environment signing_secrets",
}


def two_people(database: Database) -> None:
    for name in (ANN, BERT):
        accounts.add(database.users, name, PASSWORD, {"*": Role.ADMINISTRATOR})


class PeopleCases:
    def test_whoever_has_an_account_has_a_pseudonym_that_stays(self, database: Database) -> None:
        two_people(database)
        known = database.people.known()
        assert set(known) == {ANN, BERT}
        assert all(pseudonym.PATTERN.fullmatch(one) for one in known.values())
        assert database.people.names() == {known[name]: name for name in known}
        assert database.people.known() is known  # until something changes
        accounts.add(database.users, "carl", PASSWORD, {})
        assert database.people.known()[ANN] == known[ANN]
        assert set(database.people.known()) == {ANN, BERT, "carl"}

    def test_the_key_shows_whose_it_is_and_each_has_another(self, database: Database) -> None:
        two_people(database)
        found = [database.people.opening(one) for one in database.people.known().values()]
        for one in found:
            assert one is not None
            assert pseudonym.of(one.key, one.name) == one.pseudonym
        assert len({one.key for one in found if one}) == len(found)
        assert database.people.opening("person_" + "0" * 32) is None

    def test_somebody_without_an_account_is_met_once(self, database: Database) -> None:
        met = database.people.meet("slack:T1/U1")
        assert database.people.meet("slack:T1/U1") == met
        assert database.people.known()["slack:T1/U1"] == met
        for name in ("", "x" * 255, "a\nb"):
            with pytest.raises(errors.Rejected):
                database.people.meet(name)

    def test_a_claimed_name_gives_the_same_each_time_and_is_not_kept(
        self, database: Database
    ) -> None:
        two_people(database)
        claimed = database.people.stranger("hunter2")
        assert database.people.stranger("hunter2") == claimed != database.people.stranger("x")
        assert set(database.people.known()) == {ANN, BERT}
        assert database.people.opening(claimed) is None
        for odd in ("", "\ud800", "x" * 5000, "a\0b"):
            assert database.people.stranger(odd).startswith("stranger_")

    def test_twenty_that_meet_somebody_at_once_agree(self, database: Database) -> None:
        assert len(set(at_once(lambda _: database.people.meet("new one")))) == 1

    def test_whoever_is_forgotten_is_nobodys_name_any_more(self, database: Database) -> None:
        two_people(database)
        database.users.adopt(Outside("https://id.example", "7"), "carl@example.org", {})
        was = database.people.known()
        database.care.assign(nouns.incident().id, ANN, Signed(BERT, NOW))
        database.care.settle(nouns.incident().id, Signed(ANN, NOW), f"{ANN} did it, not x{ANN}")
        assert database.people.forget(ANN) >= 4
        care = database.care.of(nouns.incident().id)
        assert care.assigned_to == was[ANN]
        assert care.assigned == Signed(BERT, NOW)
        assert care.settled_because == f"{was[ANN]} did it, not x{ANN}"
        assert set(database.people.known()) == {BERT, "carl@example.org"}
        assert database.people.opening(was[ANN]) is None
        with pytest.raises(NoSuchUser, match="list users"):
            database.people.forget(ANN)
        with pytest.raises(NoSuchUser):
            database.users.get(ANN)
        # A namesake is somebody else.
        accounts.add(database.users, ANN, PASSWORD, {})
        assert database.people.known()[ANN] != was[ANN]

    def test_forgetting_one_leaves_the_other_as_they_were(self, database: Database) -> None:
        two_people(database)
        before = database.people.known()[BERT]
        database.people.forget(ANN)
        assert database.people.known() == {BERT: before}
        assert database.users.check_password(BERT, PASSWORD).name == BERT

    def test_every_column_of_text_is_judged(self, database: Database) -> None:
        with database._connections.read() as transaction:
            schema = inspect(transaction.connection)
            found = {
                (table, column["name"])
                for table in schema.get_table_names()
                for column in schema.get_columns(table)
                if "TEXT" in str(column["type"]) or "CHAR" in str(column["type"])
            }
        whole = {table for table, _ in THEIRS if table != "chat_identities"}
        judged = {*ACTORS, *THEIRS, *((table, column) for table, _, column in WORDS)}
        judged |= {(table, one) for table, named in NOBODY.items() for one in named.split()}
        assert {one for one in found if one not in judged and one[0] not in whole} == set()
        assert judged <= found, "judged, and no column any more"

    def test_what_stands_goes_on_under_the_pseudonym(self, database: Database) -> None:
        two_people(database)
        database.switches.set_freeze(Freeze(by=ANN, at=NOW, reason=f"for {ANN}"))
        stands_for = database.people.known()[ANN]
        database.people.forget(ANN)
        standing = database.switches.freeze()
        assert standing is not None
        assert (standing.by, standing.reason) == (stands_for, f"for {stands_for}")
