"""A query's answer, asked in a session that may only read.

Without an expectation it passes when there is at least one row.
"""

from sentienguard.model import playbook
from sentienguard.playbook import statements
from sentienguard.stages.execute import databases, work

_YES = frozenset({"t", "true", "1", "yes", "on"})


class SqlCheck:
    """A work.CheckKind, under both of its names."""

    only_looks = True

    def judge(self, check: playbook.Check, context: work.Context) -> work.Finding:
        """Ask once."""
        query = str(check.fields["query"])
        databases.allowed(statements.looking(query))
        name = databases.name(check.fields, context)
        given = databases.values(check.fields, context.bound)
        rows = context.host.databases.ask(name, query, given, limit=context.limit_s).rows
        wanted, value = check.fields.get("expect_rows"), check.fields.get("expect_value")
        problems = []
        if wanted is not None and len(rows) != context.bound.integer(wanted):
            problems.append(f"expected {wanted} rows, found {len(rows)}")
        if wanted is None and not rows:
            problems.append("expected a row, found none")
        if value is not None and not _is(rows, value):
            problems.append(f"expected the value {value}, found {databases.shown(rows)[:80]!r}")
        detail = "; ".join(problems) or f"{len(rows)} rows, as expected"
        return work.Finding(not problems, f"{name}: {detail}", stdout=databases.shown(rows))


def _is(rows: tuple[tuple[str | None, ...], ...], expected: playbook.Field) -> bool:
    """Tell whether the only value of the only row is the expected one."""
    if len(rows) != 1 or len(rows[0]) != 1 or rows[0][0] is None:
        return False
    found = rows[0][0]
    if isinstance(expected, bool):
        return (found.lower() in _YES) is expected
    if isinstance(expected, int | float):
        try:
            return float(found) == float(expected)
        except ValueError:
            return False
    return found == expected
