"""YAML or JSON of others to the tree that knows its lines. Called by `sources`.

Other tools allow more than we do: yes and no, tags, tabs in JSON. So this reader is wider than
`document`, and as bounded: rules, each refused with its line.

1. at most MAX_BYTES of UTF-8, MAX_NODES values, nested at most MAX_DEPTH deep
2. no anchors, aliases or merge keys: a few bytes could stand for gigabytes
3. mappings have text keys, each once
4. a tag is never obeyed: the value under it becomes TAGGED, and readers say that it is lost
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

import yaml

from sentienguard.playbook.document import Node, Scalar, Sequence, Table
from sentienguard.playbook.problems import BrokenPlaybook, Problem

MAX_BYTES: Final = 512 * 1024  # the largest of public collections have a tenth of it
MAX_NODES: Final = 20_000
MAX_DEPTH: Final = 40
TAGGED: Final = "\N{WHITE FLAG}"  # begins a value that had a tag; no source has it by chance
_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "no", "off", "n"})
_PLAIN: Final = "tag:yaml.org,2002:"  # of the tags of YAML itself
_KNOWN: Final = frozenset(
    {"str", "int", "float", "bool", "null", "timestamp", "value", "seq", "map"}
)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})", re.ASCII)


@dataclass(slots=True)
class _Count:
    nodes: int = 0


class _Refused(Exception):  # carries a problem out of PyYAML; never leaves this file
    def __init__(self, line: int, expected: str, found: str) -> None:
        super().__init__(expected)
        self.problem = Problem(line, "", expected, found)


class _Loader(yaml.SafeLoader):
    """Composes nodes and builds nothing."""

    level = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call] # PyYAML's stubs leave it out
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused(line, "each value written out", f"the anchor {event.anchor}")
        self.level += 1
        if self.level > MAX_DEPTH:
            raise _Refused(line, f"at most {MAX_DEPTH} levels", "deeper nesting")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.level -= 1
        return node


def read(stored: bytes, origin: str) -> Node:
    """Read one document. Raises BrokenPlaybook."""
    try:
        return _convert(_composed(_text(stored)), _Count())
    except _Refused as error:
        raise BrokenPlaybook(origin, [error.problem]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BrokenPlaybook(origin, [Problem(line, "", "YAML or JSON", str(error.problem))]) from (
            error
        )
    except yaml.YAMLError as error:
        found = " ".join(str(error).split())
        raise BrokenPlaybook(origin, [Problem(1, "", "YAML or JSON", found)]) from error


def _composed(text: str) -> yaml.Node:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
    finally:
        loader.dispose()
    if root is None:
        raise _Refused(1, "a document", "an empty one")
    return root


def _text(stored: bytes) -> str:
    if len(stored) > MAX_BYTES:
        raise _Refused(1, f"at most {MAX_BYTES} bytes", f"{len(stored)} bytes")
    try:
        text = stored.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = stored[: error.start].count(b"\n") + 1
        raise _Refused(line, "UTF-8 text", f"byte 0x{stored[error.start]:02x}") from error
    if text.lstrip().startswith(("{", "[")):
        text = text.replace("\t", " ")  # JSON indents with them and cannot hold them in a text
    for number, line_text in enumerate(text.split("\n"), start=1):
        for character in line_text.removesuffix("\r"):
            if character != "\t" and unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}:
                raise _Refused(number, "visible text", f"character U+{ord(character):04X}")
    return text


def _convert(node: yaml.Node, count: _Count) -> Node:
    count.nodes += 1
    line = node.start_mark.line + 1
    if count.nodes > MAX_NODES:
        raise _Refused(line, f"at most {MAX_NODES} values", "more")
    if node.tag.removeprefix(_PLAIN) not in _KNOWN:
        return Scalar(line, f"{TAGGED}{node.tag}")
    if isinstance(node, yaml.SequenceNode):
        return Sequence(line, tuple(_convert(item, count) for item in node.value))
    if isinstance(node, yaml.MappingNode):
        return _table(node, count)
    if isinstance(node, yaml.ScalarNode):
        return Scalar(line, _value(node))
    raise AssertionError(f"PyYAML composed {type(node)}")


def _table(node: yaml.MappingNode, count: _Count) -> Table:
    entries: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
            raise _Refused(line, "a name", "a key that is none")
        if key_node.value in entries:
            raise _Refused(line, "each name once", f"{key_node.value!r} again")
        lines[key_node.value] = line
        entries[key_node.value] = _convert(value_node, count)
    return Table(node.start_mark.line + 1, entries, lines)


def _value(node: yaml.ScalarNode) -> str | int | float | bool | None:
    raw = str(node.value)
    kind = node.tag.removeprefix(_PLAIN)
    if kind == "null":
        return None
    if kind == "bool" and raw.lower() in _TRUE | _FALSE:
        return raw.lower() in _TRUE
    if kind == "int" and _INTEGER.fullmatch(raw):
        return int(raw)
    return raw


def text_of(node: Node | None) -> str:
    """Return a single value as text; empty where there is none or it is no single value."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def true(node: Node | None) -> bool:
    """Tell whether a value is true as these tools write it."""
    return isinstance(node, Scalar) and (node.value is True or str(node.value).lower() in _TRUE)


def items(node: Node | None) -> tuple[Node, ...]:
    """Return the members of a list; nothing where it is none."""
    return node.items if isinstance(node, Sequence) else ()


def table(node: Node | None) -> Table:
    """Return a mapping; an empty one where it is none."""
    return node if isinstance(node, Table) else Table(getattr(node, "line", 1), {}, {})
