"""Run one signed statement in a database of this host, once or for each row of another.

What a statement did cannot be taken back by another in general, so a playbook says why there is no
undo, or gives an action that is one. Nothing to do (no row to act on) is success without a change.
"""

from sentienguard.model import order, playbook
from sentienguard.playbook import statements
from sentienguard.ports import databases as port
from sentienguard.stages.execute import databases, parameters, work


class SqlQuery:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return `sql`, the statement in one line, and what is bound to its places."""
        rows = action.fields.get("for_each")
        each = () if rows is None else ("for each row of", _line(rows))
        query = _line(action.fields.get("query"))
        return ("sql", query, *each, *databases.values(action.fields, bound))

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Find the database, refuse what may not run, and write down which rows are meant."""
        query, rows = str(action.fields["query"]), action.fields.get("for_each")
        databases.allowed(statements.acting(query, rows="" if rows is None else str(rows)))
        name = databases.name(action.fields, context)
        given = databases.values(action.fields, context.bound)
        if rows is None:
            return {"database": name, "values": [list(given)]}
        found = context.host.databases.ask(name, str(rows), given, limit=context.limit_s)
        if any(one is None for row in found.rows for one in row):
            raise work.NotPossible("a row of for_each holds NULL, which is bound to nothing")
        return {"database": name, "values": [list(row) for row in found.rows]}

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Run it. Raises errors.Rejected, Unavailable where the database does not do it."""
        query, name, each = str(action.fields["query"]), recorded["database"], recorded["values"]
        if not each:
            return _done(f"{name}: no row to act on", changed=False)
        try:
            answers = context.host.databases.act(name, query, each, limit=context.limit_s)
        except port.DatabaseAway as error:
            return work.Done(order.StepStatus.FAILED, str(error), changed=False)
        rows = tuple(row for answer in answers for row in answer.rows)
        touched = sum(answer.changed for answer in answers)
        if "for_each" in action.fields:
            return _done(f"{name}: ran for {len(each)} rows", changed=True)
        if statements.changes_by_itself(query):
            writes = query.split(maxsplit=1)[0].lower() in {"insert", "update", "delete"}
            changed = touched > 0 if writes else None
            return _done(f"{name}: done, {touched} rows changed", changed=changed)
        detail = f"{name}: acted on {len(rows)} rows"
        return work.Done(order.StepStatus.SUCCESS, detail, bool(rows), stdout=databases.shown(rows))

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Say that a statement cannot be taken back."""
        del action, context, recorded
        return work.Done(order.StepStatus.NOT_UNDOABLE, "what a statement did cannot be taken back")


def _line(value: playbook.Field | None) -> str:
    return " ".join(str(value).split())


def _done(detail: str, *, changed: bool | None) -> work.Done:
    return work.Done(order.StepStatus.SUCCESS, detail, changed)
