"""Series for PromQL tests, made from a seed: as OpenMetrics text and as a source of ours."""

import math
import random
import re
from dataclasses import dataclass

import numpy as np

from sentienguard.ports.metric_store import Readings
from sentienguard.stages.observe.promql.source import Found
from sentienguard.stages.observe.promql.tree import Compare

BEGIN_MS = 1_768_473_000_000  # 2026-01-15 10:30:00 UTC: the day changes its hour within the data
EVERY_MS = 15_000
LENGTH = 400  # readings of a whole series: 100 minutes
ZONES = ("a", "b", "c")
BOUNDS = ("0.1", "0.5", "1", "2.5", "+Inf")


@dataclass(frozen=True)
class Made:
    """One series."""

    labels: tuple[tuple[str, str], ...]
    times_ms: np.ndarray
    values: np.ndarray


def made(seed: int = 7) -> list[Made]:
    """Return the series, sorted by their labels."""
    dice = random.Random(seed)
    found = [
        *_gauges(dice), *_counters(dice), *_levels(dice), *_histograms(dice), *_odd(dice),
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.labels)


def openmetrics(series: list[Made]) -> str:
    """Return the text that promtool makes blocks from."""
    rows = []
    for one in series:
        name = dict(one.labels)["__name__"]
        pairs = ",".join(f'{key}="{value}"' for key, value in one.labels if key != "__name__")
        for at, value in zip(one.times_ms.tolist(), one.values.tolist(), strict=True):
            rows.append(f"{name}{{{pairs}}} {_number(value)} {at / 1000:.3f}")
    return "\n".join(rows) + "\n# EOF\n"


class Memory:
    """A source that has all series at hand."""

    def __init__(self, series: list[Made]) -> None:
        self._series = series

    def select(self, matchers, most):
        return [
            Found(one.labels, one)
            for one in self._series
            if all(_matches(dict(one.labels).get(m.name, ""), m) for m in matchers)
        ]

    def read(self, series, first_ms, last_ms, aspect):
        found = []
        for one in series:
            times = one.key.times_ms
            part = slice(times.searchsorted(first_ms), times.searchsorted(last_ms, "right"))
            found.append(Readings(times[part], one.key.values[part]))
        return found


def _matches(value, matcher):
    match matcher.how:
        case Compare.EQUAL:
            return value == matcher.value
        case Compare.DIFFERS:
            return value != matcher.value
        case Compare.MATCHES:
            return re.fullmatch(matcher.value, value) is not None
        case Compare.NO_MATCH:
            return re.fullmatch(matcher.value, value) is None


def _number(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _series(name, labels, times, values):
    pairs = tuple(sorted({"__name__": name, **labels}.items()))
    return Made(pairs, np.array(times, dtype=np.int64), np.array(values, dtype=np.float64))


def _clock(dice, *, late=0, missing=()):
    """Return times with some jitter, some on the dot, and holes."""
    return [
        BEGIN_MS + number * EVERY_MS + dice.choice((0, 0, 0, dice.randrange(-900, 900)))
        for number in range(late, LENGTH)
        if not any(first <= number < last for first, last in missing)
    ]


def _gauges(dice):
    for zone in ZONES:
        for host in ("h1", "h2", "h3"):
            holes = [(100, 104), (200, 230)] if host == "h2" else []
            times = _clock(dice, missing=holes, late=50 if (zone, host) == ("c", "h3") else 0)
            value, values = 40.0, []
            for _ in times:
                value += dice.gauss(0, 3)
                values.append(round(value, dice.choice((0, 1, 3))))
            labels = {"zone": zone, "host": f"{host}-{zone}", "job": "node"}
            yield _series("temperature", labels, times, values)


def _counters(dice):
    for zone in ZONES:
        for code in ("200", "404", "500"):
            times, value, values = _clock(dice, missing=[(310, 340)]), 0.0, []
            if zone == "b":
                value = 1e6
            for _ in times:
                value = 0.0 if dice.random() < 0.015 else value + dice.choice((0, 0, 1, 2.5, 40))
                values.append(value)
            labels = {"zone": zone, "code": code, "job": "web"}
            yield _series("requests_total", labels, times, values)


def _levels(dice):
    for zone in ZONES:
        for unit in ("x", "y"):
            times = _clock(dice)
            values = [float(dice.randrange(-2, 4)) for _ in times]
            yield _series("level", {"zone": zone, "unit": unit}, times, values)
        yield _series("capacity", {"zone": zone, "tier": f"t-{zone}"}, (t := _clock(dice)),
                      [100.0] * len(t))  # fmt: skip
        yield _series("capacity_limit", {"zone": zone}, (t := _clock(dice)), [0.0] * len(t))


def _histograms(dice):
    for zone in ZONES:
        times = _clock(dice)
        counts = dict.fromkeys(BOUNDS, 0.0)
        rows = {bound: [] for bound in BOUNDS}
        for _ in times:
            for _ in range(dice.randrange(4)):
                took = dice.expovariate(1.3)
                for bound in BOUNDS:
                    counts[bound] += took <= float(bound)
            for bound in BOUNDS:
                rows[bound].append(counts[bound])
        for bound in BOUNDS:
            yield _series("took_bucket", {"zone": zone, "le": bound}, times, rows[bound])


def _odd(dice):
    times = _clock(dice)
    strange = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e10, -1e-300, 5.0, 5.0, 5.0]
    yield _series("odd", {"zone": "a"}, times, [dice.choice(strange) for _ in times])
    yield _series("odd", {"zone": "b"}, times, [dice.choice(strange[:3]) for _ in times])
    yield _series("stamp", {"zone": "a"}, times, [dice.uniform(0, 2e9) for _ in times])
    yield _series("stamp", {"zone": "b"}, times, [dice.uniform(-1e8, 1e8) for _ in times])
    brief = times[20:24]
    yield _series("brief", {"zone": "a"}, brief, [1.0, 2.0, 4.0, 3.0])
    yield _series("large", {"zone": "a"}, times, [1e12 + dice.randrange(9) for _ in times])
