"""A PostgreSQL server for the tests of this directory; they skip where none is installed."""

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.contract.stores_{cases}_cases"
        for cases in ("agent", "alert", "incident", "order", "people")
    )
)

from sentienguard.adapters.sql_store import Database, open_database  # noqa: E402
from tests.servers import postgresql  # noqa: E402  # after the rewrite
from tests.support import tables  # noqa: E402


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    reason = postgresql.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgresql.running() as running:
        yield running


@pytest.fixture(scope="module")
def shelf(server: postgresql.Server) -> tables.Shelf:
    return tables.Shelf(server)


@pytest.fixture
def url(shelf: tables.Shelf) -> Iterator[str]:
    with shelf.lent() as lent:
        yield lent


@pytest.fixture
def empty_url(server: postgresql.Server) -> str:
    """Return the URL of a database without tables."""
    return server.new_database()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()
