"""Bodies of remote write and of OpenTelemetry, written by hand as protocol buffers are."""

import struct
from collections.abc import Iterable, Mapping, Sequence

import cramjam

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
V1_TYPE = "application/x-protobuf"
V2_TYPE = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
Points = Sequence[tuple[int, float]]


def varint(value: int) -> bytes:
    """Write a number; a negative one as 64 bits."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def field(number: int, value: bytes | str) -> bytes:
    """Write a field with a length."""
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def number(place: int, value: int) -> bytes:
    """Write a varint field."""
    return varint(place << 3) + varint(value)


def double(place: int, value: float) -> bytes:
    """Write a field of 64 bits."""
    return varint(place << 3 | 1) + struct.pack("<d", value)


def fixed(place: int, value: int) -> bytes:
    """Write a fixed field of 64 bits."""
    return varint(place << 3 | 1) + struct.pack("<Q", value & (1 << 64) - 1)


def sample(at_ms: int, value: float) -> bytes:
    """Write a sample; both versions have the same."""
    return double(1, value) + number(2, at_ms)


def v1_series(labels: Mapping[str, str], points: Points, more: bytes = b"") -> bytes:
    """Write one series of version 1."""
    named = b"".join(
        field(1, field(1, name) + field(2, value)) for name, value in sorted(labels.items())
    )
    return field(1, named + b"".join(field(2, sample(*point)) for point in points) + more)


def v1(*series: tuple[Mapping[str, str], Points]) -> bytes:
    """Write a prometheus.WriteRequest."""
    return b"".join(v1_series(labels, points) for labels, points in series)


def v2(*series: tuple[Mapping[str, str], Points], packed: bool = True) -> bytes:
    """Write an io.prometheus.write.v2.Request."""
    symbols = ["", *dict.fromkeys(
        text for labels, _ in series for pair in sorted(labels.items()) for text in pair
    )]  # fmt: skip
    place = {text: index for index, text in enumerate(symbols)}
    out = b"".join(field(4, text) for text in symbols)
    for labels, points in series:
        places = [place[text] for pair in sorted(labels.items()) for text in pair]
        out += field(5, refs(places, packed=packed)
                     + b"".join(field(2, sample(*point)) for point in points))  # fmt: skip
    return out


def refs(places: Iterable[int], *, packed: bool = True) -> bytes:
    """Write labels_refs."""
    if packed:
        return field(1, b"".join(varint(place) for place in places))
    return b"".join(number(1, place) for place in places)


def snappy(body: bytes) -> bytes:
    """Compress as remote write does."""
    return bytes(cramjam.snappy.compress_raw(body))
