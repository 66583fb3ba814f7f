"""Read protocol buffers without a schema compiler: fields of a message, one after another.

Called by `remote_write` and `otlp`. A library would bring generated classes and a C extension for
four messages that we only read; this is the wire format and nothing else.

    for key, value in protobuf.fields(message):
        if key == protobuf.LEN | 1 << 3: ...

Rules:

1. Nothing but Malformed leaves, whatever the bytes. A field that ends beyond its message, a varint
   of more than 64 bits and a group (deprecated) are Malformed.
2. A field with a known number and another wire type is an unknown field, as in every
   implementation; unknown fields are the reader's to ignore.
3. Nothing is unpacked into more than it was: values are slices of the message. Fields are counted,
   because bytes of nothing but tiny ones take longest.

Format: https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

from sentienguard.model import errors

VARINT: Final = 0
FIXED64: Final = 1
LEN: Final = 2
FIXED32: Final = 5
MAX_FIELDS: Final = 500_000  # of one message; reading them takes a quarter of a second
Value: TypeAlias = int | bytes

_CONTINUES: Final = 0x80
_WIRE: Final = 0x07
_MOST_SHIFT: Final = 63
_MASK64: Final = (1 << 64) - 1
_SIGN64: Final = 1 << 63
_DOUBLE: Final = struct.Struct("<d")
_FIXED64: Final = struct.Struct("<Q")


class Malformed(errors.Rejected):
    """These bytes are no protocol buffer."""


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Yield each field: its key (number shifted by three, and wire type) and what it holds.

    A varint is an int, anything else the bytes of it. Raises Malformed.
    """
    at, end = 0, len(message)
    many = 0
    try:
        while at < end:
            began = at
            many += 1
            if many > MAX_FIELDS:
                raise _wrong(at, f"the message has more than {MAX_FIELDS} fields")
            key = message[at]
            at += 1
            if key >= _CONTINUES:
                key, at = _varint(message, began)
            wire = key & _WIRE
            if key == wire:
                raise _wrong(began, "a field has the number 0")
            if wire == LEN:
                size = message[at]
                at += 1
                if size >= _CONTINUES:
                    size, at = _varint(message, at - 1)
            elif wire == VARINT:
                value, at = _varint(message, at)
                yield key, value
                continue
            else:
                size = _size(wire, began)
            if at + size > end:
                raise _wrong(began, f"field {key >> 3} of {size} bytes ends beyond its message")
            yield key, message[at : at + size]
            at += size
    except IndexError as cause:
        raise _wrong(at, "the message ends within a field") from cause


def numbers(packed: bytes) -> Iterator[int]:
    """Yield the varints of a packed field. Raises Malformed."""
    at, end = 0, len(packed)
    try:
        while at < end:
            value, at = _varint(packed, at)
            yield value
    except IndexError as cause:
        raise _wrong(at, "the message ends within a number") from cause


def doubles(packed: bytes) -> tuple[float, ...]:
    """Return the doubles of a packed field. Raises Malformed."""
    if len(packed) % _DOUBLE.size:
        raise Malformed(f"packed doubles: expected whole ones, found {len(packed)} bytes")
    return tuple(one for (one,) in _DOUBLE.iter_unpack(packed))


def unsigned64(packed: bytes) -> tuple[int, ...]:
    """Return the fixed 64-bit numbers of a packed field. Raises Malformed."""
    if len(packed) % _FIXED64.size:
        raise Malformed(f"packed numbers: expected whole ones, found {len(packed)} bytes")
    return tuple(one for (one,) in _FIXED64.iter_unpack(packed))


def signed(value: int) -> int:
    """Return a varint as the int64 that it stands for."""
    return value - (1 << 64) if value & _SIGN64 else value


def text(value: bytes, name: str) -> str:
    """Return UTF-8. Raises Malformed, naming the field."""
    try:
        return value.decode()
    except UnicodeDecodeError as cause:
        raise Malformed(f"{name}: expected UTF-8, found {value[:40]!a}") from cause


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends. Raises IndexError at the end of the message."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            return value & _MASK64, at
        shift += 7
        if shift > _MOST_SHIFT:
            raise _wrong(at, "a number has more than 64 bits")


def _size(wire: int, at: int) -> int:
    if wire == FIXED64:
        return 8
    if wire == FIXED32:
        return 4
    raise _wrong(at, f"wire type {wire}: expected 0, 1, 2 or 5")


def _wrong(at: int, what: str) -> Malformed:
    return Malformed(f"byte {at}: {what}")
