"""A second implementation of the language of conditions, to compare the first one with.

Called by tests/kernel. Written from docs/reference/playbooks.md, "Conditions", and from nothing
else: it scans characters instead of matching patterns, turns the text into postfix with a stack of
operators instead of descending, and judges with a stack of answers instead of walking a tree. When
both disagree, one of them or the page is wrong.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BLANKS = frozenset(" \t\n\r\f\v")
DIGITS = frozenset("0123456789")
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
WORD_START = LETTERS | {"_"}
WORD_REST = LETTERS | DIGITS | frozenset("_-/")
RESERVED = frozenset({"and", "or", "not", "in", "true", "false"})
UNITS = (
    {"": 1, "%": 1}
    | {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    | {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
    | {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
)
YES_NO = frozenset({"process_alive"})
FACTS = YES_NO | {
    *("disk_usage", "inode_usage", "disk_free", "cpu_percent", "memory_percent", "swap_percent"),
    *("load_1m", "zombies", "service_status", "http_status", "process_cpu", "process_memory"),
    *("anomaly_sigma", "anomaly_value", "severity"),
}
LONGEST = 2_000
DEEPEST = 63
BINDS = {"or": 1, "and": 2}


class Refused(Exception):
    """This is no condition."""


@dataclass(frozen=True)
class Ask:
    """Stands for a fact's value."""

    name: str


def is_fact(word: str) -> bool:
    """Tell whether a word is a known fact."""
    return word in FACTS or (word.startswith("tag.") and word != "tag.")


# ---- pieces ----------------------------------------------------------------------------------


def pieces(text: str) -> list[tuple[str, Any]]:
    """Cut a text: ("value", v), ("word", w) or ("sign", s); the longest piece wins."""
    if len(text) > LONGEST:
        raise Refused("too long")
    found: list[tuple[str, Any]] = []
    at = 0
    while at < len(text):
        here = text[at]
        if here in BLANKS:
            at += 1
        elif here in DIGITS:
            value, at = _number(text, at)
            found.append(("value", value))
        elif here in WORD_START:
            word, at = _word(text, at)
            found.append(("word", word))
        elif here in "\"'":
            end = text.find(here, at + 1)
            inside = text[at + 1 : end]
            if end < 0 or any(ord(one) < 32 for one in inside):
                raise Refused("quotes")
            found.append(("value", inside))
            at = end + 1
        elif text[at : at + 2] in {"==", "!=", "<=", ">="}:
            found.append(("sign", text[at : at + 2]))
            at += 2
        elif here in "<>(),":
            found.append(("sign", here))
            at += 1
        else:
            raise Refused(f"character {here!r}")
    return found


def _run(text: str, at: int, allowed: frozenset[str], most: int = LONGEST) -> int:
    end = at
    while end < len(text) and end - at < most and text[end] in allowed:
        end += 1
    return end


def _number(text: str, at: int) -> tuple[float, int]:
    end = _run(text, at, DIGITS, 15)
    if text[end : end + 1] == "." and text[end + 1 : end + 2] in DIGITS and text[end + 1 : end + 2]:
        end = _run(text, end + 1, DIGITS, 9)
    number = float(text[at:end])
    stop = end + 1 if text[end : end + 1] == "%" else _run(text, end, LETTERS)
    unit = text[end:stop]
    if unit not in UNITS:
        raise Refused(f"unit {unit}")
    return number * UNITS[unit], stop


def _word(text: str, at: int) -> tuple[str, int]:
    end = _run(text, at + 1, WORD_REST)
    while (
        text[end : end + 1] == "." and text[end + 1 : end + 2] in WORD_REST and end + 1 < len(text)
    ):
        end = _run(text, end + 1, WORD_REST)
    return text[at:end], end


# ---- postfix ---------------------------------------------------------------------------------


def compiled(text: str) -> list[tuple[Any, ...]]:  # noqa: C901 - one loop over one stack
    """Turn a text into a program for `judged`. Raises Refused."""
    rest = pieces(text)[::-1]
    program: list[tuple[Any, ...]] = []
    held: list[str] = []  # "(", "not", "and", "or" that wait for their right side
    wants_part = True
    while True:
        if sum(one in {"(", "not"} for one in held) > DEEPEST:
            raise Refused("too deep")
        if wants_part:
            if _drop(rest, "word", "not"):
                held.append("not")
                continue
            if _drop(rest, "sign", "("):
                held.append("(")
                continue
            program.append(_part(rest))
            wants_part = False
            _settle_nots(program, held)
            continue
        if not rest:
            break
        kind, what = rest.pop()
        if (kind, what) == ("sign", ")"):
            _settle(program, held, 0)
            if not held:
                raise Refused("a parenthesis too many")
            held.pop()
            _settle_nots(program, held)
        elif kind == "word" and what in BINDS:
            _settle(program, held, BINDS[what])
            held.append(what)
            wants_part = True
        else:
            raise Refused("something follows")
    _settle(program, held, 0)
    if held:
        raise Refused("a parenthesis is open")
    return program


def _settle(program: list[tuple[Any, ...]], held: list[str], binding: int) -> None:
    while held and held[-1] != "(" and BINDS[held[-1]] >= binding:
        program.append((held.pop(),))


def _settle_nots(program: list[tuple[Any, ...]], held: list[str]) -> None:
    while held and held[-1] == "not":
        program.append((held.pop(),))


def _drop(rest: list[tuple[str, Any]], kind: str, what: str) -> bool:
    if rest and rest[-1] == (kind, what):
        rest.pop()
        return True
    return False


def _part(rest: list[tuple[str, Any]]) -> tuple[Any, ...]:
    left = _side(rest, first=True)
    if rest and rest[-1][0] == "sign" and rest[-1][1] not in {"(", ")", ","}:
        sign = rest.pop()[1]
        right = _side(rest, first=False)
        written = [one for one in (left, right) if not isinstance(one, Ask)]
        if len(written) == 2:
            raise Refused("no fact")
        if sign in {"<", "<=", ">", ">="} and any(isinstance(one, str | bool) for one in written):
            raise Refused("no number")
        return ("compare", left, sign, right)
    negated = _drop(rest, "word", "not")
    if _drop(rest, "word", "in"):
        return ("in", left, _values(left, rest), negated)
    if negated or not isinstance(left, Ask) or left.name not in YES_NO:
        raise Refused("no comparison")
    return ("fact", left)


def _values(left: Any, rest: list[tuple[str, Any]]) -> list[Any]:
    if not isinstance(left, Ask) or not _drop(rest, "sign", "("):
        raise Refused("in")
    values = []
    while True:
        value = _side(rest, first=False)
        if isinstance(value, Ask):
            raise Refused("a fact in a list")
        values.append(value)
        if _drop(rest, "sign", ")"):
            return values
        if not _drop(rest, "sign", ","):
            raise Refused("a list goes on strangely")


def _side(rest: list[tuple[str, Any]], *, first: bool) -> Any:
    if not rest:
        raise Refused("it ends early")
    kind, what = rest.pop()
    if kind == "value":
        return what
    if kind == "word" and what in {"true", "false"}:
        return what == "true"
    if kind == "word" and what not in RESERVED:
        return Ask(what) if first or is_fact(what) else what
    raise Refused(f"no side: {what}")


# ---- judging ---------------------------------------------------------------------------------


def judged(program: list[tuple[Any, ...]], known: Mapping[str, Any]) -> bool | frozenset[str]:
    """Return the answer, or everything that speaks against there being one: unknown, type."""
    against: set[str] = set()
    answers: list[bool] = []
    for name, *given in program:
        if name == "not":
            answers.append(not answers.pop())
        elif name in BINDS:
            right, left = answers.pop(), answers.pop()
            answers.append((left and right) if name == "and" else (left or right))
        else:
            answers.append(_answer(name, given, known, against))
    return frozenset(against) if against else answers[0]


def _answer(name: str, given: list[Any], known: Mapping[str, Any], against: set[str]) -> bool:
    if name == "fact":
        value = _looked_up(given[0], known, against)
        if value is not None and not isinstance(value, bool):
            against.add("type")
        return value is True
    if name == "in":
        fact, values, negated = given
        same = [_compared(fact, "==", value, known, against) for value in values]
        return (True in same) is not negated
    return _compared(*given, known, against)


def _compared(
    left: Any, sign: str, right: Any, known: Mapping[str, Any], against: set[str]
) -> bool:
    one, other = _looked_up(left, known, against), _looked_up(right, known, against)
    if one is None or other is None:
        return False
    sort = _sort(one)
    if sort != _sort(other) or (sort != "number" and sign not in {"==", "!="}):
        against.add("type")
        return False
    less, same = (one < other, one == other) if sort == "number" else (False, one == other)
    return {
        "==": same,
        "!=": not same,
        "<": less,
        "<=": less or same,
        ">": not less and not same,
        ">=": not less,
    }[sign]


def _looked_up(side: Any, known: Mapping[str, Any], against: set[str]) -> Any:
    if not isinstance(side, Ask):
        return side
    value = known.get(side.name)
    if value is None:
        against.add("unknown")
    elif isinstance(value, float) and not math.isfinite(value):
        against.add("type")
        return None
    return value


def _sort(value: Any) -> str:
    return {bool: "yes or no", str: "text"}.get(type(value), "number")
