"""One spelling for what people and machines call the same thing.

Phrases first, then words, then endings: `No space left on device` and `the volume is full` both
hold `disk` and `full`. The table is short on purpose; a word that is missing costs one match, a
word that is wrong costs a wrong one.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

_LONGEST_TEXT = 8192  # characters looked at; what follows adds nothing to a short description
_WORD = re.compile(r"[a-z][a-z0-9]*")

_PHRASES: tuple[tuple[str, str], ...] = (
    ("no space left on device", "disk full"),
    ("out of disk space", "disk full"),
    ("out of space", "disk full"),
    ("running low on space", "disk full"),
    ("disk space", "disk"),
    ("file system", "disk"),
    ("out of memory", "memory leak"),
    ("too many clients", "connections saturated"),
    ("connection pool", "connections"),
    ("connection slots", "connections"),
    ("too many connections", "connections saturated"),
    ("not responding", "hung"),
    ("does not answer", "hung"),
    ("does not respond", "hung"),
    ("no longer answers", "hung"),
    ("health check", "healthcheck"),
    ("not running", "down"),
    ("connection refused", "down"),
    ("used up", "full"),
    ("pg_wal", "postgresql wal"),
    ("k8s", "kubernetes"),
)

_SAME: Mapping[str, str] = {
    "filesystem": "disk", "volume": "disk", "partition": "disk", "mount": "disk",
    "mountpoint": "disk", "storage": "disk", "enospc": "full", "filled": "full",
    "exhausted": "full", "exhaustion": "full", "inodes": "inode",
    "ram": "memory", "mem": "memory", "oom": "leak", "swapping": "swap",
    "processor": "cpu", "processors": "cpu", "cores": "cpu", "load": "cpu",
    "defunct": "zombie", "spinning": "runaway", "unresponsive": "hung", "hanging": "hung",
    "hang": "hung", "hangs": "hung", "stuck": "hung", "frozen": "hung", "deadlocked": "hung",
    "wedged": "hung", "unhealthy": "hung",
    "stopped": "down", "crashed": "down", "dead": "down", "died": "down", "exited": "down",
    "failed": "down", "inactive": "down", "missing": "down",
    "daemon": "service", "unit": "service",
    "reboot": "restart", "restarted": "restart", "restarting": "restart",
    "delete": "remove", "deleting": "remove", "purge": "remove", "clean": "cleanup",
    "cleaning": "cleanup", "logs": "log", "logfile": "log", "logfiles": "log", "syslog": "log",
    "postgres": "postgresql", "psql": "postgresql", "pg": "postgresql", "mariadb": "mysql",
    "saturation": "saturated", "sessions": "connections", "connection": "connections",
    "pool": "connections", "cert": "certificate", "tls": "certificate", "ssl": "certificate",
    "expiry": "expired", "expires": "expired", "expiring": "expired",
    "kube": "kubernetes", "pods": "pod", "leaking": "leak", "leaks": "leak",
}  # fmt: skip

_EMPTY = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "for", "from", "had", "has",
    "have", "if", "in", "into", "is", "it", "its", "more", "most", "no", "not", "of", "off", "on",
    "one", "or", "out", "per", "so", "such", "than", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "to", "too", "until", "up", "was", "were", "what", "when",
    "which", "while", "who", "will", "with", "within", "without",
})  # fmt: skip


def terms(text: str) -> tuple[str, ...]:
    """Return the normalised words of a text in their order, empty ones left out."""
    lowered = text[:_LONGEST_TEXT].lower()
    for phrase, replacement in _PHRASES:
        if phrase in lowered:
            lowered = lowered.replace(phrase, f" {replacement} ")
    return tuple(_base(word) for word in _WORD.findall(lowered) if word not in _EMPTY)


@lru_cache(maxsize=4096)  # words come from hosts, so what we remember of them is bounded
def _base(word: str) -> str:
    known = _SAME.get(word)
    if known is not None:
        return known
    for ending, shortest in (("ies", 5), ("es", 6), ("s", 4)):
        if word.endswith(ending) and len(word) >= shortest and not word.endswith("ss"):
            stem = word[: -len(ending)] + ("y" if ending == "ies" else "")
            return _SAME.get(stem, stem)
    return word
