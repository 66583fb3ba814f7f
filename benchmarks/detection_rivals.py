"""What others do, written from their published descriptions, for the same runs as our lanes.

Each rival takes the times (seconds) and readings [row, metric] of one host or series and returns
one score a row that depends on no later row. A score has the rival's own unit; only its order
counts, because each gets the threshold that suits it best.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Rival: TypeAlias = Callable[[Floats, Floats], Floats]

_WEEK_S = 7 * 86_400
_DAY_S = 86_400
_EACH = 20  # rows between two fits of the seed's baseline: a row's own fit changes nothing visible
_SEED_OUTLIER = 3.0  # sigma
_EW_SPAN = 2000  # rows
_PERIOD = 370  # rows between two alarms that look at nothing
_NETDATA_TRAINED, _NETDATA_EACH, _NETDATA_MODELS = 600, 150, 18  # rows, rows, models
_NETDATA_LAGS, _NETDATA_SMOOTHED, _NETDATA_CLUSTERS = 5, 3, 2
_NETDATA_BIT = 0.99  # of the largest distance in training
_GRAFANA_MULTIPLIER, _GRAFANA_MARGIN = 2.0, 0.05  # standard deviations; part of the average


def seed(times: Floats, readings: Floats) -> Floats:
    """Mean and standard deviation of seven days, trimmed once at three sigma."""
    found = np.zeros(readings.shape)
    for start in range(_EACH, len(times), _EACH):
        first = int(np.searchsorted(times, times[start] - _WEEK_S))
        past = readings[first:start]
        near = np.abs(past - past.mean(axis=0)) <= _SEED_OUTLIER * past.std(axis=0)
        kept = np.where(near, past, np.nan)
        mean, spread = np.nanmean(kept, axis=0), np.nanstd(kept, axis=0)
        rows = slice(start, start + _EACH)
        # As written, a constant series divides by zero; a hair's breadth keeps the run going.
        found[rows] = np.abs(readings[rows] - mean) / np.maximum(spread, 1e-9)
    return _together(np.minimum(found, 1e6))


def ew_z(_times: Floats, readings: Floats) -> Floats:
    """Deviation from an exponentially weighted mean, in its exponentially weighted spread."""
    mean, variance = readings[0].copy(), np.zeros(readings.shape[1])
    found = np.zeros(readings.shape)
    for row, values in enumerate(readings):
        share = max(2 / (_EW_SPAN + 1), 1 / (row + 1))
        step = values - mean
        found[row] = np.abs(step) / np.maximum(np.sqrt(variance), 1e-3 * np.abs(mean) + 1e-9)
        mean += share * step
        variance = (1 - share) * (variance + share * step * step)
    found[:30] = 0
    return _together(np.minimum(found, 1e6))


def netdata(_times: Floats, readings: Floats) -> Floats:
    """Netdata's anomaly bit: k-means of smoothed, lagged differences; anomalous to every model.

    Its second-by-second windows are taken as rows, thinned: files here have thousands of rows. A
    host's score is its anomaly rate, the share of its metrics whose bit is set.
    """
    found = np.stack([_netdata_one(readings[:, one]) for one in range(readings.shape[1])], axis=1)
    return np.asarray(
        (found >= _NETDATA_BIT).mean(axis=1) + 1e-3 * np.minimum(found, 9).mean(axis=1)
    )


def _netdata_one(values: Floats) -> Floats:
    steps = np.diff(values, prepend=values[:1])
    kernel = np.ones(_NETDATA_SMOOTHED) / _NETDATA_SMOOTHED
    smooth = np.convolve(steps, kernel)[: len(steps)]
    padded = np.concatenate([np.zeros(_NETDATA_LAGS), smooth])
    features = np.stack(
        [padded[_NETDATA_LAGS - lag : len(padded) - lag] for lag in range(_NETDATA_LAGS + 1)],
        axis=1,
    )
    models: list[tuple[Floats, float, float]] = []
    found = np.zeros(len(values))
    for start in range(_NETDATA_EACH, len(values), _NETDATA_EACH):
        trained = features[max(0, start - _NETDATA_TRAINED) : start]
        models = [*models, _k_means(trained)][-_NETDATA_MODELS:]
        rows = features[start : start + _NETDATA_EACH]
        scores = [
            (_distance(rows, centres) - least) / max(most - least, 1e-12)
            for centres, least, most in models
        ]
        found[start : start + _NETDATA_EACH] = np.min(scores, axis=0)
    return found


def _distance(rows: Floats, centres: Floats) -> Floats:
    apart = np.linalg.norm(rows[:, None] - centres[None], axis=2)
    return np.asarray(apart.mean(axis=1))


def _k_means(rows: Floats) -> tuple[Floats, float, float]:
    order = np.argsort(np.linalg.norm(rows, axis=1), kind="stable")
    centres = rows[[order[0], order[-1]]][:_NETDATA_CLUSTERS].copy()
    for _ in range(10):
        nearest = np.linalg.norm(rows[:, None] - centres[None], axis=2).argmin(axis=1)
        for one in range(len(centres)):
            if (nearest == one).any():
                centres[one] = rows[nearest == one].mean(axis=0)
    apart = _distance(rows, centres)
    return centres, float(apart.min()), float(apart.max())


def grafana(times: Floats, readings: Floats) -> Floats:
    """Grafana's adaptive bands: an hour's mean +- two deviations of 26 hours, a day and a week ago.

    A reading is normal inside the widest of them; a host's score is the mean over its metrics.
    """
    step = max(float(np.median(np.diff(times[:500]))), 1.0)
    hour, day = max(round(3600 / step), 1), max(round(26 * 3600 / step), 2)
    short, _ = _rolling(readings, hour)
    long, spread = _rolling(readings, day)
    reach = np.maximum(_GRAFANA_MULTIPLIER * spread, _GRAFANA_MARGIN * np.abs(long)) + 1e-9
    upper, lower = np.maximum(short, long) + reach, np.minimum(short, long) - reach
    for period in (_DAY_S, _WEEK_S):
        ago = round((period - 1800) / step)
        if ago < len(times):
            upper[ago:] = np.maximum(upper[ago:], short[:-ago] + reach[:-ago])
            lower[ago:] = np.minimum(lower[ago:], short[:-ago] - reach[:-ago])
    outside = np.maximum(readings - upper, lower - readings) / reach
    outside[: min(day, len(times))] = -1
    return _together(np.clip(outside + 1, 0, 1e6))


def _rolling(readings: Floats, length: int) -> tuple[Floats, Floats]:
    """Return mean and spread of the `length` rows before each row."""
    centred = readings - readings[0]
    sums = np.vstack([np.zeros((1, readings.shape[1])), np.cumsum(centred, axis=0)])
    squares = np.vstack([np.zeros((1, readings.shape[1])), np.cumsum(centred**2, axis=0)])
    rows = np.arange(len(readings))
    first = np.maximum(rows - length, 0)
    count = np.maximum(rows - first, 1)[:, None]
    mean = (sums[rows] - sums[first]) / count
    variance = np.maximum((squares[rows] - squares[first]) / count - mean**2, 0)
    return mean + readings[0], np.sqrt(variance)


def random_score(times: Floats, _readings: Floats) -> Floats:
    """Return chance: what any detector has to beat."""
    return np.random.default_rng(len(times)).random(len(times))


def periodic(times: Floats, _readings: Floats) -> Floats:
    """Raise an alarm every so often without looking."""
    return np.asarray(np.arange(1, len(times) + 1) % _PERIOD == 0, dtype=np.float64)


def _together(found: Floats) -> Floats:
    return np.asarray(found.mean(axis=1))


RIVALS: Mapping[str, Rival] = {
    "seed": seed,
    "netdata": netdata,
    "grafana": grafana,
    "ew_z": ew_z,
    "random": random_score,
    "periodic": periodic,
}
