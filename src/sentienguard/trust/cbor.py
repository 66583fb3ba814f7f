"""Read the little of CBOR (RFC 8949) that authenticators write: CTAP2's canonical form.

Called by webauthn. Integers, byte and text strings, arrays, maps with integer or text keys, the
three simple values. Bounded in depth and by the input; no tags, no floats, no indefinite lengths,
no key twice.
"""

from typing import Any, Final

from sentienguard.model import errors

MAX_DEPTH: Final = 8
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _SIMPLE = 0, 1, 2, 3, 4, 5, 7
_SIMPLE_VALUES: Final = {20: False, 21: True, 22: None}
_LENGTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}


class NotCbor(errors.Rejected):
    """These bytes are not CBOR as authenticators write it."""


def decode_first(data: bytes) -> tuple[Any, int]:
    """Return the first item and how many bytes it takes. Raises NotCbor."""
    reader = _Reader(data)
    try:
        return reader.item(0), reader.at
    except UnicodeDecodeError as cause:
        raise NotCbor("CBOR: expected UTF-8 in a text string") from cause


def decode(data: bytes) -> Any:
    """Return the one item that these bytes are. Raises NotCbor."""
    item, size = decode_first(data)
    if size != len(data):
        raise NotCbor(f"CBOR: expected one item, found {len(data) - size} bytes behind it")
    return item


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def item(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise NotCbor(f"CBOR: expected at most {MAX_DEPTH} levels")
        head = self._take(1)[0]
        kind, argument = head >> 5, self._argument(head & 0x1F)
        if kind in {_UNSIGNED, _NEGATIVE}:
            return argument if kind == _UNSIGNED else -1 - argument
        if kind == _BYTES:
            return self._take(argument)
        if kind == _TEXT:
            return self._take(argument).decode("utf-8")
        if kind == _ARRAY:
            return [self.item(depth + 1) for _ in range(self._count(argument))]
        if kind == _MAP:
            return self._map(self._count(argument), depth)
        if kind == _SIMPLE and argument in _SIMPLE_VALUES and head & 0x1F == argument:
            return _SIMPLE_VALUES[argument]
        raise NotCbor(f"CBOR: expected no item of type {kind} here")

    def _map(self, count: int, depth: int) -> dict[int | str, Any]:
        found: dict[int | str, Any] = {}
        for _ in range(count):
            key = self.item(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise NotCbor("CBOR: expected integers and texts as keys")
            if key in found:
                raise NotCbor(f"CBOR: key {key!a} stands twice")
            found[key] = self.item(depth + 1)
        return found

    def _argument(self, short: int) -> int:
        if short < min(_LENGTHS):
            return short
        if short not in _LENGTHS:
            raise NotCbor("CBOR: expected a length that is said at once")
        return int.from_bytes(self._take(_LENGTHS[short]), "big")

    def _count(self, said: int) -> int:
        if said > len(self._data) - self.at:  # each member takes a byte at least
            raise NotCbor(f"CBOR: {said} members were announced and not sent")
        return said

    def _take(self, size: int) -> bytes:
        taken = self._data[self.at : self.at + size]
        if len(taken) != size:
            raise NotCbor(f"CBOR: expected {size} bytes at {self.at}, found {len(taken)}")
        self.at += size
        return taken
