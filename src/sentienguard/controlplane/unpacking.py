"""Compressed bodies, unpacked within a bound: a bomb costs what it weighs.

Called by controlplane.telemetry_door. A body that says or turns out to be longer than `MAX_BYTES`
is refused before more than that is held.
"""

import zlib
from http import HTTPStatus
from typing import Final

import cramjam

from sentienguard.controlplane.problems import ProblemError

MAX_BYTES: Final = 16 * 1024 * 1024  # unpacked; Prometheus sends about 1 MiB at a time
_GZIP: Final = 16 + zlib.MAX_WBITS
_MOST_LENGTH_BYTES: Final = 5  # of the length with which a snappy block begins
_CONTINUES: Final = 0x80
_MOST_TIMES: Final = 32  # a copy of 64 bytes takes 3: no snappy block unpacks to 22 times its size


def snappy(body: bytes) -> bytes:
    """Unpack a snappy block (not a stream). Raises ProblemError."""
    length = _announced(body)
    if length > MAX_BYTES:
        raise _too_large(length)
    if length > len(body) * _MOST_TIMES:  # before room for it is made
        raise _malformed("a snappy block", f"{len(body)} bytes that announce {length}")
    try:
        unpacked = bytes(cramjam.snappy.decompress_raw(body, output_len=length))
    except (cramjam.DecompressionError, ValueError, OverflowError, MemoryError) as cause:
        raise _malformed("a snappy block", str(cause)) from cause
    if len(unpacked) != length:
        raise _malformed("a snappy block", f"{len(unpacked)} bytes where {length} were announced")
    return unpacked


def gzip(body: bytes) -> bytes:
    """Unpack gzip. Raises ProblemError."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error as cause:
        raise _malformed("gzip", str(cause)) from cause
    if len(unpacked) > MAX_BYTES:
        raise _too_large(len(unpacked))
    if not unpacker.eof:
        raise _malformed("gzip", "a stream that ends too early")
    return unpacked


def _announced(body: bytes) -> int:
    """Return the length that a snappy block begins with."""
    length = 0
    for place, byte in enumerate(body[:_MOST_LENGTH_BYTES]):
        length |= (byte & 0x7F) << 7 * place
        if byte < _CONTINUES:
            return length
    raise _malformed("a snappy block", f"{len(body)} bytes that begin with no length")


def _too_large(length: int) -> ProblemError:
    detail = f"body: expected at most {MAX_BYTES} bytes unpacked, found {length} or more"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)


def _malformed(expected: str, found: str) -> ProblemError:
    detail = f"body: expected {expected}, found {found[:200]}"
    return ProblemError(HTTPStatus.BAD_REQUEST, "malformed", detail)
