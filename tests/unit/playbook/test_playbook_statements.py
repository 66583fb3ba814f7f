"""Which SQL may be signed: what looks, what acts within bounds, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.playbook import statements

CHOSEN = "(SELECT pid FROM pg_stat_activity WHERE state = 'idle' ORDER BY pid LIMIT 5) AS chosen"
LOOKS = [
    "SELECT 1",
    "select 1;",
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle'",
    "SELECT count(*) FILTER (WHERE a.b IN (1, 2)) FROM t a WHERE n > $1",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "SHOW BINARY LOGS",
    "SELECT 'it''s; DROP TABLE t' FROM t",
    "SELECT @@max_connections",
    "SELECT now() - interval '5 minutes' < clock_timestamp()",
]
DOES_NOT_LOOK = [
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_sleep(1000)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT load_file('/etc/passwd')",
    "SELECT set_config('a', 'b', false)",
    "SELECT nextval('s')",
    "SELECT dblink('host=evil', 'x')",
    "SELECT public.count(1)",
    'SELECT "count"(1)',
    "SELECT `count`(1)",
    "SELECT * INTO t FROM u",
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    "SELECT * FROM t FOR UPDATE",
    "SELECT * FROM t FOR SHARE",
    "SELECT @a := 1",
    "WITH d AS (DELETE FROM t RETURNING 1) SELECT * FROM d",
    "UPDATE t SET a = 1 WHERE b = 2",
    "EXPLAIN ANALYZE DELETE FROM t",
    "CALL p()",
    "DO 1",
    "VACUUM",
    "COPY t TO PROGRAM 'sh'",
    "TABLE t",
    "SET a = 1",
    "",
]
NO_STATEMENT = [
    "SELECT 1; SELECT 2",
    "SELECT 1 -- more",
    "SELECT 1 /* more */",
    "SELECT /*!40001 1 */",
    "SELECT 1 # more",
    "SELECT 'a\\' OR 1 = 1",
    "SELECT $$text$$",
    "SELECT $t$text$t$",
    "SELECT 'never closed",
    "SELECT (1",
    "SELECT 1)",
    "SELECT 'é'",
    "SELECT 1\0",
    "SELECT " + "1" * 5000,
]
ACTS = [
    f"SELECT pg_terminate_backend(pid) FROM {CHOSEN}",
    f"SELECT pg_cancel_backend(pid) FROM {CHOSEN};",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "UPDATE t SET state = 'done' WHERE state = 'stuck'",
    "DELETE FROM t WHERE at < now() - interval '30 days'",
    "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING",
    "VACUUM (SKIP_LOCKED)",
    "ANALYZE",
    "CHECKPOINT",
    "PURGE BINARY LOGS BEFORE now() - INTERVAL 3 DAY",
]
DOES_NOT_ACT = [
    ("unbounded-delete", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"),
    (
        "unbounded-delete",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' LIMIT 5",
    ),
    ("unbounded-delete", "SELECT pg_cancel_backend(pid) FROM (SELECT pid FROM t LIMIT 5) AS c"),
    ("unbounded-delete", "SELECT pg_cancel_backend(pid) FROM (SELECT pid FROM t WHERE a) AS c"),
    ("unbounded-delete", f"SELECT pg_cancel_backend(pid) FROM {CHOSEN.replace('5)', '500)')}"),
    ("unbounded-delete", f"SELECT pg_cancel_backend(pid) FROM {CHOSEN.replace('5)', '5 + 500)')}"),
    ("harmful", f"SELECT pid, pg_terminate_backend(pid) FROM {CHOSEN}"),
    ("harmful", "SELECT 1 FROM t WHERE pg_terminate_backend(pid) AND state = 'idle'"),
    ("harmful", "WITH a AS (SELECT 1) SELECT pg_terminate_backend(pid) FROM a"),
    ("harmful", "SELECT pg_switch_wal() FROM pg_stat_activity"),
    ("harmful", "SELECT pg_promote()"),
    ("harmful", f"SELECT public.pg_terminate_backend(pid) FROM {CHOSEN}"),
    ("unbounded-delete", "DELETE FROM t"),
    ("unbounded-delete", "UPDATE t SET a = 1"),
    ("unbounded-delete", "DROP TABLE t"),
    ("unbounded-delete", "TRUNCATE t"),
    ("unbounded-delete", "PURGE BINARY LOGS TO 'x'"),
    ("harmful", "CREATE INDEX i ON t (a)"),
    ("harmful", "ALTER SYSTEM SET archive_command = ''"),
    ("harmful", "GRANT ALL ON t TO u"),
    ("harmful", "SET GLOBAL max_connections = 1"),
    ("harmful", "VACUUM (FULL)"),
    ("harmful", "VACUUM FULL t"),
    ("harmful", "COPY t TO PROGRAM 'sh'"),
    ("harmful", "KILL 5"),
    ("unbounded-delete", "KILL ?"),
    ("harmful", "DELETE FROM t WHERE a = pg_read_file('x')"),
    ("harmful", "BEGIN"),
    ("harmful", "SHUTDOWN"),
]


@pytest.mark.parametrize("statement", LOOKS)
def test_what_only_looks_may(statement):
    assert statements.looking(statement) == ()


@pytest.mark.parametrize("statement", [*DOES_NOT_LOOK, *NO_STATEMENT])
def test_what_may_do_more_than_look_may_not(statement):
    assert statements.looking(statement)


@pytest.mark.parametrize("statement", ACTS)
def test_an_act_within_bounds_may(statement):
    assert statements.acting(statement) == ()


@pytest.mark.parametrize(("rule", "statement"), DOES_NOT_ACT)
def test_an_act_beyond_bounds_may_not(rule, statement):
    assert rule in {remark.rule for remark in statements.acting(statement)}


@pytest.mark.parametrize("statement", NO_STATEMENT)
def test_what_is_not_one_static_statement_does_not_act(statement):
    assert statements.acting(statement)


def test_an_act_for_each_row_says_for_which_and_for_how_many():
    rows = "SELECT id FROM information_schema.processlist WHERE time > 300 LIMIT 10"
    assert statements.acting("KILL ?", rows=rows) == ()
    assert statements.acting("KILL QUERY ?", rows=rows) == ()
    for wrong in (
        rows.replace(" LIMIT 10", ""),
        rows.replace("LIMIT 10", "LIMIT 1000"),
        rows.replace(" WHERE time > 300", ""),
        rows.replace("SELECT", "DELETE"),
        rows.replace("id", "sleep(9)"),
    ):
        assert statements.acting("KILL ?", rows=wrong)
    for wrong in ("KILL 5", "KILL ? ?", "KILL USER root", "KILL ? ; KILL ?", "KILL HARD ?"):
        assert statements.acting(wrong, rows=rows)


@given(st.text())
def test_any_text_is_judged_and_never_an_error(text):
    for judge in (statements.looking, statements.acting):
        for remark in judge(text):
            assert remark.message
            assert remark.way_out


@given(
    st.sampled_from(LOOKS), st.sampled_from([";", "--", "/*", "\\", '"', "`", "$$", "#", "\0", "é"])
)
def test_no_text_with_a_second_language_in_it_looks(statement, bad):
    assert statements.looking(f"{statement} {bad} SELECT 1")
