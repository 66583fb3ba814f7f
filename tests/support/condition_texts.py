"""Texts that are conditions, that nearly are, and that are not, from a seeded source of chance.

Called by tests/kernel.
"""

from random import Random
from typing import Any

KINDS = ("whole", "damaged", "pieces", "bytes")
_SHARES = (45, 35, 12, 8)
NUMBERS = (
    *("disk_usage", "disk_free", "cpu_percent", "zombies", "load_1m", "process_memory"),
    *("http_status", "anomaly_sigma"),
)
TEXTS = ("service_status", "severity", "tag.role", "tag.a.b/c-d")
LITERALS = (
    *("0", "1", "3", "85%", "90.5%", "2.0", "500ms", "90s", "5m", "1h", "7d", "10B", "5KB"),
    *("500MB", "1GB", "1TB", "4KiB", "1MiB", "2GiB", "1TiB", "0.000000001", "999999999999999"),
)
WORDS = ("running", "stopped", "critical", "primary", "x", "a-b", "a.b", "in-1", "_")
PIECES = (
    *NUMBERS, *TEXTS, *LITERALS, *WORDS, "process_alive", "true", "false", "and", "or", "not", "in",
    "(", ")", ",", "==", "!=", "<", "<=", ">", ">=", "'a b'", '"c"', '""', "'", '"', "=", "!", "-",
    ".", "%", "\t", "\n", "\r", "\f", "\v", "\x00", "\x1c", "\x85", "\xa0", "\u2003", "\u2028",
    "é", "٣", "💥", "\ud800", "1e5", "0x10", "5XB", "tag.", "tag..x", "__import__", "[0]", ";", "#",
    "\\",
)  # fmt: skip


def some(chance: Random) -> tuple[str, str]:
    """Return a text and its kind."""
    (kind,) = chance.choices(KINDS, _SHARES)
    match kind:
        case "whole":
            return kind, condition(chance, chance.randint(0, 4))
        case "damaged":
            return kind, _damaged(chance, condition(chance, chance.randint(0, 3)))
        case "pieces":
            joint = chance.choice(["", " "])
            return kind, joint.join(chance.choices(PIECES, k=chance.randint(0, 14)))
        case _:
            return kind, chance.randbytes(chance.randint(0, 60)).decode(
                chance.choice(["latin-1", "ascii", "utf-8"]), "surrogateescape"
            )


def condition(chance: Random, depth: int) -> str:
    """Write a condition by the grammar."""
    roll = chance.random()
    if depth <= 0 or roll < 0.25:
        return _part(chance)
    if roll < 0.4:
        return f"not{_blank(chance, needed=True)}{condition(chance, depth - 1)}"
    if roll < 0.6:
        return f"({_blank(chance)}{condition(chance, depth - 1)}{_blank(chance)})"
    parts = [condition(chance, depth - 1) for _ in range(chance.randint(2, 3))]
    return f" {chance.choice(['and', 'or'])} ".join(parts)


def _part(chance: Random) -> str:
    roll, gap = chance.random(), _blank(chance)
    if roll < 0.12:
        return "process_alive"
    if roll < 0.5:
        sides = [chance.choice(NUMBERS), chance.choice(LITERALS)]
        chance.shuffle(sides)
        return f"{sides[0]}{gap}{chance.choice(['==', '!=', '<', '<=', '>', '>='])}{gap}{sides[1]}"
    if roll < 0.56:
        return f"{chance.choice(NUMBERS)} {chance.choice(['<', '>='])} {chance.choice(NUMBERS)}"
    if roll < 0.62:
        answer = chance.choice(["true", "false"])
        return f"process_alive{gap}{chance.choice(['==', '!='])}{gap}{answer}"
    if roll < 0.8:
        return f"{chance.choice(TEXTS)}{gap}{chance.choice(['==', '!='])}{gap}{_text(chance)}"
    of_numbers = chance.random() < 0.5
    fact = chance.choice(NUMBERS if of_numbers else TEXTS)
    values = [
        chance.choice(LITERALS) if of_numbers else _text(chance)
        for _ in range(chance.randint(1, 3))
    ]
    return f"{fact} {chance.choice(['', 'not '])}in{gap}({gap}{f',{gap}'.join(values)})"


def _text(chance: Random) -> str:
    word = chance.choice(WORDS)
    return chance.choice([word, f"'{word}'", f'"{word}"'])


def _blank(chance: Random, *, needed: bool = False) -> str:
    return chance.choice([" ", "  ", "\t", "\n ", " " if needed else ""])


def _damaged(chance: Random, text: str) -> str:
    """Spoil a text in one to three places."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(text))
        until = min(len(text), at + chance.randint(0, 3))
        match chance.randint(0, 4):
            case 0:
                text = text[:at] + text[until:]
            case 1:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 2:
                text = text[:at] + chance.choice(PIECES) + text[until:]
            case 3:
                text = text[:until] + text[at:]
            case _:
                deep = chance.randint(55, 70)
                text = chance.choice([f"{'(' * deep}{text}{')' * deep}", "not " * deep + text])
    return text


def facts(chance: Random) -> dict[str, Any]:
    """Make facts of a host; now and then one is missing or of another kind."""
    known: dict[str, Any] = {name: chance.choice(_READINGS) for name in NUMBERS}
    known |= {name: chance.choice(WORDS) for name in TEXTS}
    known["process_alive"] = chance.random() < 0.5
    if chance.random() < 0.25:
        name = chance.choice([*known])
        del known[name]
        if chance.random() < 0.7:
            known[name] = chance.choice(
                [True, "text", 1, float("nan"), float("inf"), -1.0, 10**400]
            )
    return known


_READINGS = (0, 1, 3, 0.0, 2.0, 85.0, 85, 90.5, 0.5, 90.0, 300.0, 5e8, 1e9, 2.0**31, 1e300, -3.5)
