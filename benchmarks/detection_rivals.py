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
_GRAFANA_MULTIPLIER, _GRAFANA_MARGIN = 2.0, 0.5  # standard deviations; part of the average
_GRAFANA_LIVELY = 0.5  # of the average: an hour's spread below this is left out of the mean spread
_GRAFANA_ROWS = 12  # of an hour at least: hourly series have no spread within an hour
_MOST = 1e6  # scores beyond are taken for this, so that one metric's cannot hide the rest for ever
PUBLISHED: Mapping[str, float] = {  # their own limits
    "seed": 5.0, "netdata": 0.99, "netdata_by_time": 0.99, "grafana": 1.0,
}  # fmt: skip


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
        # A metric that never moved has no sigma: the division by zero is nobody's alarm.
        moves = spread > 1e-9 * np.maximum(np.abs(mean), 1e-9)
        found[rows] = np.abs(readings[rows] - mean) / np.where(moves, spread, np.inf)
    return _together(found)


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
    return _together(found)


def netdata(_times: Floats, readings: Floats) -> Floats:
    """Netdata's anomaly bit: k-means of smoothed, lagged differences; anomalous to every model.

    Its second-by-second windows are taken as rows, thinned: files here have thousands of rows. A
    host's score is its anomaly rate, the share of its metrics whose bit is set.
    """
    return _anomaly_rate(readings, _NETDATA_TRAINED, _NETDATA_EACH)


def netdata_by_time(times: Floats, readings: Floats) -> Floats:
    """The same with windows of the published length, six hours each three hours."""
    step = max(float(np.median(np.diff(times[:500]))), 1.0)
    trained = max(round(6 * 3600 / step), 30)
    return _anomaly_rate(readings, trained, trained // 2)


def _anomaly_rate(readings: Floats, trained: int, each: int) -> Floats:
    found = np.stack(
        [_netdata_one(readings[:, one], trained, each) for one in range(readings.shape[1])], axis=1
    )
    return np.asarray(
        (found >= _NETDATA_BIT).mean(axis=1) + 1e-3 * np.minimum(found, 9).mean(axis=1)
    )


def _netdata_one(values: Floats, length: int, each: int) -> Floats:
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
    for start in range(each, len(values), each):
        trained = features[max(0, start - length) : start]
        models = [*models, _k_means(trained)][-_NETDATA_MODELS:]
        rows = features[start : start + each]
        scores = [
            np.abs(_distance(rows, centres) - least) / (most - least)
            if most > least
            else np.zeros(len(rows))  # trained on a constant: it finds nothing
            for centres, least, most in models
        ]
        found[start : start + each] = np.min(scores, axis=0)
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
    """Grafana's adaptive bands, github.com/grafana/promql-anomaly-detection, rules/adaptive.yml.

    An hour's average, two deviations or half of the average about it, the deviation being the mean
    of 26 hours' lively ones; and the same hour a day and a week ago. A reading is normal inside the
    widest band, where its score is below 1. A host's score is the mean over its metrics.
    """
    return _together(np.minimum(_grafana(times, readings), 10.0))


def grafana_share(times: Floats, readings: Floats) -> Floats:
    """The same; a host's score is the share of its metrics that are outside their bands."""
    found = _grafana(times, readings)
    return np.asarray((found >= 1).mean(axis=1) + 1e-3 * np.minimum(found, 9).mean(axis=1))


def _grafana(times: Floats, readings: Floats) -> Floats:
    step = max(float(np.median(np.diff(times[:500]))), 1.0)
    hour = max(round(3600 / step), _GRAFANA_ROWS)
    average, spread = (np.vstack([one[1:], one[-1:]]) for one in _rolling(readings, hour))
    lively = spread > _GRAFANA_LIVELY * np.abs(average)
    total, _ = _rolling(np.where(lively, spread, 0.0), 26 * hour)
    share, _ = _rolling(lively.astype(np.float64), 26 * hour)
    usual = np.where(share > 1e-12, total / np.maximum(share, 1e-12), 0.0)  # noqa: PLR2004  rounding
    reach = np.maximum(_GRAFANA_MULTIPLIER * usual, _GRAFANA_MARGIN * np.abs(average))
    upper, lower = average + reach, average - reach
    for period in (_DAY_S, _WEEK_S):
        ago = max(round((period - 1800) / step), 1)
        if ago < len(times):
            then, wide = average[:-ago], _GRAFANA_MULTIPLIER * spread[:-ago]
            upper[ago:] = np.maximum(upper[ago:], then + wide)
            lower[ago:] = np.minimum(lower[ago:], then - wide)
    found = np.maximum(
        (readings - average) / np.maximum(upper - average, 1e-9),
        (average - readings) / np.maximum(average - lower, 1e-9),
    )
    found[: min(26 * hour, len(times) // 4)] = 0
    return np.asarray(found)


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
    return np.asarray(np.minimum(found, _MOST).mean(axis=1))


RIVALS: Mapping[str, Rival] = {
    "seed": seed,
    "netdata": netdata,
    "netdata_by_time": netdata_by_time,
    "grafana": grafana,
    "grafana_share": grafana_share,
    "ew_z": ew_z,
    "random": random_score,
    "periodic": periodic,
}
