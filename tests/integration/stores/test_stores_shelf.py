"""A database that tests are lent one after another: of an earlier one's, the next sees nothing."""

import psycopg
import pytest

from sentienguard.adapters.sql_store import open_database
from tests.contract import stores_nouns
from tests.support import tables

pytestmark = pytest.mark.integration
NUMBERS = "SELECT sequencename, last_value FROM pg_sequences ORDER BY sequencename"


def ask(url, statement):
    with psycopg.connect(url) as connection:
        asked = connection.execute(statement)
        return asked.fetchall() if asked.description else None


def test_rows_are_gone_numbers_begin_anew_and_who_was_connected_is_cut_off(server):
    shelf = tables.Shelf(server)
    with shelf.lent() as url:
        fresh = ask(url, NUMBERS)
        stores = open_database(url)
        stores.incidents.open(stores_nouns.incident())
        ask(url, f"SELECT nextval('{fresh[0][0]}')")
        assert ask(url, NUMBERS) != fresh
        holds = psycopg.connect(url)
        holds.execute("LOCK TABLE incidents")
    with pytest.raises(psycopg.OperationalError):
        holds.execute("SELECT 1")
    stores.close()
    with shelf.lent() as again:
        assert again == url
        assert ask(again, NUMBERS) == fresh
        assert ask(again, "SELECT count(*) FROM incidents") == [(0,)]
        assert ask(again, "SELECT count(*) FROM alembic_version") == [(1,)]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE agents DROP COLUMN search",
        "ALTER TABLE agents ADD COLUMN more text",
        "CREATE TABLE more (one text)",
        "DROP TABLE outside_logs",
        "CREATE INDEX more ON incidents (host)",
        "ANALYZE pg_class",
        "UPDATE alembic_version SET version_num = '0021'",
        "DELETE FROM alembic_version",
    ],
)
def test_one_that_was_changed_is_lent_to_nobody_else(server, change):
    shelf = tables.Shelf(server)
    with shelf.lent() as url:
        ask(url, change)
    with shelf.lent() as another:
        assert another != url
        open_database(another).close()
