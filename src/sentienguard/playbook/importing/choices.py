"""Parameters of others to ours, which are closed. Called by `rundeck`, `stackstorm` and `ssm`.

Text that anybody may fill in has no counterpart: it is lost, and said. What is one of a list
becomes an `enum`; a whole number with both bounds becomes an `integer`.
"""

import re
from dataclasses import dataclass
from typing import Any

from sentienguard.playbook.importing import lines
from sentienguard.playbook.importing.drafts import Draft, Lost, plain

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_CHOICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@/-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the source says of one parameter."""

    name: str
    description: str = ""
    values: tuple[str, ...] = ()  # the only ones that are allowed; empty: any
    default: str = ""
    bounds: tuple[int, int] | None = None  # of a whole number


def add(draft: Draft, place: lines.Place, wish: Wish) -> None:
    """Declare the parameter, or say why it is lost."""
    if not _NAME.fullmatch(wish.name):
        what = f"{plain(wish.name, 60)!r} is no name of a parameter"
        draft.lose(place.line, place.name, Lost.PARAMETER, what)
        return
    made: dict[str, Any] = {}
    if wish.values and all(_CHOICE.fullmatch(one) for one in wish.values):
        made = {"type": "enum", "choices": sorted(set(wish.values))}
        if wish.default in wish.values:
            made["default"] = wish.default
    elif wish.bounds is not None:
        made = {"type": "integer", "minimum": wish.bounds[0], "maximum": wish.bounds[1]}
        if wish.default.isdecimal():
            made["default"] = int(wish.default)
    if not made:
        what = "it may be any text; parameters of playbooks are closed"
        draft.lose(place.line, place.name, Lost.PARAMETER, what)
        return
    if wish.description.strip():
        made["description"] = plain(wish.description, 300)
    draft.parameters[wish.name] = made
