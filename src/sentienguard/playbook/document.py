"""YAML to a tree that knows its lines. Refuses everything that two readers could read differently.

Called by `parse`. Rules, each refused with its line:
1. at most MAX_BYTES of UTF-8, without tabs, control or direction-changing characters
2. one document; no anchors, aliases, merge keys or explicit tags; nested at most MAX_DEPTH deep,
   with at most MAX_VALUES values, so that the slowest reader is done in half a second
3. mappings have text keys, each once
4. plain numbers are decimal; true and false are the only booleans
5. libyaml and the reader in Python, which the agent of one file has, say the same: where they are
   known to differ both are asked, and what one of them refuses is refused
"""

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from sentienguard.playbook.problems import BrokenPlaybook, Problem

MAX_BYTES = 64 * 1024  # the largest bundled playbook has 5 KiB
MAX_VALUES = 2_000  # keys, values, lists and mappings; the largest bundled playbook has 275
MAX_DEPTH = 16  # a step's undo with its fields is 6 deep
# Where libyaml reads on and the reader in Python does not: in brackets that one takes each question
# mark for the start of a key, and it wants a space between the sign of a block and a comment.
_DIFFER = re.compile(r"\?|[|>][-+0-9]*#")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; None stands for an empty one."""

    line: int
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, in the order of the document."""

    line: int
    entries: Mapping[str, "Node"]
    key_lines: Mapping[str, int]


Node: TypeAlias = Scalar | Sequence | Table


def read(stored: bytes, origin: str) -> Node:
    """Read the document. Raises BrokenPlaybook."""
    text = _text(stored, origin)
    reader = _loader()
    tree = _read(text, origin, reader)
    if reader is _OwnScanner or _DIFFER.search(text) is None:
        return tree
    if _read(text, origin, _OwnScanner) != tree:
        found = "something that readers of YAML take differently"
        raise BrokenPlaybook(origin, [Problem(1, "", "quotes around texts with ? or #", found)])
    return tree


def _read(text: str, origin: str, reader: Any) -> Node:
    loader = reader(text)
    try:
        root = loader.get_single_node()
    except _Refused as error:
        raise BrokenPlaybook(origin, [error.problem]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = Problem(mark.line + 1 if mark else 1, "", "YAML", str(error.problem))
        raise BrokenPlaybook(origin, [problem]) from error
    except yaml.YAMLError as error:
        raise BrokenPlaybook(origin, [Problem(1, "", "YAML", " ".join(str(error).split()))]) from (
            error
        )
    finally:
        loader.dispose()
    if root is None:
        raise BrokenPlaybook(origin, [Problem(1, "", "a playbook", "an empty document")])
    problems: list[Problem] = []
    tree = _convert(root, "", problems)
    if problems:
        raise BrokenPlaybook(origin, problems)
    return tree


def describe(node: Node) -> str:
    """Say what a node is, for `found`."""
    match node:
        case Sequence():
            return "a list"
        case Table():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool(value)):
            return str(value).lower()
        case Scalar(value=value):
            shown = repr(value)
            return shown if len(shown) <= 80 else f"{shown[:77]}..."  # noqa: PLR2004 - one line


def _text(stored: bytes, origin: str) -> str:
    if len(stored) > MAX_BYTES:
        found = f"{len(stored)} bytes"
        raise BrokenPlaybook(origin, [Problem(1, "", f"at most {MAX_BYTES} bytes", found)])
    try:
        text = stored.decode("utf-8")
    except UnicodeDecodeError as error:
        line = stored[: error.start].count(b"\n") + 1
        found = f"byte 0x{stored[error.start]:02x}"
        raise BrokenPlaybook(origin, [Problem(line, "", "UTF-8 text", found)]) from error
    for number, line_text in enumerate(text.split("\n"), start=1):
        shown = line_text.removesuffix("\r")
        if shown.isprintable():  # no character of these categories is
            continue
        for character in shown:
            if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}:
                name = "a tab" if character == "\t" else f"character U+{ord(character):04X}"
                expected = "spaces" if character == "\t" else "visible text"
                raise BrokenPlaybook(origin, [Problem(number, "", expected, name)])
    return text


class _Refused(Exception):  # carries a problem out of PyYAML; never leaves this file
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _Strict(Composer):
    """Composes nodes; refuses rule 2 before anything is built."""

    _level = 0
    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # Offered by the parser that this is mixed with; what events have differs by kind.
        event: Any = self.peek_event()  # type: ignore[attr-defined]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(Problem(line, "", "the value itself", f"the alias *{event.anchor}"))
        if event.anchor is not None:
            raise _Refused(Problem(line, "", "a value", f"the anchor &{event.anchor}"))
        if getattr(event, "tag", None) is not None:
            raise _Refused(Problem(line, "", "a value without a tag", f"the tag {event.tag}"))
        self._values += 1
        if self._values > MAX_VALUES:
            raise _Refused(Problem(line, "", f"at most {MAX_VALUES} values", "more of them"))
        self._level += 1
        if self._level > MAX_DEPTH:
            raise _Refused(Problem(line, "", f"at most {MAX_DEPTH} levels", "deeper nesting"))
        node: yaml.Node | None = super().compose_node(parent, index)
        self._level -= 1
        return node


class _OwnScanner(_Strict, yaml.SafeLoader):
    """Reads where there is no libyaml, as in the agent of one file."""

    def scan_plain(self) -> Any:
        """Refuse `{name:}`, as libyaml does: it could be a name or a text that ends in a colon."""
        token = super().scan_plain()
        if self.flow_level and self.peek() == ":" and self.peek(1) in ",?[]{}":
            raise _Refused(Problem(self.line + 1, "", "YAML", "found unexpected ':'"))
        return token


@functools.cache
def _loader() -> Any:
    """Return what composes a text: of libyaml's events, eight times as fast, where it is there."""
    if not yaml.__with_libyaml__:
        return _OwnScanner
    from yaml import cyaml  # noqa: PLC0415 - without libyaml it cannot be imported

    parser: Any = cyaml.CParser  # type: ignore[attr-defined] # PyYAML's stubs leave it out

    class WithLibyaml(_Strict, parser, Resolver):  # type: ignore[misc] # of Any
        def __init__(self, text: str) -> None:
            parser.__init__(self, text)
            Composer.__init__(self)
            Resolver.__init__(self)

    return WithLibyaml


def _convert(node: yaml.Node, path: str, problems: list[Problem]) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        items = (_convert(item, f"{path}[{at}]", problems) for at, item in enumerate(node.value))
        return Sequence(line, tuple(items))
    if isinstance(node, yaml.MappingNode):
        return _table(node, path, problems)
    if isinstance(node, yaml.ScalarNode):
        return Scalar(line, _value(node, path, problems))
    raise AssertionError(f"PyYAML composed {type(node)}")


def _table(node: yaml.MappingNode, path: str, problems: list[Problem]) -> Table:
    entries: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if key_node.tag != "tag:yaml.org,2002:str":
            problems.append(Problem(line, path, "a name", f"the key {key_node.value!r}"))
            continue
        key = key_node.value
        inner = f"{path}.{key}" if path else key
        if key in entries:
            found = f"it again (first on line {lines[key]})"
            problems.append(Problem(line, inner, "each name once", found))
            continue
        lines[key] = line
        entries[key] = _convert(value_node, inner, problems)
    return Table(node.start_mark.line + 1, entries, lines)


def _value(
    node: yaml.ScalarNode, path: str, problems: list[Problem]
) -> str | int | float | bool | None:
    raw = node.value
    kind = node.tag.rpartition(":")[2]
    line = node.start_mark.line + 1
    match kind:
        case "null":
            return None
        case "bool":
            if raw in {"true", "false"}:
                return bool(raw == "true")
            problems.append(Problem(line, path, "true, false or quoted text", repr(raw)))
        case "int":
            if _INTEGER.fullmatch(raw):
                return int(raw)
            problems.append(Problem(line, path, "a decimal number or quoted text", repr(raw)))
        case "float":
            if _DECIMAL.fullmatch(raw):
                return float(raw)
            problems.append(Problem(line, path, "a decimal number or quoted text", repr(raw)))
        case _:  # text, and dates, which stay text
            pass
    return str(raw)
