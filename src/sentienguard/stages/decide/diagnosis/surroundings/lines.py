"""Log lines to kinds of line, counted before the symptom and since.

Lines that differ in numbers, ids, addresses and quoted words only are of one kind. The text of a
kind is untrusted and redacted before it comes here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.model import diagnosis

MOST_KINDS: Final = 200  # of one snapshot, those that grew most
_LONGEST: Final = 300  # characters of a kind's text
_VARIES: Final = re.compile(
    r"""
      "[^"]*" | '[^']*'                                      # quoted
    | \b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b  # UUID
    | \b0x[0-9a-fA-F]+\b
    | \b(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{8,}\b               # digests and ids
    | \d+
    """,
    re.VERBOSE,
)
_SERIOUS: Final = {"fatal": "fatal", "critical": "fatal", "error": "error", "warn": "warning"}
_SAYS: Final = (
    ("fatal", re.compile(r"\b(?:fatal|panic|critical|emerg|crit)\b", re.IGNORECASE)),
    ("error", re.compile(r"\b(?:error|err|exception|traceback|failed|failure)\b", re.IGNORECASE)),
    ("warning", re.compile(r"\b(?:warn|warning)\b", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One line of an object. Untrusted text."""

    object: str
    at_ms: int
    severity: str  # as its sender says; "": it does not
    text: str  # redacted


def templates(
    lines: Sequence[Line], *, since_ms: int, boundary_ms: int, until_ms: int, is_whole: bool
) -> tuple[diagnosis.LogTemplate, ...]:
    """Count kinds of line on both sides of the boundary.

    What lies before is scaled to the length of what lies after it. Where lines were left out
    (`is_whole` false) nothing is said about before.
    """
    before, after = max(1, boundary_ms - since_ms), max(1, until_ms - boundary_ms)
    counts: dict[tuple[str, str, str], list[int]] = {}
    firsts: dict[tuple[str, str, str], int] = {}
    for one in sorted(lines):
        name = (one.object, kind(one.text), severity(one))
        place = int(one.at_ms >= boundary_ms)
        counts.setdefault(name, [0, 0])[place] += 1
        if place:
            firsts.setdefault(name, one.at_ms)
    found = [
        diagnosis.LogTemplate(
            object=name[0],
            text=name[1],
            severity=name[2],
            count=float(since),
            usual=round(usual * after / before, 3) if is_whole else None,
            first_ms=firsts.get(name),
        )
        for name, (usual, since) in counts.items()
        if since
    ]
    found.sort(key=lambda one: (-(one.count - (one.usual or 0.0)), one.object, one.text))
    return tuple(found[:MOST_KINDS])


def kind(text: str) -> str:
    """Return a line without what varies."""
    return _VARIES.sub("#", text[:_LONGEST]).strip()


def severity(line: Line) -> str:
    """Return how serious a line is: as its sender says, or as its first words say."""
    said = line.severity.lower()
    if said:
        return _SERIOUS.get(said, said)
    return next((name for name, words in _SAYS if words.search(line.text)), "info")
