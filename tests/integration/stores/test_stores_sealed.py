"""Secrets and personal values at rest: sealed under data keys, in no file in the clear.

On both engines, with keys in a file.
"""

import base64
import contextlib
import dataclasses
import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import text

from sentienguard.adapters.audit_files.log import AuditFiles
from sentienguard.adapters.sql_store import data_keys, open_database, sealed_columns
from sentienguard.model import errors
from sentienguard.model.approval import Agreement
from sentienguard.model.care import Signed
from sentienguard.ports import audit_log, key_keeper
from sentienguard.ports.factor_store import Factor, Way
from tests.contract import stores_nouns as nouns
from tests.contract.audit_log_cases import rules
from tests.support import sealed_store
from tests.support.sealed_store import (
    ALL,
    CHANGE,
    EMERGENCY,
    NOW,
    QUESTIONED,
    TOTP,
    WORDS,
    YES,
    fill,
    in_the_files,
    line,
    lines,
    message,
    whole,
    words,
)

pytestmark = pytest.mark.integration
url, keeper = sealed_store.url, sealed_store.keeper


def test_no_canary_is_in_the_files_and_everything_comes_back(url, keeper, tmp_path):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        assert in_the_files(tmp_path / "store") == []  # with the write-ahead log
        assert whole(stores)
        backup = sqlite3.connect(tmp_path / "store/backup.db")
        source = sqlite3.connect(tmp_path / "store/store.db")
        source.backup(backup)
        backup.close()
        source.close()
    assert in_the_files(tmp_path / "store") == []
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores)


def test_the_canaries_are_found_where_nothing_seals(url, tmp_path):
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
        assert whole(stores)
        found = {canary for _, canary in in_the_files(tmp_path / "store")}
    assert len(found) == ALL - 1, "the search would notice each column; keys of people are random"


def test_rotation_needs_no_pause_and_old_values_still_open(url, keeper):
    with (
        contextlib.closing(open_database(url, keeper)) as one,
        contextlib.closing(open_database(url, keeper)) as other,
    ):
        fill(one)
        was = keeper.name
        assert keeper.add() != was
        assert one.data_keys.rotate() == data_keys.Rotation(number=2, rewrapped=1, resealed=ALL)
        assert whole(one)
        assert whole(other)
        other.factors.add(Factor("fac_2", "ada@local", Way.TOTP, "two", NOW, b"second"))
        with one._connections.read() as transaction:
            kept = transaction.row(text("SELECT secret FROM factors WHERE id = 'fac_2'"))
        assert kept.secret.startswith("sg1.2."), "another control plane seals under the new key"
        assert [(key.number, key.keeper) for key in one.data_keys.all()] == [
            (1, keeper.name),
            (2, keeper.name),
        ]


@pytest.mark.parametrize("lost", ["gone", "another", "readable", "torn"])
def test_without_the_keeper_s_key_the_store_does_not_open_and_says_what_is_missing(
    url, keeper, tmp_path, lost
):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    file = tmp_path / "data.key"
    match lost:
        case "gone":
            file.unlink()
        case "another":
            file.unlink()
            keeper.add()
        case "readable":
            file.chmod(0o640)
        case "torn":
            file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(key_keeper.KeyRefused, match=r"data\.key") as refused:
        open_database(url, keeper)
    assert base64.b64encode(TOTP).decode() not in str(refused.value)
    assert file.exists() == (lost != "gone"), "no new key is made beside what it cannot open"


def test_a_sealed_database_opens_nothing_without_a_keeper(url, keeper):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    with contextlib.closing(open_database(url)) as stores:
        assert [user.name for user in stores.users.list()] == ["ada@local"]
        with pytest.raises(errors.Broken, match="is sealed"):
            stores.factors.of("ada@local")
        with pytest.raises(errors.Rejected, match="without a keeper"):
            stores.data_keys.rotate()


def test_on_postgresql_too_no_canary_leaves_the_store(server, keeper):
    url = server.new_database()
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores)
        assert stores.data_keys.rotate().resealed == ALL
        assert whole(stores)
        for column in sealed_columns.SEALED:
            with stores._connections.read() as transaction:
                rows = transaction.rows(text(f"SELECT {column.name} FROM {column.table}"))
            assert rows
            assert all(bytes(data_keys._raw(row[0])).startswith(b"sg1.2.") for row in rows)


def test_the_file_of_keys_is_its_owner_s_alone(keeper, tmp_path):
    names = [keeper.add(), keeper.add()]
    assert (tmp_path / "data.key").stat().st_mode & 0o777 == 0o600
    assert keeper.name == names[1]
    assert len(set(names)) == 2


def test_the_directory_of_the_log_alone_opens_no_blob(url, keeper, tmp_path):
    place, output = tmp_path / "audit", b"what a step of a remedy said"
    with contextlib.closing(open_database(url, keeper)) as stores:
        with AuditFiles(place, rules(), sealer=stores.data_keys) as log:
            kept, erased = log.put_blob(output, "text/plain"), log.put_blob(b"more", "text/plain")
            log.erase_blob(erased.sha256)
        stores.data_keys.rotate()
        with AuditFiles(place, rules(), sealer=stores.data_keys) as log:
            assert log.get_blob(kept.sha256) == output
            with pytest.raises(audit_log.BlobErased):
                log.get_blob(erased.sha256)
    key = place / "blob-keys" / kept.sha256[:2] / kept.sha256
    assert key.read_bytes().startswith(b"sg1.1.")
    with AuditFiles(place, rules()) as log, pytest.raises(audit_log.AuditBroken):
        log.get_blob(kept.sha256)


def test_text_that_looks_sealed_is_kept_as_any_other(url, keeper):
    with contextlib.closing(open_database(url, keeper)) as stores:
        for text_of in ("sg1.1.AAAA", "sg1.", "\N{SNOWMAN}", ""):
            stores.outside_logs.put([line(text_of)])
            assert lines(stores)[0].line.text == text_of


def test_who_is_forgotten_is_gone_from_sealed_messages_too(url, keeper):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
        stores.outbox.put(message("msg_2", "ada@local said yes"))
        assert YES in words(stores)
        stores.approvals.open(told(2, "ada@local asks"))
        stores.approvals.agree(Agreement(told(2, "").id, "ada@local", NOW, "ada@local agrees"))
        stands_for = stores.people.known()["ada@local"]
        stores.people.forget("ada@local")
        assert stores.outbox.due(NOW, limit=9)[1].text == f"{stands_for} said yes"
        with stores._connections.read() as transaction:
            kept = transaction.row(text("SELECT notice FROM outbox WHERE id = 'msg_2'"))
        assert kept.notice.startswith("sg1.")
        assert stores.approvals.get(told(2, "").id).question == f"{stands_for} asks"
        [yes] = stores.approvals.agreements(told(2, "").id)
        assert (yes.by, yes.note) == (stands_for, f"{stands_for} agrees")
        assert stores.emergencies.get(EMERGENCY.id).user == stands_for
        assert [one.replace(stands_for, "ada") for one in words(stores)] == list(WORDS)


def told(number, question):
    asked = nouns.approval(number)
    return dataclasses.replace(asked, question=question, expires_at=NOW + timedelta(days=1))


def test_equal_words_of_two_people_are_sealed_each_for_its_own_row(url, keeper, monkeypatch):
    monkeypatch.setattr(data_keys, "_BATCH", 1)  # a page ends between them
    people = ("ada@local", "bob@local", "cy@local")
    with contextlib.closing(open_database(url)) as stores:
        stores.incidents.open(nouns.incident())
        stores.approvals.open(QUESTIONED)
        for number, name in enumerate(people):
            at = NOW + timedelta(seconds=number)
            stores.approvals.agree(Agreement(QUESTIONED.id, name, at, YES))
        for number in "12":
            one = dataclasses.replace(CHANGE, id=number)
            stores.changes.put("drill", [one], received_at=NOW)
    with contextlib.closing(open_database(url, keeper)) as stores:
        notes = [one.note for one in stores.approvals.agreements(QUESTIONED.id)]
        assert notes == [YES, YES, YES]
        for statement in ("SELECT note FROM approval_agreements", "SELECT summary FROM changes"):
            with stores._connections.read() as transaction:
                rows = [row[0] for row in transaction.rows(text(statement))]
            assert len(rows) == len(set(rows)), "no two are the same text"
            assert all(row.startswith("sg1.1.") for row in rows)


@pytest.mark.parametrize("keeps", [True, False])
def test_half_a_surrogate_pair_is_refused_while_its_sender_listens(url, keeper, keeps):
    with contextlib.closing(open_database(url, keeper if keeps else None)) as stores:
        stores.incidents.open(nouns.incident())
        with pytest.raises(errors.Rejected, match="surrogate"):
            stores.care.settle(QUESTIONED.incident, Signed("ada@local", NOW), "by \ud800 hand")
        assert stores.care.of(QUESTIONED.incident).settled is None
