"""What words say together: two that are one, what is denied, and whether some or all are meant.

Called by `lexicon` on the bare words of a text, before endings come off, and by `ranking` for the
scope. The tables hold general English of operations, as in `lexicon`.

1. Two words that are also written as one become that one: `rolled out`, `time out`.
2. What is denied becomes its opposite: `has not been ready` is `unready`, `is not running` `down`.
3. Scope is read from plain text, because the words that tell it are empty otherwise.
"""

import re
from collections.abc import Mapping, Sequence

_TOGETHER: Mapping[tuple[str, str], str] = {
    ("roll", "out"): "rollout", ("rolled", "out"): "rollout", ("rolling", "out"): "rollout",
    ("time", "out"): "timeout", ("timed", "out"): "timeout", ("times", "out"): "timeout",
    ("fail", "over"): "failover", ("failed", "over"): "failover",
    ("file", "system"): "filesystem", ("file", "systems"): "filesystem",
    ("start", "up"): "startup", ("shut", "down"): "shutdown", ("back", "up"): "backup",
    ("back", "off"): "backoff", ("check", "point"): "checkpoint", ("host", "name"): "hostname",
    ("work", "load"): "workload", ("over", "load"): "overload", ("over", "loaded"): "overload",
    ("dead", "lock"): "deadlock", ("life", "cycle"): "lifecycle", ("time", "stamp"): "timestamp",
    ("name", "space"): "namespace", ("config", "map"): "configmap",
    ("stateful", "set"): "statefulset", ("daemon", "set"): "daemonset",
    ("replica", "set"): "replicaset",
    ("crash", "loop"): "crashloop", ("crash", "looping"): "crashloop",
}  # fmt: skip
# `isn't` and its kin arrive as `isn`, `t`.
_DENIALS = frozenset(
    "not isn aren wasn doesn didn hasn haven cannot never non".split()  # noqa: SIM905 - a table
)
_BETWEEN = frozenset(
    "yet been being be fully currently in the a t able to have has longer".split()  # noqa: SIM905
)
_REACH = 3  # words that may stand between a denial and what it denies
_OPPOSITES: Mapping[str, str] = {
    "ready": "unready", "healthy": "unhealthy", "available": "unavailable",
    "reachable": "unreachable", "reach": "unreachable", "reached": "unreachable",
    "responding": "unreachable", "respond": "unreachable", "running": "down", "up": "down",
    "found": "missing", "find": "missing", "present": "absent", "exist": "absent",
    "working": "broken", "successful": "unsuccessful", "successfully": "unsuccessful",
    "synced": "unsynced", "synchronized": "unsynced", "synchronised": "unsynced",
    "synchronising": "unsynced", "scheduled": "unscheduled",
    "completed": "incomplete", "complete": "incomplete",
    "finished": "incomplete", "finish": "incomplete",
    "progressed": "stuck", "progressing": "stuck", "progress": "stuck",
    "connected": "disconnected", "connect": "disconnected",
    "match": "mismatch", "matched": "mismatch", "consistent": "inconsistent",
    "enough": "insufficient",
}  # fmt: skip

_WHOLE = re.compile(
    r"\b(?:no|zero|none of|all|any|entire|every|completely|without)\b", re.IGNORECASE
)
_PART = re.compile(
    r"\b(?:some|low|few|fewer|partial|partially|less than|lower than|more than one|at least one"
    r"|one or more|one of|a member|single|an? instance|insufficient|not enough|missing)\b",
    re.IGNORECASE,
)


def joined(words: Sequence[str]) -> list[str]:
    """Return bare words in lower case with compounds and denials as one word each."""
    return _denied(_compounds(words))


def scope(text: str) -> str:
    """Return `all` where all or none are meant, `some`, or empty: neither, or both, are said."""
    whole, part = bool(_WHOLE.search(text)), bool(_PART.search(text))
    if whole == part:
        return ""
    return "all" if whole else "some"


def _compounds(words: Sequence[str]) -> list[str]:
    """Rule 1."""
    found: list[str] = []
    at = 0
    while at < len(words):
        one = _TOGETHER.get((words[at], words[at + 1])) if at + 1 < len(words) else None
        found.append(one or words[at])
        at += 2 if one else 1
    return found


def _denied(words: Sequence[str]) -> list[str]:
    """Rule 2."""
    found: list[str] = []
    at = 0
    while at < len(words):
        denied = _what_is_denied(words, at) if words[at] in _DENIALS else None
        found.append(words[at] if denied is None else _OPPOSITES[words[denied]])
        at = (at if denied is None else denied) + 1
    return found


def _what_is_denied(words: Sequence[str], denial: int) -> int | None:
    at = denial + 1
    while at < len(words) and at <= denial + _REACH and words[at] in _BETWEEN:
        at += 1
    return at if at < len(words) and words[at] in _OPPOSITES else None
