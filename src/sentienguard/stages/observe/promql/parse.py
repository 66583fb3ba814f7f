"""Text to our own tree.

The parser recurses in native code and ends the process where a query is nested too deeply, so what
makes depth is counted before.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import promql_parser as parser

from sentienguard.stages.observe.promql import aggregate, functions, over_time, rates, regex
from sentienguard.stages.observe.promql.faults import QueryWrong
from sentienguard.stages.observe.promql.tree import (
    Aggregation,
    Binary,
    Call,
    Compare,
    Edge,
    Group,
    Matcher,
    Matching,
    Negative,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
    When,
)

DOCUMENT = "docs/reference/promql.md"
MAX_LENGTH = 10_000  # characters of a query
MAX_DEPTH = 250  # operators and brackets of a query; the parser breaks down between 1,000 and 5,000
MOST_S = 9_223_372_036.0  # seconds of a duration, as in Prometheus: 2^63 nanoseconds
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`', re.DOTALL)
_DEEPENS = re.compile(r"[(\[{+\-*/%^]|[=!<>]=?|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOW = {
    "Equal": Compare.EQUAL,
    "NotEqual": Compare.DIFFERS,
    "Re": Compare.MATCHES,
    "NotRe": Compare.NO_MATCH,
}
_GROUPS = {"ManyToOne": Group.LEFT, "OneToMany": Group.RIGHT}
_FUNCTIONS = (
    frozenset(functions.NAMES) | frozenset(over_time.FUNCTIONS) | frozenset(rates.FUNCTIONS)
)


def parse(text: str) -> Node:
    """Return the tree of a query. Raises QueryWrong."""
    if len(text) > MAX_LENGTH:
        raise QueryWrong(f"the query has {len(text)} characters: expected at most {MAX_LENGTH}")
    if len(_DEEPENS.findall(_STRINGS.sub("", text))) > MAX_DEPTH:
        raise QueryWrong(f"the query has more than {MAX_DEPTH} operators and brackets: divide it")
    try:
        found = parser.parse(text)
    except ValueError as error:
        hint = f"; {DOCUMENT} lists those there are" if "unknown function" in str(error) else ""
        raise QueryWrong(f'invalid parameter "query": {error}{hint}') from error
    return _node(found)


def selector(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of a text that is a selector and nothing more. Raises QueryWrong."""
    found = parse(text)
    if not isinstance(found, Selector) or found.when != When():
        raise QueryWrong(f'{text!r} is no plain selector: expected for example up{{job="a"}}')
    return found.matchers


def duration_ms(text: str) -> int:
    """Return what `5m` or `90` (seconds) says. Raises QueryWrong."""
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if not -MOST_S < seconds < MOST_S:  # the parser's native code panics at some of these
            raise QueryWrong(f"{text!r} is no duration: expected less than 292 years")
        return round(seconds * 1000)
    try:
        return _ms(parser.parse_duration(text))
    except ValueError as error:
        raise QueryWrong(f"{text!r} is no duration: expected for example 30s, 5m or 90") from error


def _node(found: Any) -> Node:
    for kind, convert in _KINDS.items():
        if isinstance(found, kind):
            return convert(found)
    raise _unsupported(type(found).__name__)


def _range(found: parser.MatrixSelector) -> Range:
    return Range(_selector(found.vector_selector), _ms(found.range))


def _subquery(found: parser.SubqueryExpr) -> Subquery:
    if found.range is None:
        raise _unsupported("a subquery without a range")
    step = None if found.step is None else _ms(found.step)
    return Subquery(_node(found.expr), _ms(found.range), step, _when(found))


def _call(found: parser.Call) -> Call:
    name = found.func.name
    if name not in _FUNCTIONS:
        raise _unsupported(f"function {name}()")
    return Call(name, tuple(_node(one) for one in found.args))


def _aggregation(found: parser.AggregateExpr) -> Aggregation:
    name = str(found.op)
    if name not in aggregate.NAMES:
        raise _unsupported(f"aggregation {name}()")
    modifier = found.modifier
    return Aggregation(
        name,
        _node(found.expr),
        None if found.param is None else _node(found.param),
        without=modifier is not None and modifier.type == parser.AggModifierType.Without,
        labels=() if modifier is None else tuple(modifier.labels),
    )


def _binary(found: parser.BinaryExpr) -> Binary:
    modifier = found.modifier
    left, right = _node(found.lhs), _node(found.rhs)
    if modifier is None:
        return Binary(str(found.op), left, right, as_bool=False, matching=_BY_ALL)
    if (modifier.fill_values.lhs, modifier.fill_values.rhs) != (None, None):
        raise _unsupported("fill modifier")
    by = modifier.matching
    group = next(
        (it for key, it in _GROUPS.items() if str(modifier.card).endswith(key)), Group.NONE
    )
    matching = Matching(
        by is not None and by.type == parser.LabelModifierType.Include,
        () if by is None else tuple(by.labels),
        group,
        tuple(modifier.group_labels or ()),
    )
    return Binary(str(found.op), left, right, as_bool=modifier.return_bool, matching=matching)


def _selector(found: parser.VectorSelector) -> Selector:
    if found.matchers.or_matchers:
        raise _unsupported("`or` between matchers")
    matchers = [
        Matcher(one.name, _HOW[str(one.op).rpartition(".")[2]], one.value)
        for one in found.matchers.matchers
    ]
    if found.name is not None:
        matchers.append(Matcher("__name__", Compare.EQUAL, found.name))
    for one in matchers:
        if one.how in (Compare.MATCHES, Compare.NO_MATCH):
            regex.compiled(one.value)
    return Selector(tuple(matchers), _when(found))


def _when(found: Any) -> When:
    at = found.at
    offset = 0 if found.offset is None else _ms(found.offset)
    if at is None:
        return When(offset)
    if at.type == parser.AtModifierType.Start:
        return When(offset, Edge.START)
    if at.type == parser.AtModifierType.End:
        return When(offset, Edge.END)
    return When(offset, _ms(at.at - _EPOCH))


_BY_ALL = Matching(on=False, labels=())
_KINDS: Mapping[type[Any], Callable[[Any], Node]] = {
    parser.ParenExpr: lambda found: _node(found.expr),
    parser.NumberLiteral: lambda found: Number(found.val),
    parser.StringLiteral: lambda found: Text(found.val),
    parser.VectorSelector: _selector,
    parser.MatrixSelector: _range,
    parser.SubqueryExpr: _subquery,
    parser.Call: _call,
    parser.UnaryExpr: lambda found: Negative(_node(found.expr)),
    parser.AggregateExpr: _aggregation,
    parser.BinaryExpr: _binary,
}


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _unsupported(what: str) -> QueryWrong:
    return QueryWrong(f"{what} is not in our subset of PromQL; {DOCUMENT} lists what is")
