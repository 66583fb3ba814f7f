"""Which database a step or check means, what stands in its places, and whether it may be sent.

Called by the step `sql_query` and the checks `sql` and `sql_query`.
"""

from collections.abc import Mapping

from sentienguard.model import playbook
from sentienguard.playbook import statements
from sentienguard.stages.execute import parameters, work

SHOWN = 20  # rows of an answer in the report


def name(fields: Mapping[str, playbook.Field], context: work.Context) -> str:
    """Return the service whose database is meant: the given one, the order's, or the only one.

    Raises work.NotPossible.
    """
    if "service" in fields:
        return context.bound.text(fields["service"])
    if "service" in context.bound.subjects:
        return context.bound.subjects["service"]
    known = sorted(context.host.databases.names())
    if len(known) != 1:
        raise work.NotPossible(
            f"which database is meant: this host declares {', '.join(known) or 'none'}; "
            "write service: in the playbook"
        )
    return known[0]


def values(fields: Mapping[str, playbook.Field], bound: parameters.Bound) -> tuple[str, ...]:
    """Return what is bound to the places of a statement, as texts."""
    given = fields.get("values", ())
    if not isinstance(given, tuple):
        raise parameters.ParameterRefused(f"expected a list of values, found {given!r}")
    return tuple(bound.text(value) for value in given)


def allowed(remarks: tuple[statements.Remark, ...]) -> None:
    """Refuse a statement that lint would refuse, whoever signed it. Raises work.NotPossible."""
    if remarks:
        raise work.NotPossible(f"this statement is not run: {remarks[0].message}")


def shown(rows: tuple[tuple[str | None, ...], ...]) -> str:
    """Show the first rows of an answer, one line each."""
    lines = [" | ".join("NULL" if one is None else one for one in row) for row in rows[:SHOWN]]
    more = [f"and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return "\n".join((*lines, *more))
