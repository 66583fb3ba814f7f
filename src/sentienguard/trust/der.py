"""The part of ASN.1's DER that time stamps are written in.

Called by `timestamp`. Reads definite lengths alone, never past what it was given, and keeps the
bytes of each element as they came: what was signed is hashed, never written anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sentienguard.model import errors

BOOLEAN, INTEGER, OCTETS, OID, UTC_TIME, TIME = 0x01, 0x02, 0x04, 0x06, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
_LONG: Final = 0x80
_MOST_LENGTH_BYTES: Final = 4
_SHORT_TAGS: Final = 0x1F


class BadDer(errors.Rejected):
    """The bytes are not DER, or not the structure that was expected."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element."""

    tag: int
    content: bytes
    whole: bytes  # with tag and length

    def children(self) -> "tuple[Element, ...]":
        """Return the elements inside. Raises BadDer."""
        return tuple(_elements(self.content))

    def expect(self, tag: int, what: str) -> "Element":
        """Return itself. Raises BadDer where it is something else."""
        if self.tag != tag:
            raise BadDer(f"{what}: expected tag {tag:#04x}, found {self.tag:#04x}")
        return self

    @property
    def number(self) -> int:
        """The content as a signed number."""
        return int.from_bytes(self.content, "big", signed=True)


def read(stored: bytes) -> Element:
    """Return the one element that these bytes are. Raises BadDer."""
    found = tuple(_elements(stored))
    if len(found) != 1:
        raise BadDer(f"expected one element, found {len(found)}")
    return found[0]


def _elements(stored: bytes) -> Iterator[Element]:
    at = 0
    while at < len(stored):
        start, tag = at, stored[at]
        if tag & _SHORT_TAGS == _SHORT_TAGS or at + 1 >= len(stored):
            raise BadDer(f"byte {at}: expected a short tag and a length")
        length, at = stored[at + 1], at + 2
        if length >= _LONG:
            count = length - _LONG
            if not 1 <= count <= _MOST_LENGTH_BYTES or at + count > len(stored):
                raise BadDer(f"byte {at}: expected a definite length")
            length, at = int.from_bytes(stored[at : at + count], "big"), at + count
        if at + length > len(stored):
            raise BadDer(f"byte {start}: an element of {length} bytes is cut off")
        at += length
        yield Element(tag, stored[at - length : at], stored[start:at])


def write(tag: int, *contents: bytes) -> bytes:
    """Return an element."""
    content = b"".join(contents)
    size = len(content)
    if size < _LONG:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG + len(length))) + length + content


def write_number(value: int) -> bytes:
    """Return a number that is not negative as an element."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def write_oid(dotted: str) -> bytes:
    """Return an object identifier such as 1.2.840.113549 as an element."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    found = bytearray()
    for part in (first * 40 + second, *rest):
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(part & 0x7F | _LONG)
        found += bytes(reversed(groups))
    return write(OID, bytes(found))
