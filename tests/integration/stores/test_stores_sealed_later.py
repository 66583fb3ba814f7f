"""What an earlier release kept in the clear is sealed at the next start, and overwritten."""

import contextlib

import pytest
from sqlalchemy import Engine, event, text

from sentienguard.adapters.sql_store import data_keys, open_database, sealed_columns
from sentienguard.model import errors
from tests.support import sealed_store
from tests.support.sealed_store import (
    LINE,
    NOTICE,
    ORDER,
    REPORT,
    SAID,
    changed,
    decision,
    fill,
    in_the_files,
    whole,
)

pytestmark = pytest.mark.integration
url, keeper = sealed_store.url, sealed_store.keeper


@pytest.fixture
def careless():
    """Have SQLite leave what is replaced where it is, which some builds of it do not."""

    def off(connection, _record):
        connection.execute("PRAGMA secure_delete = OFF")

    event.listen(Engine, "connect", off)
    yield
    event.remove(Engine, "connect", off)


@pytest.mark.usefixtures("careless")
def test_what_resealing_replaces_is_overwritten_with_zeros(url, keeper):
    with (
        contextlib.closing(open_database(url, keeper)) as stores,
        stores._connections.write() as transaction,
    ):
        assert transaction.row(text("PRAGMA secure_delete")) == (0,)
        stores._connections.erasing(transaction)
        assert transaction.row(text("PRAGMA secure_delete")) == (1,)


def test_what_an_earlier_release_kept_in_the_clear_is_sealed_and_overwritten(url, keeper, tmp_path):
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert in_the_files(tmp_path / "store") == []
        assert whole(stores)
        assert [one.whole_at is not None for one in stores.data_keys.all()] == [True]


def test_a_resealing_that_was_cut_off_is_finished_at_the_next_start(
    url, keeper, tmp_path, monkeypatch
):
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
    real = data_keys.DataKeys._reseal_batch

    def cut_off(self, column, stale):
        if column is sealed_columns.LOGIN_ADDRESS:
            raise errors.Unavailable("the power went")
        return real(self, column, stale)

    monkeypatch.setattr(data_keys.DataKeys, "_reseal_batch", cut_off)
    with pytest.raises(errors.Unavailable, match="power"):
        open_database(url, keeper)
    monkeypatch.undo()
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert in_the_files(tmp_path / "store") == []
        assert whole(stores)


def test_texts_that_are_in_the_clear_are_read_and_sealed_where_not_all_is_known_to_be(
    url, keeper, tmp_path
):
    with contextlib.closing(open_database(url, keeper)) as stores:
        fill(stores)
    changed(
        tmp_path, f"UPDATE outside_logs SET text = '{LINE}'", f"UPDATE alerts SET alert = '{SAID}'",
        f"UPDATE outbox SET notice = '{NOTICE}'",
    )  # fmt: skip
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores), "what is in the clear is read as it is"
    assert in_the_files(tmp_path / "store") != []
    changed(tmp_path, "UPDATE data_keys SET whole_us = NULL")
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores)
        assert in_the_files(tmp_path / "store") == []


def undo_0021(transaction):
    """Leave the tables as the release before did."""
    transaction.change(text("ALTER TABLE orders DROP COLUMN ended"))
    if transaction.connection.dialect.name == "postgresql":
        transaction.change(
            text(
                "ALTER TABLE emergencies ADD CONSTRAINT emergencies_user_name_fkey "
                "FOREIGN KEY (user_name) REFERENCES users (name)"
            )
        )
        return
    [(made,)] = transaction.rows(text("SELECT sql FROM sqlite_master WHERE name = 'emergencies'"))
    referring = f"{made.rstrip()[:-1]}, FOREIGN KEY (user_name) REFERENCES users (name))"
    transaction.change(text("ALTER TABLE emergencies RENAME TO copied"))
    transaction.change(text(referring))
    transaction.change(text("INSERT INTO emergencies SELECT * FROM copied"))
    transaction.change(text("DROP TABLE copied"))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_upgrade_keeps_what_is_asked_of_decisions_and_seals_them(url, keeper, engine, request):
    if engine == "postgresql":
        url = request.getfixturevalue("server").new_database()
    with contextlib.closing(open_database(url)) as stores:
        fill(stores)
        with stores._connections.write() as transaction:
            transaction.change(text("ALTER TABLE decisions DROP COLUMN confidence"))
            transaction.change(text("ALTER TABLE agents DROP COLUMN search"))
            undo_0021(transaction)
            transaction.change(text("UPDATE alembic_version SET version_num = '0019'"))
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert whole(stores)
        with stores._connections.read() as transaction:
            row = transaction.row(text("SELECT confidence, decision FROM decisions"))
        assert row.confidence == decision().confidence.value
        assert row.decision.startswith("sg1.1.")
        assert [one.execution for one in stores.orders.ended(ORDER.digest, ORDER.environment)] == [
            REPORT.outcome
        ]
