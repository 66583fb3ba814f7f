"""Indented text as a tree, as `kubectl describe` prints it. Called by `kubectl`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

KEY = re.compile(r"^([A-Za-z][^:=]*?):(?:\s+(.*))?$")


@dataclass
class Line:
    """One line of an outline with what stands deeper below it."""

    text: str
    indent: int
    below: list["Line"] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What stands before the colon ("" if there is none)."""
        found = KEY.match(self.text)
        return found.group(1).strip() if found else ""

    @property
    def value(self) -> str:
        """What stands after the colon; `<none>` and its kin count as nothing."""
        found = KEY.match(self.text)
        value = (found.group(2) or "").strip() if found else ""
        return "" if value in {"<none>", "<unset>", "<nil>"} else value

    def get(self, key: str) -> "Line":
        """Return the line below with this key, or an empty one."""
        return next((line for line in self.below if line.key == key), Line("", 0))

    def texts(self) -> list[str]:
        """Return the value and the lines below it that continue it."""
        return [text for text in (self.value, *(line.text for line in self.below)) if text]


def read(text: str) -> Line:
    """Read an indented text as a tree."""
    root = Line("", -1)
    stack = [root]
    for raw in text.splitlines():
        if not raw.strip():
            continue
        line = Line(raw.strip(), len(raw) - len(raw.lstrip()))
        while stack[-1].indent >= line.indent:
            stack.pop()
        stack[-1].below.append(line)
        stack.append(line)
    return root


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """Read `a=b` texts, one or several a line."""
    found = {}
    for text in texts:
        for part in re.split(r",\s*(?=[\w./-]+=)", text):
            name, equals, value = part.partition("=")
            if equals:
                found[name.strip()] = value.strip()
    return found
