"""Requests of OpenTelemetry, in JSON, and the same in protocol buffers."""

import struct
from typing import Any

from tests.support.remote_write_bodies import double, field, fixed, number, varint

AT = 1_770_895_560_000_000_000  # 2026-02-12 11:26 UTC
KEY = "stringValue"


def attributes(**said: str) -> list[dict[str, Any]]:
    """Return attributes; `__` in a name stands for a dot."""
    return [{"key": name.replace("__", "."), "value": {KEY: value}} for name, value in said.items()]


def resource(**said: str) -> dict[str, Any]:
    """Return a resource of one service."""
    return {"attributes": attributes(**{"service__name": "shop", "host__name": "web-1", **said})}


def metrics(*found: dict[str, Any], **said: str) -> dict[str, Any]:
    """Return a request with metrics of one resource."""
    scope = {"scope": {"name": "test"}, "metrics": list(found)}
    return {"resourceMetrics": [{"resource": resource(**said), "scopeMetrics": [scope]}]}


def gauge(name: str, value: float, at: int = AT, **said: str) -> dict[str, Any]:
    """Return a gauge of one point."""
    point = {"timeUnixNano": str(at), "asDouble": value, "attributes": attributes(**said)}
    return {"name": name, "unit": "1", "gauge": {"dataPoints": [point]}}


def total(name: str, value: int, at: int = AT, *, temporality: int = 2) -> dict[str, Any]:
    """Return a sum that only grows: cumulative (2) or delta (1)."""
    points = [{"timeUnixNano": str(at), "asInt": str(value)}]
    said = {"dataPoints": points, "aggregationTemporality": temporality, "isMonotonic": True}
    return {"name": name, "sum": said}


def histogram(name: str, at: int = AT) -> dict[str, Any]:
    """Return a histogram of one point: 1 up to 0.5, 2 up to 10, 3 above."""
    point = {"timeUnixNano": str(at), "count": "6", "sum": 42.5, "bucketCounts": ["1", "2", "3"],
             "explicitBounds": [0.5, 10]}  # fmt: skip
    return {"name": name, "histogram": {"dataPoints": [point], "aggregationTemporality": 2}}


def logs(*records: dict[str, Any], **said: str) -> dict[str, Any]:
    """Return a request with log records of one resource."""
    scope = {"logRecords": list(records)}
    return {"resourceLogs": [{"resource": resource(**said), "scopeLogs": [scope]}]}


def record(text: Any, at: int = AT, severity: int = 17) -> dict[str, Any]:
    """Return a log record; of anything but text the body is that value."""
    body = {KEY: text} if isinstance(text, str) else text
    return {"timeUnixNano": str(at), "severityNumber": severity, "body": body}


def spans(service: str, *found: dict[str, Any]) -> dict[str, Any]:
    """Return a request with spans of one service."""
    scope = {"spans": list(found)}
    return {"resourceSpans": [{"resource": resource(service__name=service), "scopeSpans": [scope]}]}


def span(name: str, parent: str = "", kind: int = 2, trace: str = "t", **said: str
         ) -> dict[str, Any]:  # fmt: skip
    """Return a span; ids are short texts, as hex."""
    return {
        "traceId": trace.encode().hex(), "spanId": name.encode().hex(),
        "parentSpanId": parent.encode().hex(), "kind": kind, "attributes": attributes(**said),
    }  # fmt: skip


def _value(value: dict[str, Any]) -> bytes:
    if KEY in value:
        return field(1, value[KEY])
    if "intValue" in value:
        return number(3, int(value["intValue"]))
    if "arrayValue" in value:
        return field(5, b"".join(field(1, _value(one)) for one in value["arrayValue"]["values"]))
    return field(6, b"".join(_attribute(1, one) for one in value["kvlistValue"]["values"]))


def _attribute(place: int, one: dict[str, Any]) -> bytes:
    return field(place, field(1, one["key"]) + field(2, _value(one["value"])))


def _attributes(place: int, parent: dict[str, Any]) -> bytes:
    return b"".join(_attribute(place, one) for one in parent.get("attributes", ()))


def _number_point(point: dict[str, Any]) -> bytes:
    value = fixed(6, int(point["asInt"])) if "asInt" in point else double(4, point["asDouble"])
    return _attributes(7, point) + fixed(3, int(point["timeUnixNano"])) + value


def _histogram_point(point: dict[str, Any]) -> bytes:
    counts = b"".join(struct.pack("<Q", int(one)) for one in point["bucketCounts"])
    bounds = b"".join(struct.pack("<d", one) for one in point["explicitBounds"])
    return (fixed(3, int(point["timeUnixNano"])) + fixed(4, int(point["count"]))
            + double(5, point["sum"]) + field(6, counts) + field(7, bounds))  # fmt: skip


def _metric(metric: dict[str, Any]) -> bytes:
    out = field(1, metric["name"])
    for kind, place in (("gauge", 5), ("sum", 7), ("histogram", 9)):
        if kind in metric:
            body = metric[kind]
            write = _histogram_point if kind == "histogram" else _number_point
            content = b"".join(field(1, write(point)) for point in body["dataPoints"])
            content += number(2, body.get("aggregationTemporality", 0))
            content += number(3, int(body.get("isMonotonic", False)))
            out += field(place, content)
    return out


def _record(record: dict[str, Any]) -> bytes:
    return (fixed(1, int(record["timeUnixNano"])) + number(2, record["severityNumber"])
            + field(5, _value(record["body"])))  # fmt: skip


def _span(span: dict[str, Any]) -> bytes:
    ids = {1: span["traceId"], 2: span["spanId"], 4: span["parentSpanId"]}
    return (b"".join(field(place, bytes.fromhex(one)) for place, one in ids.items())
            + number(6, span["kind"]) + _attributes(9, span))  # fmt: skip


def protobuf(request: dict[str, Any]) -> bytes:
    """Write a request of the functions above as a protocol buffer."""
    [(name, resources)] = request.items()
    kind = name.removeprefix("resource")
    item, write = {"Metrics": ("metrics", _metric), "Logs": ("logRecords", _record),
                   "Spans": ("spans", _span)}[kind]  # fmt: skip
    out = b""
    for one in resources:
        content = field(1, _attributes(1, one["resource"]))
        for scope in one[f"scope{kind}"]:
            content += field(2, b"".join(field(2, write(each)) for each in scope[item]))
        out += field(1, content)
    return out


def partial_success(refused: int, message: str) -> bytes:
    """Write what a request that was taken in part is answered."""
    return field(1, varint(1 << 3) + varint(refused) + field(2, message))
