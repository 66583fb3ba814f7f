"""Messages out of lines: what belongs together, what it says, and whether it speaks of trouble.

Called by `telling`. Pure. A traceback is one message, not forty lines; a line of JSON is read for
its level and its text.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sentienguard.agent.collectors import logs

MOST_LINES = 200  # of one message; then another begins
_LONGEST_JSON = 65_536  # bytes; a longer line is taken as it stands
_TROUBLE = re.compile(
    rb"error|fail|fatal|crit|panic|emerg|alert|oom|killed|denied|refused|timeout|timed out|corrupt"
    rb"|warn|exception|traceback|segfault|unreachable|no space|too many|cannot|unable|overload",
    re.IGNORECASE,
)
_GOES_ON = re.compile(rb"\s|Caused by:|\.\.\. \d+ more|Traceback \(most recent call last\):")
_RAISED = re.compile(rb"[A-Za-z_][\w.]*(?:Error|Exception|Warning|Interrupt|Exit)\b")
_TRACEBACK = b"Traceback (most recent call last):"
_JOIN = b" | "
_LEVEL_KEYS = ("level", "severity", "lvl", "loglevel", "log.level", "levelname")
_TEXT_KEYS = ("message", "msg", "event", "text")
_NUMBERS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "fatal", 60: "fatal"}
_BAD = frozenset({"warn", "warning", "err", "error", "crit", "critical", "fatal", "alert",
                  "emerg", "emergency", "panic", "severe", "dpanic"})  # fmt: skip
_GOOD = frozenset({"trace", "debug", "info", "notice", "information", "informational"})


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that a program wanted to say."""

    source: str
    text: bytes  # its first line, and of a traceback what was raised
    lines: int  # of which it consists
    trouble: bool


def messages(lines: Iterable[logs.Line]) -> Iterator[Message]:
    """Yield the messages of lines in their order; lines of one source stand together."""
    held: list[logs.Line] = []
    for line in lines:
        if held and (line.source != held[0].source or not _belongs(held, line.text)):
            yield _message(held)
            held = []
        held.append(line)
    if held:
        yield _message(held)


def _belongs(held: list[logs.Line], text: bytes) -> bool:
    if len(held) == MOST_LINES:
        return False
    if _GOES_ON.match(text):
        return True
    indented = held[-1].text[:1] in {b" ", b"\t"}
    return indented and _RAISED.match(text) is not None


def _message(lines: list[logs.Line]) -> Message:
    first = lines[0]
    if len(lines) == 1 and first.text[:1] == b"{" and first.text[-1:] == b"}":
        level, text = _of_json(first.text)
    else:
        level, text = first.level, _joined([line.text for line in lines])
    return Message(first.source, text, len(lines), _is_trouble(level or first.level, text))


def _joined(texts: list[bytes]) -> bytes:
    """Return the first line, and the last that is not indented: what was raised, or its cause."""
    last = next((text for text in reversed(texts[1:]) if text[:1] not in {b" ", b"\t"}), b"")
    return texts[0] + _JOIN + last if last and last != _TRACEBACK else texts[0]


def _is_trouble(level: str, text: bytes) -> bool:
    if level in _BAD:
        return True
    return level not in _GOOD and _TROUBLE.search(text) is not None


def _of_json(text: bytes) -> tuple[str, bytes]:
    """Return the level and the text of a line of JSON; of another shape the line itself.

    What else the object holds stays behind the text, because ids and counts are what people look
    for; it is redacted like everything.
    """
    if len(text) > _LONGEST_JSON:
        return "", text
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return "", text
    level = next((record[key] for key in _LEVEL_KEYS if key in record), "")
    said = next((record[key] for key in _TEXT_KEYS if isinstance(record.get(key), str)), None)
    if isinstance(level, int):
        level = _NUMBERS.get(level, "")
    if said is None:
        return str(level).lower()[:16], text
    return str(level).lower()[:16], f"{said} {text.decode(errors='replace')}".encode()
