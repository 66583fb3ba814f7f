"""PromQL over a week of a thousand series: ours beside Prometheus, on the same readings.

    python -m benchmarks queries [--set series=1000] [--set days=7] [--set repeats=5]

The readings (one each minute, random walks and counters of 20 hosts) are written to our metric
store and, as OpenMetrics text through promtool, to a Prometheus. Every question is put to both over
HTTP on loopback, `repeats` times in turn, and answered from a warm disk cache; the answers have to
agree. Ours is the control plane's own application with its login, asked by the same client;
Prometheus asks nobody who they are. Without Prometheus on the path its columns are missing.
"""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import numpy as np

from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Readings
from tests.servers import prometheus
from tests.support import centre_process, promql_compare

EVERY_S = 60
DAY_S = 86_400
HOSTS = 20
Made: TypeAlias = tuple[str, str, str, np.ndarray[Any, Any]]  # name, host, part, values
# name -> expression; `1h` steps over all days for range queries
INSTANT: Mapping[str, str] = {
    "newest of all": "gauge",
    "sum by host": "sum by (host) (gauge)",
    "rate over 5 min": "rate(counter_total[5m])",
    "average over a day": "avg_over_time(gauge[1d])",
    "z-score over 7 days of one host": (
        '(gauge{host="h1"} - avg_over_time(gauge{host="h1"}[7d])) '
        '/ stddev_over_time(gauge{host="h1"}[7d])'
    ),
}
RANGED: Mapping[str, str] = {
    "7 days of one host": 'gauge{host="h1"}',
    "7 days, sum by host": "sum by (host) (gauge)",
    "7 days, rate over 5 min, sum by host": "sum by (host) (rate(counter_total[5m]))",
    "7 days, most of an hour, top 5": "topk(5, max_over_time(gauge[1h]))",
}


def run(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures."""
    count, days = int(options.get("series", "1000")), int(options.get("days", "7"))
    repeats = int(options.get("repeats", "5"))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as opened:
        place = Path(folder)
        # Of the last days: what is older than ninety would be folded meanwhile.
        begin = (round(time.time()) // 3600 - 1) * 3600 - days * DAY_S
        series = _made(count, days)
        ours = opened.enter_context(_ours(place / "ours", series, begin))
        theirs = None
        if prometheus.missing() is None:
            address = opened.enter_context(
                prometheus.holding(place / "prometheus", _openmetrics(series, begin))
            )
            theirs = opened.enter_context(httpx.Client(base_url=address, timeout=120))
        end = begin + days * DAY_S - EVERY_S
        questions = {
            **{name: ("query", {"query": text, "time": end}) for name, text in INSTANT.items()},
            **{
                name: (
                    "query_range",
                    {"query": text, "start": end - days * DAY_S + 3600, "end": end, "step": 3600},
                )
                for name, text in RANGED.items()
            },
        }
        figures = {name: _row(*asked, ours, theirs, repeats) for name, asked in questions.items()}
    return {"series": count, "days": days, "readings": count * days * DAY_S // EVERY_S, **figures}


def _row(
    path: str,
    asked: Mapping[str, Any],
    ours: httpx.Client,
    theirs: httpx.Client | None,
    repeats: int,
) -> dict[str, Any]:
    """Ask both in turn; return the median milliseconds of each."""
    mine, other = [], []
    first = _data(ours, path, asked)
    if theirs is not None:
        differs = promql_compare.difference(asked["query"], first, _data(theirs, path, asked))
        assert differs is None, f"{asked['query']}: {differs}"
    for _ in range(repeats):
        mine.append(_timed(lambda: _data(ours, path, asked)))
        if theirs is not None:
            other.append(_timed(lambda: _data(theirs, path, asked)))
    row = {"ours_ms": round(statistics.median(mine), 1)}
    if other:
        row["prometheus_ms"] = round(statistics.median(other), 1)
        row["ours_over_prometheus"] = round(row["ours_ms"] / row["prometheus_ms"], 2)
    return row


def _timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def _data(client: httpx.Client, path: str, asked: Mapping[str, Any]) -> Any:
    answer = client.post(f"/api/v1/{path}", data=dict(asked))
    assert answer.is_success, answer.text
    return answer.json()["data"]


def _made(count: int, days: int) -> list[Made]:
    """Return name, host, part and values of each series: half gauges, half counters."""
    rng = np.random.default_rng(5)
    length = days * DAY_S // EVERY_S
    made = []
    for number in range(count):
        host, part = f"h{number % HOSTS}", f"p{number // HOSTS}"
        if number % HOSTS < HOSTS // 2:
            made.append(
                ("gauge", host, part, np.round(50 + np.cumsum(rng.normal(0, 1, length)), 1))
            )
        else:
            grown = np.cumsum(rng.integers(0, 50, length)).astype(np.float64)
            made.append(("counter_total", host, part, grown))
    return made


def _openmetrics(made: list[Made], begin_s: int) -> Iterator[str]:
    for name, host, part, values in made:
        labels = f'{name}{{environment="drill",host="{host}",part="{part}"}}'
        for at, value in enumerate(values.tolist()):
            yield f"{labels} {value!r} {begin_s + at * EVERY_S}\n"
    yield "# EOF\n"


@contextlib.contextmanager
def _ours(place: Path, made: list[Made], begin_s: int) -> Iterator[httpx.Client]:
    """Run a control plane that has these readings, and log in."""
    with centre_process.prepared(place):
        pass
    store = BlockStore(place / "controlplane/metrics.db")
    for name, host, part, values in made:
        times = (begin_s + np.arange(len(values), dtype=np.int64) * EVERY_S) * 1000
        key = Series(host, name, "", (("environment", "drill"), ("part", part)))
        store.load(key, Readings(times, values))
    store.close()
    with centre_process.started(place) as centre:
        client = centre.login("admin@local")
        client.timeout = httpx.Timeout(120)
        yield client
