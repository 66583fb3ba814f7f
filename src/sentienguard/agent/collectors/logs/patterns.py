"""Which kinds of messages a program writes: a message without its numbers and names is a pattern.

Called by `telling`. Pure but for what it remembers, which is bounded: `MOST_PATTERNS` of a source,
eight bytes each; the longest unseen is forgotten first.

A pattern is *new* for `NEW_S` after it was first seen, where the source was known for `LEARNING_S`
before: what an agent meets in its first hour is how the program usually speaks.
"""

import re
from hashlib import blake2b

MOST_PATTERNS = 500
LEARNING_S = 3600.0
NEW_S = 600.0
_WORDS = 24  # of a message that make its pattern
_LONGEST = 1024  # bytes that are looked at
_VARIABLE = re.compile(
    rb"\"[^\"]*\"|'[^']*'"  # what is quoted
    rb"|/[^\s:,;)]*"  # paths
    rb"|\b[0-9a-fA-F]{8,}\b|\b[0-9a-fA-F-]{36}\b"  # ids
    rb"|[\w.+-]*\d[\w.:%+-]*"  # every word with a digit: times, addresses, numbers
)


class Patterns:
    """The patterns of one source."""

    def __init__(self, began_s: float) -> None:
        """Start to learn at this moment of the monotonic clock, in seconds."""
        self._began_s = began_s
        self._first_s: dict[bytes, float] = {}  # key -> when it was first seen; newest use last

    def is_new(self, text: bytes, now_s: float) -> bool:
        """Take note of a message; tell whether its pattern is new."""
        key = _key(text)
        first_s = self._first_s.pop(key, None)
        if first_s is None:
            learning = now_s - self._began_s < LEARNING_S
            first_s = now_s - NEW_S if learning else now_s
            if len(self._first_s) >= MOST_PATTERNS:
                del self._first_s[next(iter(self._first_s))]
        self._first_s[key] = first_s
        return now_s - first_s < NEW_S


def pattern(text: bytes) -> bytes:
    """Return a message with `*` where it varies, at most 24 words."""
    masked = _VARIABLE.sub(b"*", text[:_LONGEST])
    return b" ".join(masked.split()[:_WORDS])


def _key(text: bytes) -> bytes:
    return blake2b(pattern(text), digest_size=8).digest()
