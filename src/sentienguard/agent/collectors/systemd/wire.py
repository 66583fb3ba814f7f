"""Messages of D-Bus as bytes: the calls that we make, and whatever a bus sends.

Called by `connection`. Pure. Rules:

1. Calls are written little-endian, with the arguments that we need: texts and lists of texts.
2. Every type of the specification is read, of both byte orders, file descriptors as their number.
3. Nothing but `Malformed` leaves here, whatever the bytes are. A message that is not whole yet is
   None. Length and depth are bounded before anything is taken.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

MOST_BYTES: Final = 1 << 20  # of one message; ListUnits of 2,000 units has 300 kB
MOST_DEPTH: Final = 16  # of types in types; the specification allows 64
METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_TO, _DESTINATION, _SENDER, _SIGNATURE = range(1, 9)
_TEXTS: Final = (_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _SENDER, _SIGNATURE)
_FIXED: Final = 16  # bytes before the fields of a header
_PLAIN: Final = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q",
                 "d": "d", "h": "I"}  # fmt: skip
_ALIGNED: Final = {"y": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8, "g": 1, "v": 1, "(": 8, "{": 8}
_USUAL: Final = 4  # alignment of every type that `_ALIGNED` does not name


class Malformed(ValueError):
    """The bytes are no message of D-Bus."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message that came."""

    kind: int
    serial: int
    reply_to: int  # serial of the call that it answers; 0: none
    path: str
    interface: str
    member: str
    error: str  # its name; empty: none
    sender: str  # the bus itself puts it there
    signature: str
    body: bytes
    order: str  # of its bytes, as `struct` has it

    def values(self) -> tuple[Any, ...]:
        """Return what is in the body; structures are tuples, dictionaries lists of pairs.

        Read when it is asked for, so that what a stranger sends costs nothing. Raises Malformed.
        """
        try:
            return _Reader(self.body, self.order).values(self.signature)
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise Malformed(f"message {self.serial}: {error}") from error


@dataclass(frozen=True, slots=True)
class Method:
    """What is called, and of whom."""

    destination: str  # a name on the bus
    path: str  # of the object
    interface: str
    name: str


def call(serial: int, method: Method, arguments: Sequence[str | Sequence[str]] = ()) -> bytes:
    """Return the bytes of a method call."""
    signature = "".join("s" if isinstance(one, str) else "as" for one in arguments)
    body = bytearray()
    for one in arguments:
        if isinstance(one, str):
            _put_text(body, one)
        else:
            listed = bytearray()
            for text in one:
                _put_text(listed, text)
            _pad(body, 4)
            body += struct.pack("<I", len(listed)) + listed
    head = bytearray(struct.pack("<cBBBIII", b"l", METHOD_CALL, 0, 1, len(body), serial, 0))
    fields = (
        (_PATH, "o", method.path),
        (_DESTINATION, "s", method.destination),
        (_INTERFACE, "s", method.interface),
        (_MEMBER, "s", method.name),
        (_SIGNATURE, "g", signature),
    )
    for code, kind, text in fields:
        if text:
            _pad(head, 8)
            head += bytes((code, 1)) + kind.encode() + b"\0"
            if kind == "g":
                head += bytes((len(text),)) + text.encode() + b"\0"
            else:
                _put_text(head, text)
    struct.pack_into("<I", head, 12, len(head) - _FIXED)
    _pad(head, 8)
    return bytes(head + body)


def read(buffer: bytes | bytearray, at: int = 0) -> tuple[Message, int] | None:
    """Return the message that begins at `at` and how many bytes it takes; None: not whole yet.

    Raises Malformed.
    """
    if len(buffer) - at < _FIXED:
        return None
    order = {ord("l"): "<", ord("B"): ">"}.get(buffer[at])
    if order is None or buffer[at + 3] != 1:
        start = bytes(buffer[at : at + 4])
        raise Malformed(f"message: expected byte order l or B and version 1, got {start!r}")
    body_bytes, serial, field_bytes = struct.unpack_from(order + "III", buffer, at + 4)
    begin = _FIXED + field_bytes + -field_bytes % 8
    whole = begin + body_bytes
    if whole > MOST_BYTES:
        raise Malformed(f"message: {whole} bytes, at most {MOST_BYTES} are taken")
    if len(buffer) - at < whole:
        return None
    taken = bytes(buffer[at : at + whole])
    try:
        fields = _fields(taken, order, field_bytes)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Malformed(f"message {serial}: {error}") from error
    text = {code: fields.get(code, "") for code in _TEXTS}
    if not all(isinstance(one, str) for one in text.values()):
        raise Malformed(f"message {serial}: a field of its header is no text")
    reply_to = fields.get(_REPLY_TO, 0)
    return Message(
        kind=taken[1],
        serial=serial,
        reply_to=reply_to if isinstance(reply_to, int) else 0,
        path=text[_PATH],
        interface=text[_INTERFACE],
        member=text[_MEMBER],
        error=text[_ERROR_NAME],
        sender=text[_SENDER],
        signature=text[_SIGNATURE],
        body=taken[begin:],
        order=order,
    ), whole


def _fields(taken: bytes, order: str, field_bytes: int) -> dict[int, Any]:
    """Read the fields of a header, each by its number."""
    reader = _Reader(taken[: _FIXED + field_bytes], order, at=12)
    (listed,) = reader.values("a(yv)")
    return dict(listed)


def _put_text(into: bytearray, text: str) -> None:
    _pad(into, 4)
    data = text.encode()
    into += struct.pack("<I", len(data)) + data + b"\0"


def _pad(into: bytearray, alignment: int) -> None:
    into += bytes(-len(into) % alignment)


class _Reader:
    """Reads values one after another; positions count from the begin of the bytes."""

    def __init__(self, data: bytes, order: str, at: int = 0) -> None:
        self._data = data
        self._order = order
        self._at = at

    def values(self, signature: str) -> tuple[Any, ...]:
        """Read one value for each whole type of a signature."""
        found, at = [], 0
        while at < len(signature):
            end = _end_of_type(signature, at, 0)
            found.append(self._value(signature[at:end], 0))
            at = end
        return tuple(found)

    def _value(self, kind: str, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise Malformed(f"message: types deeper than {MOST_DEPTH}")
        first = kind[0]
        self._align(_ALIGNED.get(first, _USUAL))
        if first in _PLAIN:
            value = self._unpack(_PLAIN[first])
            return bool(value) if first == "b" else value
        if first in "so":
            return self._text(self._unpack("I"))
        if first == "g":
            return self._text(self._unpack("B"))
        if first == "v":
            inner = self._text(self._unpack("B"))
            if not inner or _end_of_type(inner, 0, 0) != len(inner):
                raise Malformed(f"message: a variant of signature {inner[:40]!r}")
            return self._value(inner, depth + 1)
        if first == "a":
            return self._array(kind[1:], depth)
        return self._several(kind[1:-1], depth)

    def _array(self, kind: str, depth: int) -> list[Any]:
        length = self._unpack("I")
        self._align(_ALIGNED.get(kind[0], _USUAL))
        end = self._at + length
        if end > len(self._data):
            raise Malformed("message: an array reaches beyond its end")
        found = []
        while self._at < end:
            found.append(self._value(kind, depth + 1))
        if self._at != end:
            raise Malformed("message: an array ends inside a value")
        return found

    def _several(self, kinds: str, depth: int) -> tuple[Any, ...]:
        found, at = [], 0
        while at < len(kinds):
            end = _end_of_type(kinds, at, 0)
            found.append(self._value(kinds[at:end], depth + 1))
            at = end
        return tuple(found)

    def _align(self, alignment: int) -> None:
        self._at += -self._at % alignment

    def _unpack(self, kind: str) -> Any:
        size = struct.calcsize(self._order + kind)
        (value,) = struct.unpack_from(self._order + kind, self._data, self._at)
        self._at += size
        return value

    def _text(self, length: int) -> str:
        end = self._at + length
        if end >= len(self._data):
            raise Malformed("message: a text reaches beyond its end")
        text = self._data[self._at : end].decode()
        self._at = end + 1  # a zero byte follows
        return text


def _end_of_type(signature: str, at: int, depth: int) -> int:
    """Return where the type ends that begins at `at`. Raises Malformed."""
    first = signature[at : at + 1]
    if depth > MOST_DEPTH:
        raise Malformed(f"message: types deeper than {MOST_DEPTH}")
    if first and first in "ybnqiuxtdhsogv":
        return at + 1
    if first == "a" and at + 1 < len(signature):
        return _end_of_type(signature, at + 1, depth + 1)
    closing = {"(": ")", "{": "}"}.get(first)
    inner = at + 1
    while closing and inner < len(signature) and signature[inner] != closing:
        inner = _end_of_type(signature, inner, depth + 1)
    if closing is None or inner >= len(signature) or inner == at + 1:
        raise Malformed(f"message: no signature {signature[:40]!r}")
    return inner + 1
