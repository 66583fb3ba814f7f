"""What `doctor` says of sealing is so, and every column of the schema was judged by somebody."""

import contextlib
import re

import pytest
import sqlalchemy
from sqlalchemy import text

from sentienguard.adapters.key_keepers import local_file
from sentienguard.adapters.sql_store import open_database, sealed_columns, sealing_report
from tests.support import sealed_store

pytestmark = pytest.mark.integration

url, keeper = sealed_store.url, sealed_store.keeper

# A column of these names holds a name, an id, a word of a closed list, a digest, a pattern, or a
# public or a wrapped key. What of them is personal, docs/how-to/seal-secrets-at-rest.md says.
NAMES = set(re.findall(r"\w+", """
    account acknowledged_by agent agreed_by approval asked_by assigned_by assigned_to base callee
    caller case_digest changed_by channel checkpoint code_sha256 credential cron decided_by
    digest earlier ended_because ended_by environment executor_key fenced_by fingerprint host
    host_pattern id incident issuer keeper kind log login ended made_by matchers metric_pattern name
    network outcome party person playbook pseudonym purpose quarantined reference release
    reopens role_ends roles sealed sender service set_by settled_by severity sha256 state
    status stop_requested_by subject team tls_pin token_sha256 used_by_host user_name
    verifier_key version version_num way wrapped zone secret_sha256 about label result
"""))  # fmt: skip


def test_every_column_with_text_is_sealed_or_was_judged_not_to_be(url):
    clear = {name for names in sealing_report.CLEAR.values() for name in names}
    sealed = set(sealed_columns.SEALED_BY_NAME)
    unjudged = []
    with (
        contextlib.closing(open_database(url)) as stores,
        stores._connections.read() as transaction,
    ):
        schema = sqlalchemy.inspect(transaction.connection)
        tables = {table: schema.get_columns(table) for table in schema.get_table_names()}
    names = {column["name"] for columns in tables.values() for column in columns}
    assert names >= NAMES, NAMES - names
    there = {f"{table}.{column['name']}" for table in tables for column in tables[table]}
    assert clear <= there, "a column that is gone is not named any more"
    for table, columns in tables.items():
        for column in columns:
            place = (table, column["name"])
            kind = column["type"]
            holds_text = isinstance(kind, sqlalchemy.String | sqlalchemy.LargeBinary)
            judged = place in sealed or ".".join(place) in clear or column["name"] in NAMES
            if holds_text and not judged:
                unjudged.append(".".join(place))
    assert unjudged == [], "seal them, or say in sealing_report.CLEAR why they are not"
    assert not clear & {".".join(place) for place in sealed}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_is_in_the_clear_is_counted_without_a_key(url, keeper, engine, request):
    if engine == "postgresql":
        url = request.getfixturevalue("server").new_database()
    assert sealing_report.look(url) is None
    with contextlib.closing(open_database(url)) as stores:
        sealed_store.fill(stores)
    found = sealing_report.look(url)
    assert (found.sealed, set(found.clear.values())) == (0, {1})
    assert set(found.clear) == {f"{one.table}.{one.name}" for one in sealed_columns.SEALED}
    with contextlib.closing(open_database(url, keeper)) as stores:
        assert sealing_report.look(url) == sealing_report.Report(
            sealed_store.ALL, {}, sealed_store.ALL
        )
        with stores._connections.write() as transaction:
            transaction.change(text("UPDATE outbox SET notice = 'of an earlier release'"))
    assert sealing_report.look(url).clear == {"outbox.notice": 1}


def test_the_keeper_is_not_asked(url, tmp_path):
    with contextlib.closing(
        open_database(url, local_file.LocalFile(tmp_path / "data.key"))
    ) as all_:
        sealed_store.fill(all_)
    (tmp_path / "data.key").unlink()
    assert sealing_report.look(url).sealed == sealed_store.ALL
