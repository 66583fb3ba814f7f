"""Metrics of OpenTelemetry: to series as Prometheus has them.

Called by controlplane.otlp. Beyond the rules of `outside`:

1. Names: every character that Prometheus does not have becomes `_`, a sum that only grows ends in
   `_total`. Of a resource the attributes `RESOURCE` become labels, of a point all of its own.
2. A histogram is `_bucket` for each bound (label `le`), `_sum` and `_count`; a summary is a series
   for each quantile, `_sum` and `_count`. Sums of what was added are added up (`Sent.is_delta`).
3. Exponential histograms are refused and counted: no query here reads them.
4. A metric that is wrong is refused by itself, and the others are taken.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator
from typing import Final

from sentienguard.stages.observe import otlp_messages as messages
from sentienguard.stages.observe import outside
from sentienguard.stages.observe.otlp_messages import Object
from sentienguard.stages.observe.outside import STALE, Batch, Malformed, Sent

RESOURCE: Final = (
    "service.name", "service.namespace", "service.instance.id", "host.name", "host.id",
    "deployment.environment.name", "cloud.region", "k8s.cluster.name", "k8s.namespace.name",
    "k8s.node.name", "k8s.pod.name", "k8s.deployment.name", "container.name",
)  # fmt: skip
_DELTA: Final = 1  # aggregation temporality
_NO_VALUE: Final = 1  # flag: the series ended
_NS_IN_MS: Final = 1_000_000
_NOT_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_A_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]")
MAX_BUCKETS: Final = 1000
_EXACT: Final = 1e15  # below it a whole number is written without an exponent


def parse(body: bytes, media_type: str) -> Batch:
    """Read an unpacked body. Raises Malformed where it is no message at all."""
    batch = Batch()
    budget = outside.MAX_POINTS
    request = messages.parse(body, media_type, messages.METRICS)
    for resource in messages.items(request, "resourceMetrics"):
        labels = resource_labels(messages.attributes(messages.inner(resource, "resource")))
        for scope in messages.items(resource, "scopeMetrics"):
            for metric in messages.items(scope, "metrics"):
                budget -= _read(batch, metric, labels, budget)
    return batch


def resource_labels(attributes: dict[str, str]) -> dict[str, str]:
    """Return the labels of a resource; where it says of which host it is, `host` too."""
    labels = {label_name(name): attributes[name] for name in RESOURCE if name in attributes}
    if host := labels.pop("host_name", ""):
        labels["host"] = host
    return labels


def label_name(name: str) -> str:
    """Return an attribute's name as a label's."""
    clean = _NOT_A_LABEL.sub("_", name)
    return f"_{clean}" if clean[:1].isdigit() else clean


def metric_name(name: str) -> str:
    """Return a name as Prometheus has them."""
    clean = _NOT_A_NAME.sub("_", name)
    return f"_{clean}" if clean[:1].isdigit() else clean


def _read(batch: Batch, metric: Object, labels: dict[str, str], budget: int) -> int:
    """Add the series of one metric; return how many points it has."""
    many = _count(metric)
    if many > budget:
        raise Malformed(f"body: expected at most {outside.MAX_POINTS} points")
    try:
        name = metric_name(messages.text(metric, "name"))
        found = [sent for kind, read in _KINDS.items() if kind in metric
                 for sent in read(name, messages.inner(metric, kind), labels)]  # fmt: skip
    except (Malformed, RecursionError) as cause:
        batch.refuse(f"metric {str(metric.get('name'))[:80]!a}: {cause}", max(1, many))
        return many
    points = sum(len(sent.points) for sent in found)
    if points > budget:
        raise Malformed(f"body: expected at most {outside.MAX_POINTS} points")
    batch.sent += found
    if "exponentialHistogram" in metric:
        batch.skipped["exponential_histogram"] += many  # rule 3
        batch.refuse(f"metric {name[:80]!a}: exponential histograms are not kept", max(1, many))
    return max(points, many)


def _count(metric: Object) -> int:
    kinds = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
    bodies = [metric[kind] for kind in kinds if isinstance(metric.get(kind), dict)]
    points = [body.get("dataPoints") for body in bodies]
    return sum(len(one) for one in points if isinstance(one, list))


def _numbers(name: str, body: Object, labels: dict[str, str]) -> Iterator[Sent]:
    is_delta = messages.whole(body, "aggregationTemporality") == _DELTA
    for point in messages.items(body, "dataPoints"):
        if point.get("asInt") is not None:
            value = float(messages.whole(point, "asInt"))
        else:
            value = messages.to_number(point.get("asDouble", 0.0), "asDouble")
        yield _sent(name, point, labels, value, is_delta=is_delta)


def _sum(name: str, body: Object, labels: dict[str, str]) -> Iterator[Sent]:
    if body.get("isMonotonic") is True and not name.endswith("_total"):
        name = f"{name}_total"
    return _numbers(name, body, labels)


def _histogram(name: str, body: Object, labels: dict[str, str]) -> Iterator[Sent]:
    is_delta = messages.whole(body, "aggregationTemporality") == _DELTA
    for point in messages.items(body, "dataPoints"):
        bounds = [
            messages.to_number(one, "explicitBounds") for one in _plain(point, "explicitBounds")
        ]
        counts = [messages.to_whole(one, "bucketCounts") for one in _plain(point, "bucketCounts")]
        if counts and len(counts) != len(bounds) + 1:
            raise Malformed(f"bucketCounts: expected {len(bounds) + 1}, found {len(counts)}")
        if len(counts) > MAX_BUCKETS:
            raise Malformed(f"bucketCounts: expected at most {MAX_BUCKETS}, found {len(counts)}")
        edges = [*(_shown(bound) for bound in bounds), "+Inf"]
        for edge, count in zip(edges, itertools.accumulate(counts), strict=False):
            more = {**labels, "le": edge}
            yield _sent(f"{name}_bucket", point, more, float(count), is_delta=is_delta)
        yield from _totals(name, point, labels, is_delta=is_delta)


def _summary(name: str, body: Object, labels: dict[str, str]) -> Iterator[Sent]:
    for point in messages.items(body, "dataPoints"):
        for one in messages.items(point, "quantileValues"):
            quantile = messages.to_number(one.get("quantile", 0.0), "quantile")
            value = messages.to_number(one.get("value", 0.0), "value")
            yield _sent(name, point, {**labels, "quantile": _shown(quantile)}, value)
        yield from _totals(name, point, labels, is_delta=False)


def _totals(name: str, point: Object, labels: dict[str, str], *, is_delta: bool) -> Iterator[Sent]:
    count = float(messages.whole(point, "count"))
    yield _sent(f"{name}_count", point, labels, count, is_delta=is_delta)
    if point.get("sum") is not None:
        total = messages.to_number(point["sum"], "sum")
        yield _sent(f"{name}_sum", point, labels, total, is_delta=is_delta)


_KINDS: Final[dict[str, Callable[[str, Object, dict[str, str]], Iterator[Sent]]]] = {
    "gauge": _numbers,
    "sum": _sum,
    "histogram": _histogram,
    "summary": _summary,
}


def _sent(
    name: str, point: Object, labels: dict[str, str], value: float, *, is_delta: bool = False
) -> Sent:
    own = {label_name(key): said for key, said in messages.attributes(point).items()}
    at_ms = messages.whole(point, "timeUnixNano") // _NS_IN_MS
    if messages.whole(point, "flags") & _NO_VALUE:
        value = STALE
    return Sent(name, own | labels, [(at_ms, value)], is_delta=is_delta)


def _plain(point: Object, name: str) -> list[object]:
    found = point.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Malformed(f"{name}: expected a list, found {type(found).__name__}")
    return found


def _shown(number: float) -> str:
    """Return a number as Prometheus writes it in a label: 1, 0.5, +Inf."""
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return str(int(number)) if number.is_integer() and abs(number) < _EXACT else repr(number)
