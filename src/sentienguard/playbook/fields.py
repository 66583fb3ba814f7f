"""Read the values of a document by the shape that `kinds` gives their field.

Called by `parse`. A value that does not fit is a problem with its line, never an exception, so that
a person hears of everything at once.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sentienguard.model.playbook import Field, Param, Parameter, ParamType, Value
from sentienguard.playbook import conditions, facts, units
from sentienguard.playbook.document import Node, Scalar, Sequence, Table, describe
from sentienguard.playbook.kinds import FieldSpec, Shape
from sentienguard.playbook.problems import Problem, nearest

MAX_TEXT = 4_000  # characters of one value
MAX_PATTERN = 200  # characters of a regular expression: it runs on untrusted lines
MAX_TIMEOUT = timedelta(hours=1)
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}", re.ASCII)
_FACT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
_SUFFIX = re.compile(r"[.~-][A-Za-z0-9_.-]{0,31}", re.ASCII)
_PATH = re.compile(r"/(?:[^/\x00]+(?:/[^/\x00]+)*)?")
_SHELL = re.compile(r"[|&;<>()$`*?\[\]{}~#!\n]")
_PARAMETER_TYPES: Mapping[Shape, frozenset[ParamType]] = {
    Shape.INTEGER: frozenset({ParamType.INTEGER, ParamType.PERCENT}),
    Shape.DURATION: frozenset({ParamType.DURATION}),
    Shape.ARGV: frozenset(ParamType),
    Shape.VALUES: frozenset(
        {ParamType.INTEGER, ParamType.PERCENT, ParamType.ENUM, ParamType.SERVICE}
    ),
    Shape.DIRECTORY: frozenset({ParamType.MOUNTPOINT}),
    Shape.SERVICE: frozenset({ParamType.SERVICE}),
    Shape.SERVICES: frozenset({ParamType.SERVICE}),
    Shape.PID: frozenset({ParamType.PID}),
    Shape.OBJECT: frozenset({ParamType.OBJECT}),
}


class NeedsShell(ValueError):
    """The command text has shell syntax, so it is no argv."""


@dataclass(slots=True)
class Notes:
    """Everything found while one document is read."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)  # wrong
    missing: list[Problem] = field(default_factory=list)  # absent, or not said in the language
    lines: dict[str, int] = field(default_factory=dict)  # of each part, by its path

    def wrong(self, node: Node, path: str, expected: str, found: str | None = None) -> None:
        """Note that a value is not what was expected."""
        self.problems.append(Problem(node.line, path, expected, found or describe(node)))

    def absent(self, node: Node, path: str, expected: str, found: str = "nothing") -> None:
        """Note that something a signed playbook needs is not there."""
        self.missing.append(Problem(node.line, path, expected, found))


def text(node: Node, path: str, notes: Notes, expected: str = "text") -> str | None:
    """Read literal text that is not empty."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.strip():
        if len(node.value) <= MAX_TEXT:
            return node.value.strip()
        notes.wrong(node, path, f"at most {MAX_TEXT} characters", f"{len(node.value)} characters")
        return None
    notes.wrong(node, path, expected)
    return None


def boolean(node: Node, path: str, notes: Notes) -> bool | None:
    """Read true or false."""
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    notes.wrong(node, path, "true or false")
    return None


def integer(node: Node, path: str, notes: Notes, low: int = 0, high: int = 2**31 - 1) -> int | None:
    """Read a whole number within bounds."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    notes.wrong(node, path, f"a whole number from {low} to {high}")
    return None


def number(node: Node, path: str, notes: Notes) -> float | None:
    """Read a number, or a quantity with a unit brought to its base unit."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return units.quantity(value).value
        except units.NotAQuantity:
            pass
    notes.wrong(node, path, "a number such as 30, 85% or 7d")
    return None


def duration(
    node: Node, path: str, notes: Notes, at_most: timedelta = MAX_TIMEOUT
) -> timedelta | None:
    """Read a time limit: seconds, or text such as 60s."""
    value = _seconds(node, path, notes)
    if value is None:
        return None
    if value > at_most.total_seconds():
        notes.wrong(node, path, f"at most {at_most.total_seconds():.0f}s")
        return None
    return timedelta(seconds=value)


def condition(node: Node, path: str, notes: Notes) -> str | None:
    """Read a condition; its grammar is checked, its facts are lint's."""
    found = text(node, path, notes, "a condition such as disk_usage > 85%")
    if found is None or not _grammatical(lambda: conditions.parse(found), node, path, notes):
        return None
    return found


def split_command(command: str) -> tuple[str, ...]:
    """Split command text into argv. Raises NeedsShell, whose message says what it found."""
    joined = command.strip().replace("\\\n", " ")
    if found := _SHELL.search(joined):
        raise NeedsShell(f"shell syntax {found.group()!r}")
    try:
        argv = tuple(shlex.split(joined))
    except ValueError as error:
        raise NeedsShell(str(error).lower()) from error
    if not argv:
        raise NeedsShell("no program")
    return argv


def read(spec: FieldSpec, node: Node, path: str, notes: Notes) -> Field | None:
    """Read one field; None after a problem."""
    if isinstance(node, Table) and spec.shape not in {Shape.ARGV, Shape.SERVICES, Shape.VALUES}:
        return _param(node, path, notes, spec.shape)
    if spec.shape is Shape.CHOICE:
        return _choice(spec, node, path, notes)
    if spec.shape is Shape.INTEGER:
        return integer(node, path, notes, spec.minimum, spec.maximum)
    return _READERS[spec.shape](node, path, notes)


def _param(node: Table, path: str, notes: Notes, shape: Shape) -> Param | None:
    fitting = _PARAMETER_TYPES.get(shape)
    if fitting is None:
        notes.wrong(node, path, f"a literal {shape}; no parameter may stand here")
        return None
    name = node.entries.get("param")
    if len(node.entries) != 1 or not isinstance(name, Scalar) or not isinstance(name.value, str):
        notes.wrong(node, path, "{param: NAME}")
        return None
    declared = notes.parameters.get(name.value)
    if declared is None:
        hint = nearest(name.value, notes.parameters)
        notes.wrong(name, path, f"a declared parameter{hint}", repr(name.value))
        return None
    if declared.type not in fitting:
        types = " or ".join(sorted(fitting))
        notes.wrong(name, path, f"a parameter of type {types}", f"one of type {declared.type}")
        return None
    return Param(name.value)


def _choice(spec: FieldSpec, node: Node, path: str, notes: Notes) -> str | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and value in spec.choices:
        return value
    notes.wrong(node, path, "one of " + ", ".join(spec.choices))
    return None


def _word(node: Node, path: str, notes: Notes) -> str | None:
    return _matching(_WORD, node, path, notes, "a name of letters, digits and _ . @ -")


def _matching(
    pattern: re.Pattern[str], node: Node, path: str, notes: Notes, expected: str
) -> str | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    notes.wrong(node, path, expected)
    return None


def _scalar(node: Node, path: str, notes: Notes) -> Value | None:
    if isinstance(node, Scalar) and node.value is not None:
        return node.value
    notes.wrong(node, path, "a single value")
    return None


def _seconds(node: Node, path: str, notes: Notes) -> float | None:
    return _measure(units.seconds, node, path, notes, "a duration such as 60s or 7d")


def _size(node: Node, path: str, notes: Notes) -> int | None:
    value = _measure(units.bytes_of, node, path, notes, "a size such as 500MB")
    return None if value is None else int(value)


def _measure(
    reader: Callable[[str | float], float], node: Node, path: str, notes: Notes, expected: str
) -> float | None:
    value = node.value if isinstance(node, Scalar) else None
    if value is not None and not isinstance(value, bool):
        try:
            return reader(value)
        except units.NotAQuantity:
            pass
    notes.wrong(node, path, expected)
    return None


def _argv(node: Node, path: str, notes: Notes) -> tuple[Value, ...] | None:
    items = node.items if isinstance(node, Sequence) else ()
    if not items or isinstance(items[0], Table):
        notes.wrong(node, path, "a list: a program, then its arguments")
        return None
    argv: list[Value] = []
    for at, item in enumerate(items):
        inner = f"{path}[{at}]"
        if isinstance(item, Table):
            value: Value | None = _param(item, inner, notes, Shape.ARGV)
        elif isinstance(item, Scalar) and isinstance(item.value, str):
            value = item.value
        else:
            notes.wrong(item, inner, "text (quote numbers) or {param: NAME}")
            value = None
        if value is None:
            return None
        argv.append(value)
    return tuple(argv)


def _values(node: Node, path: str, notes: Notes) -> tuple[Value, ...] | None:
    items = node.items if isinstance(node, Sequence) else ()
    if not items:
        notes.wrong(node, path, "a list of values for the places of the statement")
        return None
    values: list[Value] = []
    for at, item in enumerate(items):
        inner = f"{path}[{at}]"
        value: Value | None
        if isinstance(item, Table):
            value = _param(item, inner, notes, Shape.VALUES)
        else:
            value = _scalar(item, inner, notes)
        if value is None:
            return None
        values.append(value)
    return tuple(values)


def _words(node: Node, path: str, notes: Notes) -> tuple[Value, ...] | None:
    return _list(node, path, notes, _path_or_word)


def _path_or_word(node: Node, path: str, notes: Notes) -> Value | None:
    if isinstance(node, Scalar) and str(node.value).startswith("/"):
        return _absolute(node, path, notes)
    return _word(node, path, notes)


def _services(node: Node, path: str, notes: Notes) -> tuple[Value, ...] | None:
    return _list(node, path, notes, _service)


def _service(node: Node, path: str, notes: Notes) -> Value | None:
    if isinstance(node, Table):
        return _param(node, path, notes, Shape.SERVICE)
    return _word(node, path, notes)


def _list(
    node: Node, path: str, notes: Notes, reader: Callable[[Node, str, Notes], Value | None]
) -> tuple[Value, ...] | None:
    if not isinstance(node, Sequence) or not node.items:
        notes.wrong(node, path, "a list")
        return None
    values = [reader(item, f"{path}[{at}]", notes) for at, item in enumerate(node.items)]
    return tuple(value for value in values if value is not None)


def _absolute(node: Node, path: str, notes: Notes) -> str | None:
    found = _matching(_PATH, node, path, notes, "an absolute path without // or a final /")
    if found is not None and {".", ".."} & set(found.split("/")):
        notes.wrong(node, path, "a path without . and ..")
        return None
    return found


def _suffix(node: Node, path: str, notes: Notes) -> str | None:
    return _matching(_SUFFIX, node, path, notes, "the end of a file's name such as .last-good")


def _below(node: Node, path: str, notes: Notes) -> str | None:
    found = text(node, path, notes, "a directory relative to `path`")
    if found is not None and {"", ".", ".."} & set(found.split("/")):
        notes.wrong(node, path, "a relative directory without . and ..")
        return None
    return found


def _glob(node: Node, path: str, notes: Notes) -> str | None:
    found = text(node, path, notes, "a pattern for file names such as *.log.[0-9]*")
    if found is not None and "/" in found:
        notes.wrong(node, path, "a pattern for file names, without /")
        return None
    return found


def _url(node: Node, path: str, notes: Notes) -> str | None:
    pattern = re.compile(r"https?://[\x21-\x7e]{1,400}")
    return _matching(pattern, node, path, notes, "an http address")


def _pid(node: Node, path: str, notes: Notes) -> Value | None:
    notes.wrong(node, path, "{param: NAME} of a parameter of type pid")
    return None


def _object(node: Node, path: str, notes: Notes) -> Value | None:
    notes.wrong(node, path, "{param: NAME} of a parameter of type object")
    return None


def _fact(node: Node, path: str, notes: Notes) -> str | None:
    found = _matching(_FACT, node, path, notes, "the name of a fact")
    if found is None:
        return None
    if not _grammatical(lambda: conditions.of_metric(found, "> 0"), node, path, notes):
        return None
    known = facts.lookup(found)
    if known is not None and known.type is not facts.FactType.NUMBER:
        notes.wrong(node, path, "a fact that is a number; for others use type: condition")
        return None
    return found


def _threshold(node: Node, path: str, notes: Notes) -> str | None:
    found = text(node, path, notes, "an operator and a number such as < 80%")
    if found is None:
        return None
    good = _grammatical(lambda: conditions.of_metric("metric", found), node, path, notes)
    return found if good else None


def _grammatical(attempt: Callable[[], object], node: Node, path: str, notes: Notes) -> bool:
    try:
        attempt()
    except conditions.ConditionSyntax as error:
        notes.wrong(node, path, "a condition", str(error))
        return False
    return True


def _pattern(node: Node, path: str, notes: Notes) -> str | None:
    found = text(node, path, notes, "a regular expression")
    if found is None:
        return None
    if len(found) > MAX_PATTERN or re.search(r"[+*}]\)?[+*{]|\\[1-9]", found):
        notes.wrong(
            node, path, f"at most {MAX_PATTERN} characters, no nested repeats or back-references"
        )
        return None
    try:
        re.compile(found)
    except re.error as error:
        notes.wrong(node, path, "a regular expression", str(error))
        return None
    return found


_READERS: Mapping[Shape, Callable[[Node, str, Notes], Field | None]] = {
    Shape.TEXT: text,
    Shape.WORD: _word,
    Shape.SCALAR: _scalar,
    Shape.DURATION: _seconds,
    Shape.SIZE: _size,
    Shape.ARGV: _argv,
    Shape.VALUES: _values,
    Shape.WORDS: _words,
    Shape.DIRECTORY: _absolute,
    Shape.FILE: _absolute,
    Shape.SUFFIX: _suffix,
    Shape.BELOW: _below,
    Shape.GLOB: _glob,
    Shape.URL: _url,
    Shape.SERVICE: _service,
    Shape.SERVICES: _services,
    Shape.PID: _pid,
    Shape.OBJECT: _object,
    Shape.CONDITION: condition,
    Shape.FACT: _fact,
    Shape.THRESHOLD: _threshold,
    Shape.PATTERN: _pattern,
}
