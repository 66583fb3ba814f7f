"""Conditions over facts: a closed grammar without calls, attributes or arithmetic.

Called by the parser and `lint` (reading) and by the executor and the simulation (judging):

    condition  = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" condition ")" | comparison | fact that is yes or no
    comparison = operand ( == | != | < | <= | > | >= ) operand
               | fact [ "not" ] "in" "(" literal { "," literal } ")"
    operand    = fact | literal
    literal    = number with unit | "quoted" | 'quoted' | bare word | true | false

    disk_usage > 85%   service_status != active   severity in (warning, critical) and zombies > 9

Rules:
1. A bare word is a fact where it stands on the left of a comparison or is a known fact
   (`facts`); anywhere else it is text. That is settled while reading, so the facts that an order
   brings along cannot change what a signed condition means.
2. Types are strict: numbers compare with numbers, text with text for (in)equality, yes/no with
   yes/no. Anything else is WrongType.
3. Every fact of a condition must be known when it is judged, also where another part already
   settles the answer. An unknown fact is an error, and an error means: do not run.
4. The whole is yes or no: a number, a text or a constant alone is refused.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeAlias, assert_never

from sentienguard.model import errors
from sentienguard.playbook import facts, units

MAX_DEPTH = 64  # nested parentheses and nots
MAX_LENGTH = 2_000  # characters; the longest bundled condition has 120

Scalar: TypeAlias = float | str | bool
_KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false"})
_ORDERED = frozenset({"<", "<=", ">", ">="})
_BLANKS = " \t\n\r\f\v"  # and no others: what a person cannot see must not pass for one of these
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[0-9]{1,15}(?:\.[0-9]{1,9})?(?:%|[A-Za-z]+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_\-/]*(?:\.[A-Za-z0-9_\-/]+)*)
      | "(?P<double>[^"\x00-\x1f]*)"
      | '(?P<single>[^'\x00-\x1f]*)'
      | (?P<symbol>==|!=|<=|>=|<|>|\(|\)|,)
    )""",
    re.VERBOSE | re.ASCII,
)


class ConditionSyntax(errors.Rejected):
    """The text is not a condition; `column` counts from 1."""

    def __init__(self, text: str, column: int, message: str) -> None:
        super().__init__(f"condition {text[:120]!r}, column {column}: {message}")
        self.column = column


class UnknownFact(errors.Rejected):
    """A fact of the condition is not known, so the condition cannot be judged."""


class WrongType(errors.Rejected):
    """Two things of different types are compared."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Stands for the value of a fact."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the condition."""

    value: Scalar
    dimension: units.Dimension = units.Dimension.PLAIN


Operand: TypeAlias = Fact | Literal


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands, at least one of them a fact."""

    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Membership:
    """A fact is one of some values, or none of them."""

    fact: Fact
    options: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a part."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple["Node", ...]


Node: TypeAlias = Fact | Comparison | Membership | Not | Every | Some


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read; its tree is at most MAX_DEPTH deep."""

    text: str
    root: Node


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, word, text, symbol, end
    text: str
    column: int


def parse(text: str) -> Condition:
    """Read a condition. Raises ConditionSyntax, whose message says where and what was expected."""
    if len(text) > MAX_LENGTH:
        raise ConditionSyntax(text, MAX_LENGTH, f"longer than {MAX_LENGTH} characters")
    return Condition(text, _Reader(text).whole())


def of_metric(metric: str, threshold: str) -> Condition:
    """Read a metric check: a fact and a threshold such as `< 80%`. Raises ConditionSyntax."""
    condition = parse(f"{metric} {threshold}")
    if not isinstance(condition.root, Comparison):
        raise ConditionSyntax(condition.text, 1, "expected one comparison such as < 80%")
    return condition


def evaluate(condition: Condition, known: Mapping[str, Scalar]) -> bool:
    """Judge a condition on these facts. Raises UnknownFact and WrongType."""
    return _judge(condition.root, known)


def names(condition: Condition) -> frozenset[str]:
    """Tell which facts have to be known before the condition can be judged."""
    return frozenset(
        operand.name for _, operand in operands(condition) if isinstance(operand, Fact)
    )


def operands(condition: Condition) -> Iterator[tuple[Node, Operand]]:
    """Yield every operand with the smallest part that it stands in, for lint."""
    waiting: list[Node] = [condition.root]
    while waiting:
        node = waiting.pop()
        match node:
            case Fact():
                yield node, node
            case Comparison():
                yield node, node.left
                yield node, node.right
            case Membership():
                yield node, node.fact
                yield from ((node, option) for option in node.options)
            case Not():
                waiting.append(node.part)
            case Every() | Some():
                waiting.extend(node.parts)
            case never:
                assert_never(never)


def _judge(node: Node, known: Mapping[str, Scalar]) -> bool:
    match node:
        case Fact():
            value = _value(node, known)
            if not isinstance(value, bool):
                raise WrongType(f"fact {node.name} is {value!r}; expected true or false")
            return value
        case Comparison():
            return _compare(_value(node.left, known), node.operator, _value(node.right, known))
        case Membership():
            value = _value(node.fact, known)
            found = [_compare(value, "==", option.value) for option in node.options]
            return any(found) != node.negated
        case Not():
            return not _judge(node.part, known)
        case Every():
            return all(tuple(_judge(part, known) for part in node.parts))  # rule 3
        case Some():
            return any(tuple(_judge(part, known) for part in node.parts))  # rule 3
        case never:
            assert_never(never)


def _value(operand: Operand, known: Mapping[str, Scalar]) -> Scalar:
    if isinstance(operand, Literal):
        return operand.value
    if operand.name not in known:
        raise UnknownFact(f"fact {operand.name} is not known on this host; known: {sorted(known)}")
    value = known[operand.name]
    if isinstance(value, float) and not math.isfinite(value):
        raise WrongType(f"fact {operand.name} is {value}; expected a finite number")
    return value


def _kind(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number"


def _compare(left: Scalar, operator: str, right: Scalar) -> bool:
    if _kind(left) != _kind(right):
        raise WrongType(f"cannot compare {_kind(left)} ({left!r}) with {_kind(right)} ({right!r})")
    if operator == "==":
        return left == right
    if operator == "!=":
        return left != right
    if isinstance(left, (bool, str)) or isinstance(right, (bool, str)):
        raise WrongType(f"{operator} needs numbers, found {left!r} and {right!r}")
    match operator:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    end = len(text.rstrip(_BLANKS))
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip(_BLANKS))
            raise ConditionSyntax(
                text, column + 1, f"{text[column]!r} is not part of the language of conditions"
            )
        kind = str(match.lastgroup)
        column = match.start(kind) + 1
        if kind in {"double", "single"}:
            yield _Token("text", match[kind], column - 1)
        else:
            yield _Token(kind, match[kind], column)
        at = match.end()
    yield _Token("end", "", end + 1)


class _Reader:
    """Reads one condition by recursive descent; `_depth` bounds the recursion."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._any()
        if self._next.kind != "end":
            self._fail(f"expected and, or, or the end, found {self._next.text!r}")
        return node

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _fail(self, message: str, token: _Token | None = None) -> NoReturn:
        raise ConditionSyntax(self._text, (token or self._next).column, message)

    def _take(self, kind: str, *texts: str) -> bool:
        if self._next.kind == kind and self._next.text in texts:
            self._at += 1
            return True
        return False

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take("word", "or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _all(self) -> Node:
        parts = [self._one()]
        while self._take("word", "and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH}")
        node: Node
        if self._take("word", "not"):
            node = Not(self._one())
        elif self._take("symbol", "("):
            node = self._any()
            if not self._take("symbol", ")"):
                self._fail("expected a closing parenthesis")
        else:
            node = self._comparison()
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        start = self._next
        left = self._operand(on_the_left=True)
        if self._next.kind == "symbol" and self._next.text in {*_ORDERED, "==", "!="}:
            return self._compared(start, left)
        negated = self._take("word", "not")
        if self._take("word", "in"):
            return self._member(start, left, negated=negated)
        if negated:
            self._fail("expected in after not")
        known = facts.lookup(left.name) if isinstance(left, Fact) else None
        if known is None or known.type is not facts.FactType.BOOLEAN or isinstance(left, Literal):
            self._fail("expected a comparison such as disk_usage > 85%", start)
        return left

    def _compared(self, start: _Token, left: Operand) -> Comparison:
        operator = self._next
        self._at += 1
        right = self._operand(on_the_left=False)
        if isinstance(left, Literal) and isinstance(right, Literal):
            self._fail("neither side is a fact", start)
        for side in (left, right):
            if (
                operator.text in _ORDERED
                and isinstance(side, Literal)
                and isinstance(side.value, (str, bool))
            ):
                self._fail(f"{operator.text} needs a number, found {side.value!r}", operator)
        return Comparison(left, operator.text, right)

    def _member(self, start: _Token, left: Operand, *, negated: bool) -> Membership:
        if isinstance(left, Literal):
            self._fail("in needs a fact on its left", start)
        if not self._take("symbol", "("):
            self._fail("expected a list in parentheses after in")
        options: list[Literal] = []
        while True:
            at = self._next
            option = self._operand(on_the_left=False)
            if isinstance(option, Fact):
                self._fail(f"expected a value, found the fact {option.name}", at)
            options.append(option)
            if self._take("symbol", ")"):
                return Membership(left, tuple(options), negated)
            if not self._take("symbol", ","):
                self._fail("expected a comma or a closing parenthesis")

    def _operand(self, *, on_the_left: bool) -> Operand:
        token = self._next
        self._at += 1
        match token.kind:
            case "text":
                return Literal(token.text)
            case "number":
                return self._number(token)
            case "word" if token.text in {"true", "false"}:
                return Literal(token.text == "true")
            case "word" if token.text not in _KEYWORDS:
                if on_the_left or facts.lookup(token.text) is not None:  # rule 1
                    return Fact(token.text)
                return Literal(token.text)
        found = repr(token.text) if token.text else "the end"
        raise ConditionSyntax(
            self._text, token.column, f"expected a fact or a value, found {found}"
        )

    def _number(self, token: _Token) -> Literal:
        try:
            quantity = units.quantity(token.text)
        except units.NotAQuantity as error:
            raise ConditionSyntax(self._text, token.column, str(error)) from error
        return Literal(quantity.value, quantity.dimension)
