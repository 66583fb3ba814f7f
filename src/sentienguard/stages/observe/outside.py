"""Series that other systems send: what one is called here, and what of it is taken.

Called by `remote_write` and `otlp`, which read bodies into `Sent`, and by
controlplane.telemetry_desk, which keeps what `series` names. Rules:

1. A series is its labels. Where they say of which host it is (`host`, or else `instance` without
   its port), the host's name stands first; see ports.metric_store for the rest.
2. The environment is that of the sender's token. What was sent under a name that is ours is kept
   as `exported_NAME`, as Prometheus does.
3. A series that has no name, no order among its labels or too much of anything is refused by
   itself, and the others of its body are taken.
4. What is no finite number is no reading: a stale marker says that a series ended, NaN and
   infinity that there was nothing to measure. They are counted and left out.
5. A moment too far from now is refused: it would hide the present, or lie where nobody looks.
"""

import math
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sentienguard.model import errors
from sentienguard.model.telemetry import Series

MAX_LABELS: Final = 64
MAX_NAME: Final = 256  # characters of a metric's or a label's name
MAX_VALUE: Final = 1024  # characters of a label's value
MAX_REASONS: Final = 3  # refusals that are told; the others are counted
MAX_POINTS: Final = 200_000  # readings of one body
MAX_NAMES: Final = 50_000  # label sets that are remembered as bytes; with MAX_KEY about 100 MB
MAX_KEY: Final = 1024  # bytes of one; longer ones are read each time
AHEAD_MS: Final = 5 * 60 * 1000  # rule 5; as for samples of our agents
BEHIND_MS: Final = 30 * 24 * 3600 * 1000  # rule 5; a sender that was cut off comes back in days
NAME: Final = "__name__"
OURS: Final = ("environment", "subject")  # rule 2
ENVIRONMENT: Final = "environment"
STALE: Final = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
_STALE_BITS: Final = struct.pack("<Q", 0x7FF0000000000002)
_PORT: Final = re.compile(r":[0-9]{1,5}\Z")


class Malformed(errors.Rejected):
    """The body, or a series in it, is not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One series of a body, as it was sent."""

    name: str
    labels: Mapping[str, str]  # without its name
    points: Sequence[tuple[int, float]]  # UTC milliseconds since 1970, value; in any order
    is_delta: bool = False  # each point is what was added since the one before it
    key: bytes = b""  # the labels as bytes: the same ones name the same series; empty: not known


@dataclass(slots=True)
class Batch:
    """What one body holds."""

    sent: list[Sent] = field(default_factory=list)
    refused: int = 0  # points that were refused
    reasons: list[str] = field(default_factory=list)  # why, of the first few
    skipped: Counter[str] = field(default_factory=Counter)  # what we take no notice of, by kind

    def refuse(self, reason: str, points: int = 1) -> None:
        """Count points that are not taken."""
        self.refused += points
        if len(self.reasons) < MAX_REASONS:
            self.reasons.append(reason[:300])


class Names:
    """Names and labels by the bytes that said so: a sender says the same ones with every scrape.

    Reading them costs five times what finding them does. Bounded; when full it begins anew.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[bytes, tuple[str, Mapping[str, str]]] = {}

    def get(self, key: bytes) -> tuple[str, Mapping[str, str]] | None:
        """Return what these bytes were read as."""
        return self._known.get(key)

    def put(self, key: bytes, named: tuple[str, Mapping[str, str]]) -> None:
        """Remember what these bytes were read as."""
        if len(key) > MAX_KEY:
            return
        if len(self._known) >= MAX_NAMES:
            self._known.clear()
        self._known[key] = named


def series(sent: Sent, environment: str) -> Series:
    """Name the series (rules 1 and 2). Raises Malformed, saying what is wrong with it (rule 3)."""
    _require_bounds(sent)
    labels = {name: value for name, value in sent.labels.items() if value}
    for name in OURS:
        if name in labels:
            labels[f"exported_{name}"] = labels.pop(name)
    host = labels.pop("host", "") or without_port(labels.get("instance", ""))
    labels[ENVIRONMENT] = environment
    return Series(host, sent.name, "", tuple(sorted(labels.items())))


def is_stale(value: float) -> bool:
    """Tell a stale marker from any other NaN."""
    return value != value and struct.pack("<d", value) == _STALE_BITS  # noqa: PLR0124  NaN


def kind_of(value: float) -> str:
    """Say why a value is no reading (rule 4); empty for one that is."""
    if math.isfinite(value):
        return ""
    if math.isinf(value):
        return "infinite"
    return "stale" if is_stale(value) else "nan"


def without_port(name: str) -> str:
    """Cut the port off `host:9100` and `[::1]:9100`; a bare IPv6 address has none."""
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return _PORT.sub("", name) if name.count(":") == 1 else name


def _require_bounds(sent: Sent) -> None:
    if not 1 <= len(sent.name) <= MAX_NAME:
        raise Malformed(f"name: expected 1 to {MAX_NAME} characters, found {sent.name[:40]!a}")
    if len(sent.labels) > MAX_LABELS:
        raise Malformed(
            f"{sent.name[:80]!a}: expected at most {MAX_LABELS} labels, found {len(sent.labels)}"
        )
    for name, value in sent.labels.items():
        if not 1 <= len(name) <= MAX_NAME or len(value) > MAX_VALUE:
            raise Malformed(
                f"{sent.name[:80]!a}, label {name[:40]!a}: expected a name of 1 to {MAX_NAME} and a"
                f" value of at most {MAX_VALUE} characters, found {len(name)} and {len(value)}"
            )
