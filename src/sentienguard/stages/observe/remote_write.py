"""Prometheus remote write, versions 1 and 2: an unpacked body to series with their points.

Called by controlplane.telemetry_door. Beyond the rules of `outside`:

1. A body that is no message is refused whole. In a message, a series whose labels make no sense is
   refused by itself, with its points counted.
2. Exemplars, histograms and metadata are counted and left out: nothing here reads them.
3. Version 2 names labels by their places in a table of symbols; a place beyond it refuses the
   series, a table that does not begin with an empty text the body.

Formats: https://prometheus.io/docs/specs/prw/remote_write_spec/ (prometheus.WriteRequest),
https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/ (io.prometheus.write.v2.Request)
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from sentienguard.stages.observe import outside, protobuf
from sentienguard.stages.observe.outside import NAME, Batch, Malformed, Names, Sent
from sentienguard.stages.observe.protobuf import FIXED64, LEN, VARINT, Value

V1: Final = "prometheus.WriteRequest"
V2: Final = "io.prometheus.write.v2.Request"
MAX_SYMBOLS: Final = 500_000

_DOUBLE: Final = struct.Struct("<d")
# Keys: number of the field, and its wire type.
_V1_SERIES: Final = 1 << 3 | LEN
_V1_METADATA: Final = 3 << 3 | LEN
_V2_SYMBOL: Final = 4 << 3 | LEN
_V2_SERIES: Final = 5 << 3 | LEN
_LABEL: Final = 1 << 3 | LEN  # version 1: a message; version 2: packed places
_ONE_PLACE: Final = 1 << 3 | VARINT  # version 2, not packed
_SAMPLE: Final = 2 << 3 | LEN
_V1_SKIPPED: Final = {3 << 3 | LEN: "exemplar", 4 << 3 | LEN: "histogram"}
_V2_SKIPPED: Final = {3 << 3 | LEN: "histogram", 4 << 3 | LEN: "exemplar"}
_VALUE: Final = 1 << 3 | FIXED64
_TIMESTAMP: Final = 2 << 3 | VARINT
_TEXT_1: Final = 1 << 3 | LEN
_TEXT_2: Final = 2 << 3 | LEN

_Labels: TypeAlias = Callable[[Sequence[Value]], Iterable[tuple[str, str]]]


def parse(body: bytes, version: str, names: Names | None = None) -> Batch:
    """Read an unpacked body of V1 or V2. Raises Malformed.

    `names` is what earlier bodies of version 1 called their series; it is read and filled.
    """
    try:
        return _v2(body) if version == V2 else _v1(body, Names() if names is None else names)
    except protobuf.Malformed as cause:
        raise Malformed(f"body: expected {version}: {cause}") from cause


def _v1(body: bytes, names: Names) -> Batch:
    reader = _Reader(_v1_labels, _V1_SKIPPED, names)
    for key, value in protobuf.fields(body):
        if key == _V1_SERIES and isinstance(value, bytes):
            reader.add(value)
        elif key == _V1_METADATA:
            reader.batch.skipped["metadata"] += 1
    return reader.batch


def _v2(body: bytes) -> Batch:
    symbols: list[str] = []
    messages: list[bytes] = []
    for key, value in protobuf.fields(body):
        if key == _V2_SYMBOL and isinstance(value, bytes):
            symbols.append(protobuf.text(value, f"symbols[{len(symbols)}]"))
            if len(symbols) > MAX_SYMBOLS:
                raise Malformed(f"symbols: expected at most {MAX_SYMBOLS}")
        elif key == _V2_SERIES and isinstance(value, bytes):
            messages.append(value)
    if symbols and symbols[0]:
        raise Malformed(f"symbols[0]: expected an empty text, found {symbols[0][:40]!a}")
    reader = _Reader(_v2_labels(symbols), _V2_SKIPPED)
    for message in messages:  # the table may stand behind them
        reader.add(message)
    return reader.batch


class _Reader:
    """Reads the series of one body."""

    def __init__(self, read: _Labels, skipped: dict[int, str], names: Names | None = None) -> None:
        self.batch = Batch()
        self._read = read
        self._skipped = skipped
        self._names = names
        self._left = outside.MAX_POINTS

    def add(self, message: bytes) -> None:
        """Add one series to the batch, or what is wrong with it."""
        named: list[Value] = []  # read below, where what is wrong refuses this series alone
        points: list[tuple[int, float]] = []
        for field, value in protobuf.fields(message):
            if field == _SAMPLE and isinstance(value, bytes):
                points.append(_point(value))
            elif field in {_LABEL, _ONE_PLACE}:
                named.append(value)
            elif field in self._skipped:
                self.batch.skipped[self._skipped[field]] += 1
        self._left -= len(points)
        if self._left < 0:
            raise Malformed(f"body: expected at most {outside.MAX_POINTS} samples")
        key = b"" if self._names is None else _key(named)
        try:
            name, labels = self._named(key, named)
        except (Malformed, protobuf.Malformed) as cause:
            self.batch.refuse(str(cause), max(1, len(points)))
            return
        if points:
            self.batch.sent.append(Sent(name, labels, points, key=key))

    def _named(self, key: bytes, named: Sequence[Value]) -> tuple[str, Mapping[str, str]]:
        known = None if self._names is None else self._names.get(key)
        if known is not None:
            return known
        found = _named(self._read(named))
        if self._names is not None:
            self._names.put(key, found)
        return found


def _key(named: Sequence[Value]) -> bytes:
    """Join labels so that no other labels give the same bytes: each with its length before it."""
    return b"".join(len(one).to_bytes(4) + one if isinstance(one, bytes) else b"" for one in named)


def _point(message: bytes) -> tuple[int, float]:
    at_ms, number = 0, 0.0  # what is left out is zero
    for key, value in protobuf.fields(message):
        if key == _VALUE and isinstance(value, bytes):
            (number,) = _DOUBLE.unpack(value)
        elif key == _TIMESTAMP and isinstance(value, int):
            at_ms = protobuf.signed(value)
    return at_ms, number


def _named(pairs: Iterable[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    labels: dict[str, str] = {}
    for name, value in pairs:
        if name in labels:
            raise Malformed(f"label {name[:40]!a}: expected once, found twice")
        labels[name] = value
        if len(labels) > outside.MAX_LABELS + 1:
            raise Malformed(f"labels: expected at most {outside.MAX_LABELS}")
    metric = labels.pop(NAME, "")
    if not metric:
        raise Malformed(f"labels: expected {NAME}, found {sorted(labels)[:5]}")
    return metric, labels


def _v1_labels(named: Sequence[Value]) -> Iterable[tuple[str, str]]:
    for label in named:
        name = value = ""
        for key, part in protobuf.fields(label if isinstance(label, bytes) else b""):
            if key == _TEXT_1 and isinstance(part, bytes):
                name = protobuf.text(part, "label name")
            elif key == _TEXT_2 and isinstance(part, bytes):
                value = protobuf.text(part, f"label {name[:40]!a}")
        yield name, value


def _v2_labels(symbols: Sequence[str]) -> _Labels:
    def read(named: Sequence[Value]) -> Iterable[tuple[str, str]]:
        places: list[int] = []
        for one in named:
            places += [one] if isinstance(one, int) else protobuf.numbers(one)
        if len(places) % 2:
            raise Malformed(f"labels_refs: expected pairs, found {len(places)}")
        for name, value in zip(places[::2], places[1::2], strict=True):
            if max(name, value) >= len(symbols):
                raise Malformed(
                    f"labels_refs: expected places below {len(symbols)}, found {max(name, value)}"
                )
            yield symbols[name], symbols[value]

    return read
