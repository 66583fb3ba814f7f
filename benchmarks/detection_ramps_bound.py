"""The earliest that a ramp can be told from its background by filters that know nearly everything.

Called by `detection_ramps`, to judge its aim by. Each filter knows the whole background, its later
half included: its usual day, its noise as an autoregression, and the highest that the filter itself
ever gives on it, so that it never warns on the background alone. It also knows when the ramp begins
and how steep it is. Of forty the one that is best for a ramp is taken in hindsight. A detector
that knows none of this cannot be expected to be earlier on most backgrounds; it may be on some,
because these filters are linear after their first step.
"""

from itertools import product
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SHARES: Final = (
    0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09,
    0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0,
)  # fmt: skip
_QUANTILES: Final = (
    (1, 0.5),
    *product((7, 25, 75), (0.1, 0.5, 0.9)),
)  # of so many last readings: robust against spikes up, both ways, and down
_ORDERS: Final = (0, 30)  # of the autoregression; 0: the noise is taken for white
_DAY_S: Final = 86_400.0
_PLACE_S: Final = 300.0  # of a day
_LEAST: Final = 3  # readings of a ramp


def least_shares(
    times: Floats, values: Floats, ramps: list[tuple[Floats, int]]
) -> list[float | None]:
    """Return for each ramp the least share of its time after which a filter tells it.

    A ramp is the background with the ramp on it, up to the limit, and the row at which it begins.
    None: no filter does.
    """
    least: list[float | None] = [None] * len(ramps)
    for daily, (width, quantile) in product((True, False), _QUANTILES):
        usual = _usual_day(times, values) if daily else np.zeros_like(values)
        alone = _quantiles(values - usual, width, quantile)
        level = alone.mean()
        seen = [_quantiles(one - usual[: len(one)], width, quantile) for one, _ in ramps]
        for order in _ORDERS:
            noise = _noise(alone, order)
            whitened = _whitened(alone - level, noise)[order:]
            for place, (_, start) in enumerate(ramps):
                ramped = _whitened(seen[place] - level, noise)[start:]
                found = _first(whitened, ramped, noise, least[place] or np.inf)
                least[place] = found if found is not None else least[place]
    return least


def _first(alone: Floats, seen: Floats, noise: Floats, before: float) -> float | None:
    """Return the least share, below `before`, at which the filter exceeds all it gives alone."""
    for share in _SHARES:
        if share >= before:
            return None
        rows = min(int(share * len(seen)), len(seen) - 1)
        if rows < _LEAST:
            continue
        matched = np.convolve(np.arange(rows + 1.0), noise)[: rows + 1]
        if float(seen[: rows + 1] @ matched) > _correlated(alone, matched).max() + 1e-9:
            return share
    return None


def _correlated(values: Floats, matched: Floats) -> Floats:
    size = len(values) + len(matched)
    spectrum = np.fft.rfft(values, size) * np.fft.rfft(matched[::-1], size)
    found: Floats = np.fft.irfft(spectrum, size)[len(matched) - 1 : len(values)]
    return found


def _whitened(values: Floats, noise: Floats) -> Floats:
    return np.convolve(values, noise)[: len(values)]


def _usual_day(times: Floats, values: Floats) -> Floats:
    places = round(_DAY_S / max(float(np.median(np.diff(times))), _PLACE_S))
    place = (times % _DAY_S / _DAY_S * places).astype(int)
    day = np.array([np.median(values[place == one]) for one in range(places)])
    smooth = np.convolve(np.concatenate([day[-2:], day, day[:2]]), np.full(5, 0.2), "valid")
    usual: Floats = smooth[place]
    return usual


def _quantiles(values: Floats, width: int, quantile: float) -> Floats:
    if width == 1:
        return values
    padded = np.concatenate([np.full(width - 1, values[0]), values])
    place = round(quantile * (width - 1))
    found: Floats = np.partition(sliding_window_view(padded, width), place, axis=1)[:, place]
    return found


def _noise(values: Floats, order: int) -> Floats:
    """Return the filter that whitens these values (Yule and Walker's equations)."""
    if order == 0 or np.ptp(values) == 0:
        return np.ones(1)
    size = len(values)
    power = np.abs(np.fft.rfft(values - values.mean(), 2 * size)) ** 2
    along = np.fft.irfft(power)[: order + 1] / size
    along[0] += 1e-3 * along[0] + 1e-12
    apart = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    return np.concatenate([[1.0], -np.linalg.solve(along[apart], along[1:])])
