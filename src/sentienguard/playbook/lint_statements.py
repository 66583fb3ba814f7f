"""The rules of lint about SQL: what is sent to a database, and what stands in its places.

Called by `lint`. Which statements are harmless is judged by `statements`, which the executor asks
again before it sends one.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from sentienguard.model.playbook import Field, Playbook
from sentienguard.playbook import sql_kinds, statements
from sentienguard.playbook.findings import Finding, error
from sentienguard.playbook.places import actions, checks

_STEPS = frozenset(kind.name for kind in sql_kinds.STEPS)
_CHECKS = frozenset(kind.name for kind in sql_kinds.CHECKS)
_PLACE = re.compile(r"'(?:[^']|'')*'|(\$[1-9][0-9]?|\?)")


def _acting(playbook: Playbook) -> Iterator[Finding]:
    for path, action in actions(playbook):
        if action.kind in _STEPS:
            query, rows = (str(action.fields.get(name, "")) for name in ("query", "for_each"))
            for remark in statements.acting(query, rows=rows):
                yield error(remark.rule, path, remark.message, remark.way_out)
            yield from _places(path, rows or query, action.fields)


def _looking(playbook: Playbook) -> Iterator[Finding]:
    for path, check in checks(playbook):
        if check.kind in _CHECKS:
            query = str(check.fields.get("query", ""))
            for remark in statements.looking(query):
                yield error(remark.rule, path, remark.message, remark.way_out)
            yield from _places(path, query, check.fields)


def _places(path: str, statement: str, fields: Mapping[str, Field]) -> Iterator[Finding]:
    found = [place for place in _PLACE.findall(statement) if place]
    numbered = {place for place in found if place != "?"}
    wanted = len(numbered) if numbered else len(found)
    values = fields.get("values", ())
    given = len(values) if isinstance(values, tuple) else 1
    if wanted != given:
        message = f"{wanted} places in the statement for {given} values"
        yield error("unbound-value", path, message, "one value for each $1 or ?")


RULES: tuple[Callable[[Playbook], Iterator[Finding]], ...] = (_acting, _looking)
