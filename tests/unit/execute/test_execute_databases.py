"""The step and the checks of databases: what is bound, what is refused, run twice, undone twice."""

import dataclasses
import json
from datetime import timedelta

import pytest

from sentienguard.model import errors, ids
from sentienguard.model.order import StepStatus
from sentienguard.model.playbook import Action, Check, Param
from sentienguard.ports import databases
from sentienguard.stages.execute import checks, parameters, steps, work
from tests.support import pretend_host

ROWS = "SELECT id FROM t WHERE a = ? LIMIT 5"
END = "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM a WHERE b LIMIT 5) AS chosen"


class Pretended:
    """A ports.databases.Databases with one answer; acting uses its rows up."""

    def __init__(self, *rows, changed=0, services=("db",)):
        self.rows, self.changed, self.services = rows, changed, frozenset(services)
        self.asked, self.acted = [], []

    def names(self):
        return self.services

    def ask(self, name, statement, values=(), *, limit):
        self.asked.append((name, statement, tuple(values)))
        return databases.Answer(self.rows)

    def act(self, name, statement, values=((),), *, limit):
        self.acted.append((name, statement, tuple(tuple(one) for one in values)))
        answer = databases.Answer(self.rows, self.changed)
        self.rows, self.changed = (), 0
        return tuple(answer for _ in values)

    def measure(self, name, fact):
        return 1.0


def checking(kind, fields):
    return Check("answers", kind, fields, timedelta(seconds=10))


def context(store, **bound):
    pretend = pretend_host.PretendHost()
    return work.Context(
        order=ids.OrderId("ord_0000000000000000"),
        host=dataclasses.replace(pretend.host(), databases=store),
        bound=parameters.Bound(**{"values": {}, **bound}),
        brought={},
        limit_s=30,
        mark="ord_0000000000000000:step0",
        interrupt=pretend_host.Interrupt(),
        started=lambda group: None,
    )


def run(store, fields, **bound):
    kind, action, given = (
        steps.KINDS["sql_query"],
        Action("sql_query", fields),
        context(store, **bound),
    )
    recorded = kind.prepare(action, given)
    assert json.loads(json.dumps(recorded)) == recorded  # the journal holds it as JSON
    return kind.run(action, given, recorded)


def test_ending_sessions_says_how_many_and_twice_changes_nothing():
    store = Pretended(("t",), ("t",))
    first, second = (run(store, {"query": END, "service": "db"}) for _ in range(2))
    assert (first.status, first.changed, first.stdout) == (StepStatus.SUCCESS, True, "t\nt")
    assert (second.status, second.changed) == (StepStatus.SUCCESS, False)


def test_a_change_of_rows_says_whether_there_was_one():
    store = Pretended(changed=3)
    query = "UPDATE t SET a = 1 WHERE b = 2"
    assert [run(store, {"query": query}).changed for _ in range(2)] == [True, False]


def test_what_cannot_be_told_is_not_told():
    assert run(Pretended(), {"query": "VACUUM"}).changed is None


def test_each_row_is_bound_and_no_row_is_nothing_to_do():
    store = Pretended(("11",), ("12",))
    fields = {"query": "KILL ?", "for_each": ROWS, "values": (Param("n"),)}
    first = run(store, fields, values={"n": "7"})
    assert store.asked == [("db", ROWS, ("7",))]
    assert store.acted == [("db", "KILL ?", (("11",), ("12",)))]
    assert (first.status, first.changed) == (StepStatus.SUCCESS, True)
    second = run(store, fields, values={"n": "7"})
    assert (second.status, second.changed, len(store.acted)) == (StepStatus.SUCCESS, False, 1)


def test_a_row_with_nothing_in_it_is_bound_to_nothing():
    with pytest.raises(work.NotPossible, match="NULL"):
        run(Pretended((None,)), {"query": "KILL ?", "for_each": ROWS, "values": (1,)})


@pytest.mark.parametrize(
    "fields",
    [
        {"query": "DROP TABLE t"},
        {"query": "DELETE FROM t"},
        {"query": "SELECT 1; SELECT 2"},
        {"query": "KILL ?", "for_each": "SELECT id FROM t"},
        {"query": "KILL ?", "for_each": "DELETE FROM t WHERE a LIMIT 1"},
    ],
)
def test_what_lint_refuses_is_not_sent(fields):
    store = Pretended(("1",))
    with pytest.raises(work.NotPossible, match="not run"):
        run(store, fields)
    assert (store.asked, store.acted) == ([], [])


def test_the_database_is_the_given_one_else_the_order_s_else_the_only_one():
    for fields, bound, services, meant in (
        ({"service": "a"}, {"subjects": {"service": "b"}}, ("a", "b"), "a"),
        ({}, {"subjects": {"service": "b"}}, ("a", "b"), "b"),
        ({}, {}, ("c",), "c"),
    ):
        store = Pretended(services=services)
        run(store, {"query": "VACUUM", **fields}, **bound)
        assert store.acted[0][0] == meant
    for services in ((), ("a", "b")):
        with pytest.raises(work.NotPossible, match="which database"):
            run(Pretended(services=services), {"query": "VACUUM"})


def test_undoing_says_twice_that_it_cannot():
    action, given = Action("sql_query", {"query": END}), context(Pretended())
    kind = steps.KINDS["sql_query"]
    done = [kind.restore(action, given, {}) for _ in range(2)]
    assert {one.status for one in done} == {StepStatus.NOT_UNDOABLE}


def test_a_dry_run_shows_statement_and_values():
    fields = {"query": "KILL\n ?", "for_each": ROWS, "values": (Param("n"),)}
    bound = parameters.Bound({"n": "7"})
    shown = steps.KINDS["sql_query"].plan(Action("sql_query", fields), bound)
    assert shown == ("sql", "KILL ?", "for each row of", ROWS, "7")


@pytest.mark.parametrize(
    ("rows", "expected", "passed"),
    [
        ((("1",),), {}, True),
        ((), {}, False),
        ((("1",),), {"expect_rows": 1}, True),
        ((("1",), ("2",)), {"expect_rows": 1}, False),
        ((), {"expect_rows": 0}, True),
        ((("0",),), {"expect_value": 0}, True),
        ((("0.0",),), {"expect_value": 0}, True),
        ((("no number",),), {"expect_value": 0}, False),
        ((("1",),), {"expect_value": 0}, False),
        ((("f",),), {"expect_value": False}, True),
        ((("0",),), {"expect_value": False}, True),
        ((("t",),), {"expect_value": False}, False),
        ((("on",),), {"expect_value": "on"}, True),
        ((("off",),), {"expect_value": "on"}, False),
        (((None,),), {"expect_value": "None"}, False),
        ((("1", "2"),), {"expect_value": 1}, False),
        ((("1",), ("1",)), {"expect_value": 1}, False),
    ],
)
@pytest.mark.parametrize("kind", ["sql", "sql_query"])
def test_a_check_compares_what_came_with_what_is_expected(kind, rows, expected, passed):
    check = checking(kind, {"query": "SELECT a FROM t", **expected})
    finding = checks.KINDS[kind].judge(check, context(Pretended(*rows)))
    assert finding.passed is passed
    assert finding.detail.startswith("db: ")


def test_a_check_that_would_do_more_than_look_is_not_sent():
    store = Pretended(("1",))
    check = checking("sql", {"query": END})
    with pytest.raises(errors.Rejected, match="not run"):
        checks.KINDS["sql"].judge(check, context(store))
    assert store.asked == []


def test_an_answer_is_shown_in_part():
    rows = tuple((str(number), None) for number in range(30))
    check = checking("sql", {"query": "SELECT a FROM t"})
    shown = checks.KINDS["sql"].judge(check, context(Pretended(*rows))).stdout
    assert shown.startswith("0 | NULL\n1 | NULL\n")
    assert shown.endswith("and 10 more")
