"""What a lane has learned, as bytes that another run of the same release reads back exactly.

Called by `deviation` and `ramp`. Little-endian: four letters, a version, how many numbers and
series; then the numbers as float64 and the arrays in the form of their lane, in the order in which
it names them. Whoever changes what a lane holds counts VERSION up: what an older one wrote is then
refused, and learned anew.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = 1
FLOAT32: Final = "<f4"
FLOAT64: Final = "<f8"
_LETTERS: Final = b"SGLD"
_HEAD: Final = struct.Struct("<4sHHI")


def pack(
    numbers: Sequence[float], arrays: Sequence[NDArray[Any]], series: int, form: str = FLOAT32
) -> bytes:
    """Write numbers and arrays whose last axis is the series."""
    head = _HEAD.pack(_LETTERS, VERSION, len(numbers), series)
    body = np.asarray(numbers, dtype="<f8").tobytes()
    return head + body + b"".join(one.astype(form).tobytes() for one in arrays)


def unpack(
    content: bytes, numbers: int, arrays: Sequence[NDArray[Any]], form: str = FLOAT32
) -> tuple[float, ...]:
    """Fill the arrays from bytes and return the numbers.

    Raises ValueError where another version, or another shape, wrote them.
    """
    series = arrays[0].shape[-1]
    expected = _HEAD.pack(_LETTERS, VERSION, numbers, series)
    wide = np.dtype(form).itemsize
    size = len(expected) + 8 * numbers + wide * sum(one.size for one in arrays)
    if content[: len(expected)] != expected or len(content) != size:
        message = f"a lane's state: expected {size} bytes of version {VERSION}, {series} series"
        raise ValueError(message)
    at = len(expected)
    read = np.frombuffer(content, dtype="<f8", count=numbers, offset=at)
    at += 8 * numbers
    for one in arrays:
        read_here = np.frombuffer(content, dtype=form, count=one.size, offset=at)
        one[...] = read_here.reshape(one.shape)
        at += wide * one.size
    return tuple(read.tolist())
