"""StatsD messages, added up between two samples.

Pure. A message is `name:value|type`, behind that `|@rate` and `|#tag:value,...` in any order, and
several values at once (`name:1:2|c`) as DogStatsD sends them. Types: c, g, ms, h, d, s. A service
check is `_sc|name|n`. Events (`_e{...}`) are counted as not understood.

The readings of a name, with `statsd.` before it; its tags are the subject:

    c    NAME_per_s
    g    NAME             kept until it is sent again; +1 and -1 change it
    ms   NAME_per_s, NAME_mean, NAME_p95, NAME_max (h and d as well)
    s    NAME_distinct
    _sc  NAME_status      0 ok, 1 warning, 2 critical, 3 unknown
"""

import math
import re
from dataclasses import dataclass, field

MOST_SERIES = 400  # of four readings at most: payload.MAX_VALUES has room for them and the host
MOST_MEMBERS = 2000
KEPT_TIMES = 500  # of a timer between two samples; of more, every second, fourth, ... is kept
LONGEST_NAME = 200  # bytes of name, and of tags
_CLEAN = re.compile(r"[^a-z0-9_]+")
_LONGEST_METRIC = 56  # characters; with `statsd.` and an ending it fits into a metric's name
_P95 = 0.95
_STATES = frozenset({b"0", b"1", b"2", b"3"})

Key = tuple[bytes, bytes]  # name and tags, as they were sent


@dataclass(slots=True)
class Times:
    """The values of one timer since the last sample."""

    count: float = 0.0  # of what was measured, with what sampling left out
    total: float = 0.0
    most: float = -math.inf
    kept: list[float] = field(default_factory=list)
    stride: int = 1  # every how many values one is kept
    passed: int = 0

    def add(self, value: float, weight: float) -> None:
        """Take one value that stands for `weight` of them."""
        self.count += weight
        self.total += value * weight
        self.most = max(self.most, value)
        self.passed += 1
        if self.passed % self.stride:
            return
        self.kept.append(value)
        if len(self.kept) > KEPT_TIMES:
            self.kept = self.kept[::2]
            self.stride *= 2


class Aggregates:
    """Everything that was sent since the last sample."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.accepted = 0  # values since the last `take`
        self.dropped: dict[str, int] = {}  # since the last `take`, by reason
        self._counts: dict[Key, float] = {}
        self._gauges: dict[Key, float] = {}
        self._times: dict[Key, Times] = {}
        self._sets: dict[Key, set[bytes]] = {}
        self._states: dict[Key, float] = {}
        self._known: set[Key] = set()
        self._quiet: set[Key] = set()  # sent nothing since the sample before
        self._kinds = {
            b"c": self._count,
            b"g": self._gauge,
            b"ms": self._time,
            b"h": self._time,
            b"d": self._time,
            b"s": self._member,
        }

    def add(self, datagram: bytes) -> None:
        """Take the messages of one datagram."""
        for message in datagram.split(b"\n"):
            if message:
                reason = self._message(message)
                if reason is not None:
                    self.drop(reason, 1)

    def drop(self, reason: str, count: int) -> None:
        """Count messages that were not taken."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def take(self, seconds: float) -> dict[tuple[str, str], float]:
        """Return the readings of the last `seconds`, above 0, and begin anew."""
        found: dict[tuple[str, str], float] = {}
        for key, count in self._counts.items():
            found[_series(key, "_per_s")] = count / seconds
        for key, value in self._gauges.items():
            found[_series(key, "")] = value
        for key, times in self._times.items():
            found[_series(key, "_per_s")] = times.count / seconds
            if times.kept:
                ordered = sorted(times.kept)
                found[_series(key, "_mean")] = times.total / times.count
                found[_series(key, "_p95")] = ordered[math.ceil(_P95 * len(ordered)) - 1]
                found[_series(key, "_max")] = times.most
        for key, members in self._sets.items():
            found[_series(key, "_distinct")] = len(members)
        for key, state in self._states.items():
            found[_series(key, "_status")] = state
        self._begin_anew()
        return found

    def _begin_anew(self) -> None:
        """Forget what was quiet for a whole sample; the rest says 0 until it speaks again."""
        for table in (self._counts, self._times, self._sets):
            for key in self._quiet & table.keys():
                del table[key]
                self._known.discard(key)
        self._quiet = {*self._counts, *self._times, *self._sets}
        self._counts = dict.fromkeys(self._counts, 0.0)
        self._times = {key: Times() for key in self._times}
        self._sets = {key: set() for key in self._sets}
        self.accepted, self.dropped = 0, {}

    def _message(self, message: bytes) -> str | None:
        """Take one message; return why not, if not."""
        head, *parts = message.split(b"|")
        if head == b"_sc":
            return self._check(parts)
        name, *values = head.split(b":")
        kind = self._kinds.get(parts[0]) if parts else None
        if not name or not values or kind is None:
            return "not understood"
        tags, weight = _options(parts)
        if weight <= 0:
            return "not understood"
        key = (name, tags)
        if key not in self._known:
            reason = self._meet(key)
            if reason is not None:
                return reason
        self._quiet.discard(key)
        for value in values:
            reason = kind(key, value, weight)
            if reason is not None:
                return reason
            self.accepted += 1
        return None

    def _meet(self, key: Key) -> str | None:
        """Take note of a series that is new; return why not, if not."""
        if len(key[0]) > LONGEST_NAME or len(key[1]) > LONGEST_NAME:
            return "name too long"
        if len(self._known) >= MOST_SERIES:
            return "too many series"
        self._known.add(key)
        return None

    def _check(self, parts: list[bytes]) -> str | None:
        if len(parts) < 2 or not parts[0] or parts[1] not in _STATES:  # noqa: PLR2004 - name, state
            return "not understood"
        key = (parts[0], _options(parts[1:])[0])
        reason = None if key in self._known else self._meet(key)
        if reason is None:
            self._states[key] = int(parts[1])
            self.accepted += 1
        return reason

    def _count(self, key: Key, text: bytes, weight: float) -> str | None:
        value = _number(text)
        if value is None:
            return "not a number"
        self._counts[key] = self._counts.get(key, 0.0) + value * weight
        return None

    def _gauge(self, key: Key, text: bytes, _weight: float) -> str | None:
        value = _number(text)
        if value is None:
            return "not a number"
        change = text[:1] in {b"+", b"-"}
        self._gauges[key] = value + (self._gauges.get(key, 0.0) if change else 0.0)
        return None

    def _time(self, key: Key, text: bytes, weight: float) -> str | None:
        value = _number(text)
        if value is None:
            return "not a number"
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = Times()
        times.add(value, weight)
        return None

    def _member(self, key: Key, text: bytes, _weight: float) -> str | None:
        members = self._sets.setdefault(key, set())
        if len(members) >= MOST_MEMBERS and text not in members:
            return "too many members"
        members.add(text[:LONGEST_NAME])
        return None


def _options(parts: list[bytes]) -> tuple[bytes, float]:
    """Return the tags, and how many values one stands for; 0 where the rate is none."""
    tags, weight = b"", 1.0
    for part in parts[1:]:
        if part[:1] == b"#":
            tags = part[1:]
        elif part[:1] == b"@":
            rate = _number(part[1:])
            weight = 1 / rate if rate is not None and 0 < rate <= 1 else 0.0
    return tags, weight


def _number(text: bytes) -> float | None:
    """Return a finite number, None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and b"_" not in text else None


def _series(key: Key, ending: str) -> tuple[str, str]:
    """Return metric and subject; letters that a metric may not have become underscores."""
    name, tags = (part.decode("utf-8", "replace") for part in key)
    clean = _CLEAN.sub("_", name.lower()).strip("_")[:_LONGEST_METRIC] or "unnamed"
    subject = "".join(letter if letter.isprintable() else "\ufffd" for letter in tags)
    return f"statsd.{clean}{ending}", subject
