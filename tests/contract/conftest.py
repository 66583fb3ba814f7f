"""Fixtures of the stores' contract on SQLite; the same cases run on PostgreSQL in integration."""

import pathlib
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.contract.stores_{cases}_cases"
        for cases in ("agent", "alert", "incident", "order", "people")
    ),
    "tests.contract.audit_log_cases",
)

from sentienguard.adapters.sql_store import Database, open_database  # noqa: E402  # after the rewrite


@pytest.fixture
def url(tmp_path: pathlib.Path) -> str:
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()
