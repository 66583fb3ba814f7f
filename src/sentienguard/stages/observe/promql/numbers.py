"""Numbers as Prometheus writes them."""

import math
from decimal import Decimal

_SMALL, _LARGE = 1e-6, 1e21  # beyond these Go writes an exponent


def plain(value: float) -> str:
    """Return the shortest decimal that reads back the same, without an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def written(value: float) -> str:
    """Return a number as the HTTP API writes it: very large or small ones with an exponent."""
    if value == 0 or not math.isfinite(value) or _SMALL <= abs(value) < _LARGE:
        return plain(value)
    mantissa, _, exponent = f"{Decimal(repr(value)):e}".partition("e")
    mantissa = mantissa.rstrip("0").removesuffix(".") if "." in mantissa else mantissa
    return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(2)}"
