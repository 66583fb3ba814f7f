"""What a language model wrote, read strictly: an opinion out of a closed list, or why it is none.

Called by flow.advising. Rules:

1. The whole text is one JSON object with the three members of `schema` and no other, each a string,
   none twice. Nothing is repaired, searched for or guessed.
2. The choice is one of the names that were offered, letter by letter, or `NONE`.
3. What is kept of the texts is bounded and holds no control, direction or invisible character, so
   that it can be shown on a page, in a terminal and in a message.
"""

import json
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from sentienguard.model import errors
from sentienguard.model.advice import Opinion
from sentienguard.model.ids import PlaybookName

NONE: Final = "none_of_these"  # the choice that is none; no playbook of this name is offered
LONGEST: Final = 32_768  # characters of an answer that is read at all
_LONGEST_TEXT: Final = {"hypothesis": 600, "reasoning": 4_000}  # characters that are kept
_MEMBERS: Final = ("reasoning", "hypothesis", "choice")  # reasons first: a model writes in order
_SHOWN: Final = 80  # characters of a wrong value in a message
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class AnswerWrong(errors.Rejected):
    """The answer is no opinion on what was asked."""


def schema(offered: Sequence[PlaybookName]) -> dict[str, Any]:
    """Return the JSON schema of the answer, with the closed list in it."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(_MEMBERS),
        "properties": {
            "reasoning": {
                "type": "string",
                "description": "How the evidence leads to the cause, and what speaks against it.",
            },
            "hypothesis": {
                "type": "string",
                "description": "The likeliest cause in one sentence.",
            },
            "choice": {
                "type": "string",
                "enum": [*offered, NONE],
                "description": f"The action that removes this cause, or {NONE}.",
            },
        },
    }


def read(text: str, offered: Sequence[PlaybookName]) -> Opinion:
    """Return the opinion that a model wrote. Raises AnswerWrong, saying what is not right."""
    if len(text) > LONGEST:
        raise AnswerWrong(f"the answer has {len(text)} characters, at most {LONGEST} are read")
    found = _object(text)
    if set(found) != set(_MEMBERS):
        raise AnswerWrong(
            f"the answer has the members {clean(', '.join(sorted(found)), _SHOWN) or 'none'}, "
            f"expected {', '.join(_MEMBERS)}"
        )
    for name in _MEMBERS:
        if not isinstance(found[name], str):
            raise AnswerWrong(f"the answer's {name} is no text")
    for name in _LONGEST_TEXT:
        if not clean(found[name], 1):
            raise AnswerWrong(f"the answer's {name} is empty")
    return Opinion(
        hypothesis=clean(found["hypothesis"], _LONGEST_TEXT["hypothesis"]),
        reasoning=clean(found["reasoning"], _LONGEST_TEXT["reasoning"], lines=True),
        choice=_choice(found["choice"], offered),
    )


def clean(text: str, most: int, *, lines: bool = False) -> str:
    """Return text without what cannot be seen, bounded; line ends stay if `lines`."""
    kept = "".join(
        one if (lines and one == "\n") or unicodedata.category(one) not in _HIDDEN else " "
        for one in text[: 4 * most + 64]  # what is cut off anyway is not looked at
    ).strip()
    return kept if len(kept) <= most else f"{kept[:most]}..."


def _choice(named: str, offered: Sequence[PlaybookName]) -> PlaybookName | None:
    if named == NONE:
        return None
    for one in offered:
        if one == named:
            return one
    raise AnswerWrong(f"the answer chooses {clean(named, _SHOWN)!r}, which was not offered")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as cause:
        raise AnswerWrong(f"the answer is no JSON object: {clean(str(cause), _SHOWN)}") from cause
    if not isinstance(found, dict):
        raise AnswerWrong("the answer is JSON, and no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member occurs twice")
    return found
