"""Times and values to compressed bytes and back, exact to the last bit.

Times are stored as second differences, which are zero for a regular clock. Values that are decimals
of at most four places (nearly all metrics are rounded where they are measured) are stored as
differences of integers, others as the XOR of neighbours' bits. Both are then split into byte
planes, so that the many zero high bytes stand together, and compressed with Zstandard.

A block of values: one byte that says how (`_XOR`, or the number of decimal places), then the
compressed planes. The number of readings is known from its row.
"""

import struct
from typing import TypeAlias

import numpy as np
import zstandard
from numpy.typing import NDArray

from sentienguard.ports.metric_store import MetricStoreDamaged

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_XOR = 255  # marks values that are no short decimals
_PLACES = range(5)  # decimal places tried, fewest first
_EXACT = 2.0**53  # integers beyond this are no longer exact in a float
_LEVEL = 9  # levels above gain under 1 % here and take several times as long
_WIDTHS = ((1, 1 << 7), (2, 1 << 15), (4, 1 << 31))  # bytes, and the magnitude they hold


def encode_times(times_ms: Ints) -> bytes:
    """Compress ascending UTC milliseconds."""
    first = int(times_ms[0])
    steps = np.diff(times_ms)
    step = int(steps[0]) if len(steps) else 0
    return struct.pack("<qq", first, step) + _packed(np.diff(steps))


def decode_times(stored: bytes, count: int) -> Ints:
    """Return what `encode_times` compressed."""
    try:
        first, step = struct.unpack_from("<qq", stored)
        changes = _unpacked(stored[16:], max(count - 2, 0))
    except (zstandard.ZstdError, struct.error, ValueError) as error:
        raise _damaged("times", error) from error
    steps = np.concatenate([np.array([step], dtype=np.int64), changes]).cumsum()[: count - 1]
    return np.concatenate([np.array([first], dtype=np.int64), steps]).cumsum()


def encode_values(values: Floats) -> bytes:
    """Compress readings."""
    largest = float(np.max(np.abs(values)))
    for places in _PLACES:
        scale = 10.0**places
        if largest * scale >= _EXACT:
            break
        whole = np.rint(values * scale).astype(np.int64)
        # Compared as bits, after the detour over integers: -0.0 would come back as 0.0.
        if np.array_equal((whole / scale).view(np.uint64), values.view(np.uint64)):
            return bytes([places]) + struct.pack("<q", int(whole[0])) + _packed(np.diff(whole))
    bits = values.view(np.int64)
    changed = np.concatenate([bits[:1], bits[1:] ^ bits[:-1]])
    return bytes([_XOR]) + _packed(changed)


def decode_values(stored: bytes, count: int) -> Floats:
    """Return what `encode_values` compressed."""
    try:
        how = stored[0]
        if how == _XOR:
            bits = np.bitwise_xor.accumulate(_unpacked(stored[1:], count))
            return bits.view(np.float64)
        (first,) = struct.unpack_from("<q", stored, 1)
        changes = _unpacked(stored[9:], count - 1)
    except (zstandard.ZstdError, struct.error, ValueError, IndexError) as error:
        raise _damaged("values", error) from error
    whole = np.concatenate([np.array([first], dtype=np.int64), changes]).cumsum()
    scaled: Floats = whole.astype(np.float64) / 10.0**how
    return scaled


def _packed(numbers: Ints) -> bytes:
    """Compress integers: their width in bytes, then their byte planes."""
    if not np.any(numbers):
        return b""  # all zero: the count says the rest
    largest = max(int(numbers.max()), -int(numbers.min()) - 1)
    width = next((width for width, limit in _WIDTHS if largest < limit), 8)
    planes = numbers.astype(f"<i{width}").view(np.uint8).reshape(-1, width).T
    return bytes([width]) + zstandard.compress(planes.tobytes(), _LEVEL)


def _unpacked(stored: bytes, count: int) -> Ints:
    if not stored:
        return np.zeros(count, dtype=np.int64)
    width = stored[0]
    planes = zstandard.decompress(stored[1:], max_output_size=count * width)
    if len(planes) != count * width:
        raise ValueError(f"{count} integers of {width} bytes expected, {len(planes)} bytes found")
    by_number = np.frombuffer(planes, dtype=np.uint8).reshape(width, count).T
    return np.ascontiguousarray(by_number).view(f"<i{width}").reshape(-1).astype(np.int64)


def _damaged(what: str, error: Exception) -> MetricStoreDamaged:
    return MetricStoreDamaged(
        f"a block of {what} in the metric store cannot be decoded ({error}): check the disk, then "
        "restore the store from a copy or move it away to begin a new one"
    )
