"""OpenTelemetry as bytes: both encodings say the same, and what is wrong is refused by itself."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.topology import CallKind, Edge
from sentienguard.stages.observe import otlp_logs, otlp_messages, otlp_metrics, otlp_traces, outside
from sentienguard.stages.observe.outside import Malformed
from tests.support import otlp_bodies as bodies

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
PROTOBUF, JSON = otlp_messages.PROTOBUF, otlp_messages.JSON
READERS: dict[str, Callable[[bytes, str], Any]] = {
    "metrics": otlp_metrics.parse,
    "logs": lambda body, media: otlp_logs.parse(body, media, NOW),
    "traces": otlp_traces.parse,
}
MAP = {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "7"}}]}}
GOOD: dict[str, Any] = {
    "metrics": bodies.metrics(
        bodies.gauge("queue.size", 4.5, queue="a b"), bodies.total("http.requests", 7),
        bodies.histogram("http.duration"),
    ),
    "logs": bodies.logs(bodies.record("it failed: password=hunter2"), bodies.record(MAP)),
    "traces": bodies.spans("shop", bodies.span("a"), bodies.span("b", "a", 3, db__system="redis")),
}  # fmt: skip


def encoded(request: Any, media: str) -> bytes:
    return json.dumps(request).encode() if media == JSON else bodies.protobuf(request)


@pytest.mark.parametrize("kind", GOOD)
def test_both_encodings_say_the_same(kind: str) -> None:
    read = READERS[kind]
    found = read(encoded(GOOD[kind], PROTOBUF), PROTOBUF)
    assert found == read(encoded(GOOD[kind], JSON), JSON)
    assert found.refused == 0


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_metrics_are_named_as_prometheus_has_them(media: str) -> None:
    found = otlp_metrics.parse(encoded(GOOD["metrics"], media), media)
    values = {
        (sent.name, sent.labels.get("le", sent.labels.get("queue", ""))): sent.points[0][1]
        for sent in found.sent
    }
    assert values == {
        ("queue_size", "a b"): 4.5, ("http_requests_total", ""): 7.0,
        ("http_duration_bucket", "0.5"): 1.0, ("http_duration_bucket", "10"): 3.0,
        ("http_duration_bucket", "+Inf"): 6.0, ("http_duration_count", ""): 6.0,
        ("http_duration_sum", ""): 42.5,
    }  # fmt: skip
    [gauge, *_] = found.sent
    assert gauge.labels == {"service_name": "shop", "host": "web-1", "queue": "a b"}
    assert gauge.points[0][0] == bodies.AT // 1_000_000


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({"name": 7, "gauge": {"dataPoints": [{}]}}, "name: expected text, found int"),
        ({"name": "a", "gauge": {"dataPoints": {}}}, "dataPoints: expected a list, found dict"),
        ({"name": "a", "gauge": {"dataPoints": [7]}}, "dataPoints: expected objects, found int"),
        ({"name": "a", "gauge": {"dataPoints": [{"asDouble": "x"}]}}, "asDouble: expected a num"),
        ({"name": "a", "sum": {"dataPoints": [{"asInt": "9" * 21}]}}, "asInt: expected a whole"),
        ({"name": "a", "gauge": {"dataPoints": [{"timeUnixNano": 1.5}]}}, "timeUnixNano: expected"),
        ({"name": "a", "histogram": {"dataPoints": [{"bucketCounts": [1], "explicitBounds": [1]}]}},
         "bucketCounts: expected 2, found 1"),
        ({"name": "a", "exponentialHistogram": {"dataPoints": [{}]}}, "are not kept"),
    ],
)  # fmt: skip
def test_a_wrong_metric_is_refused_by_itself(metric: dict[str, Any], said: str) -> None:
    request = bodies.metrics(bodies.gauge("good", 1.0), metric, bodies.gauge("good", 2.0))
    found = otlp_metrics.parse(json.dumps(request).encode(), JSON)
    assert [sent.name for sent in found.sent] == ["good", "good"]
    assert found.refused == 1
    assert said in found.reasons[0]


def test_a_point_without_a_value_ends_its_series() -> None:
    metric = bodies.gauge("gone", 1.0)
    metric["gauge"]["dataPoints"][0]["flags"] = 1
    [sent] = otlp_metrics.parse(json.dumps(bodies.metrics(metric)).encode(), JSON).sent
    assert outside.is_stale(sent.points[0][1])


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_cannot_write_come_as_text(value: str) -> None:
    metric = bodies.gauge("odd", 1.0)
    metric["gauge"]["dataPoints"][0]["asDouble"] = value
    [sent] = otlp_metrics.parse(json.dumps(bodies.metrics(metric)).encode(), JSON).sent
    assert outside.kind_of(sent.points[0][1]) in {"nan", "infinite"}


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_log_lines_are_redacted_before_anything_keeps_them(media: str) -> None:
    found = otlp_logs.parse(encoded(GOOD["logs"], media), media, NOW)
    first, second = found.lines
    assert first.text == "it failed: password=[redacted]"
    assert (first.host, first.service, first.severity) == ("web-1", "shop", "error")
    assert first.at == NOW
    assert second.text == '{"a":7}'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\x1b[2Jgone\r\nINFO fake", " [2Jgone  INFO fake"),
        ("\x00\x01\u202e", "\ufffd"),
        ("x" * 2_000_000, "x" * 511 + "…"),
        ("", ""),
    ],
)
def test_a_line_is_printable_and_bounded(text: str, line: str) -> None:
    request = json.dumps(bodies.logs(bodies.record(text))).encode()
    [found] = otlp_logs.parse(request, JSON, NOW).lines
    assert found.text == line.strip()
    assert found.text.isprintable()


@pytest.mark.parametrize("at", [0, 1, bodies.AT + 365 * 86_400 * 10**9, 2**63])
def test_a_line_of_no_time_or_a_far_one_is_of_when_it_came(at: int) -> None:
    request = json.dumps(bodies.logs(bodies.record("a", at=at))).encode()
    assert otlp_logs.parse(request, JSON, NOW).lines[0].at == NOW


def calls(*batches: dict[str, Any]) -> dict[tuple[str, str, str], int]:
    links = otlp_traces.Links()
    found: dict[tuple[str, str, str], int] = {}
    for batch in batches:
        spans = otlp_traces.parse(json.dumps(batch).encode(), JSON).spans
        for edge, many in links.add(spans).items():
            name = (edge.caller, edge.callee, edge.kind.value)
            found[name] = found.get(name, 0) + many
    return found


CALLER = bodies.spans("shop", bodies.span("a", kind=3))
CALLEE = bodies.spans("stock", bodies.span("b", "a"))


@pytest.mark.parametrize(
    ("batches", "edges"),
    [
        ((CALLER, CALLEE), {("shop", "stock", "request"): 1}),
        ((CALLEE, CALLER), {("shop", "stock", "request"): 1}),
        ((CALLER, CALLEE, CALLEE, CALLER), {("shop", "stock", "request"): 1}),
        ((CALLER, bodies.spans("mail", bodies.span("c", "a", 5))),
         {("shop", "mail", "message"): 1}),
        ((CALLER, bodies.spans("shop", bodies.span("d", "a"))), {}),
        ((CALLER, bodies.spans("stock", bodies.span("e", "a", trace="u"))), {}),
        ((bodies.spans("shop", bodies.span("f", "", 3, db__system__name="postgresql",
          server__address="db-1")),), {("shop", "postgresql@db-1", "database"): 1}),
        ((bodies.spans("shop", bodies.span("g", "", 2, db__system="redis")),), {}),
    ],
    ids=["in order", "the child first", "sent again", "by message", "within a service",
         "another trace", "a database", "no client"],
)  # fmt: skip
def test_who_calls_whom(batches, edges) -> None:
    assert calls(*batches) == edges


def test_what_waits_for_its_other_half_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_traces, "MAX_WAITING", 10)
    links = otlp_traces.Links()
    for number in range(1000):
        links.add([otlp_traces.Span("t", f"s{number}", f"p{number}", "a", 2)])
        links.add([otlp_traces.Span("t", f"r{number}", "one", "a", 2)])
    assert len(links._services) <= 10
    assert len(links._children) <= 10
    assert max(len(one) for one in links._children.values()) <= otlp_traces.MAX_CHILDREN
    assert links.add([otlp_traces.Span("t", "p999", "", "b", 2)]) == {
        Edge("b", "a", CallKind.REQUEST): 1
    }


def test_a_span_without_a_service_or_an_id_is_refused_by_itself() -> None:
    request = bodies.spans("", bodies.span("a"))
    request["resourceSpans"] += bodies.spans("b", bodies.span(""), bodies.span("c"))[
        "resourceSpans"
    ]
    found = otlp_traces.parse(json.dumps(request).encode(), JSON)
    assert (len(found.spans), found.refused) == (1, 2)
    assert "service.name" in found.reasons[0]


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"[" * 100_000, b"{", b"\xff", b"7"])
def test_what_is_no_message_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        READERS[kind](body, JSON)


def test_values_in_values_are_bounded() -> None:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(100):
        value = {"arrayValue": {"values": [value]}}
    request = bodies.logs(bodies.record(value))
    assert otlp_logs.parse(json.dumps(request).encode(), JSON, NOW).refused == 1
    with pytest.raises(Malformed, match="deep"):
        otlp_logs.parse(bodies.protobuf(request), PROTOBUF, NOW)


TEXT = st.text(max_size=10)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", READERS)
@given(body=st.binary(max_size=200))
def test_noise_is_read_or_refused(kind: str, body: bytes) -> None:
    for media in (PROTOBUF, JSON):
        try:
            READERS[kind](body, media)
        except Malformed:
            continue


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
def test_a_protobuf_with_one_wrong_byte_is_read_or_refused(kind: str, data: Any) -> None:
    body = bytearray(bodies.protobuf(GOOD[kind]))
    for _ in range(3):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        READERS[kind](bytes(body), PROTOBUF)
    except Malformed as refused:
        assert str(refused)  # noqa: PT017  either may be


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else []
    inner = enumerate(value) if isinstance(value, list) else inner
    return [path, *(found for name, one in inner for found in _places(one, (*path, name)))]


def _with(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    if not path:
        return put
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = _with(value[path[0]], path[1:], put)
    return copy


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
def test_a_request_with_one_wrong_member_is_read_or_refused(kind: str, data: Any) -> None:
    place = data.draw(st.sampled_from(_places(GOOD[kind])))
    body = json.dumps(_with(GOOD[kind], place, data.draw(ANY)))
    try:
        READERS[kind](body.encode("utf-8", "surrogatepass"), JSON)
    except Malformed as refused:
        assert str(refused)  # noqa: PT017  either may be
