"""OpenTelemetry over HTTP against a running control plane: encodings, gzip, what is refused."""

import gzip
import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentienguard.adapters.metric_blocks.store import BlockStore
from tests.support import centre_process, webhooks
from tests.support import otlp_bodies as bodies
from tests.support.centre_process import Centre
from tests.support.remote_write_bodies import varint
from tests.support.webhooks import Sender

pytestmark = pytest.mark.integration
PROTOBUF, JSON = "application/x-protobuf", "application/json"
both_encodings = pytest.mark.parametrize("media", [PROTOBUF, JSON])


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("otlp"), series_per_host="40") as running:
        yield running


@pytest.fixture(scope="module")
def sender(centre: Centre) -> Sender:
    return webhooks.sender(centre, purpose="otlp")


def now_ns() -> int:
    return int(time.time() * 1000) * 1_000_000


def send(sender: Sender, path: str, request: Any, media: str = JSON, *, zipped: bool = False,
         **more: str) -> httpx.Response:  # fmt: skip
    if isinstance(request, bytes):
        content = request
    else:
        content = json.dumps(request).encode() if media == JSON else bodies.protobuf(request)
    headers = {"Content-Type": media, "Authorization": f"Bearer {sender.token}", **more}
    if zipped:
        content, headers["Content-Encoding"] = gzip.compress(content), "gzip"
    return sender.client.post(path, content=content, headers=headers)


def kept(centre: Centre, metric: str) -> list[tuple[dict[str, str], list[float]]]:
    """Return what the store has of a metric: labels and readings of each series."""
    copy = centre.data / f"copy-{time.monotonic_ns()}.db"
    with sqlite3.connect(centre.data / "controlplane/metrics.db") as source:
        source.backup(sqlite3.connect(copy))
    store = BlockStore(copy)
    try:
        now = datetime.now(UTC)
        return [
            ({"host": one.host, **dict(one.labels)},
             store.range(one, now - timedelta(days=1), now + timedelta(hours=1)).values.tolist())
            for one in store.find(metric)
        ]  # fmt: skip
    finally:
        store.close()


@both_encodings
@pytest.mark.parametrize("zipped", [False, True])
def test_metrics_are_durable_when_answered(centre, sender, media, zipped) -> None:
    name = f"queue_{media[-4:]}_{zipped}"
    answer = send(sender, "/v1/metrics", bodies.metrics(bodies.gauge(name, 4.5, now_ns())), media,
                  zipped=zipped)  # fmt: skip
    assert (answer.status_code, answer.headers.get("content-type", media)) == (200, media)
    assert answer.content == (b"{}" if media == JSON else b"")
    [(labels, values)] = kept(centre, name)
    assert labels == {"host": "web-1", "service_name": "shop", "environment": "drill"}
    assert values == [4.5]


def test_a_sum_that_is_sent_as_what_was_added_is_a_counter(centre, sender) -> None:
    at = now_ns()
    for step, added in ((0, 3), (1, 4), (1, 4), (2, 5)):  # one of them is sent again
        metric = bodies.total("added", added, at + step * 10**9, temporality=1)
        assert send(sender, "/v1/metrics", bodies.metrics(metric)).status_code == 200
    assert kept(centre, "added_total")[0][1] == [3.0, 7.0, 12.0]


def test_a_histogram_is_buckets_sum_and_count(centre, sender) -> None:
    request = bodies.metrics(bodies.histogram("seconds", now_ns()))
    assert send(sender, "/v1/metrics", request, PROTOBUF).status_code == 200
    buckets = {labels["le"]: values for labels, values in kept(centre, "seconds_bucket")}
    assert buckets == {"0.5": [1.0], "10": [3.0], "+Inf": [6.0]}
    assert kept(centre, "seconds_sum")[0][1] == [42.5]


@both_encodings
def test_what_is_refused_is_told_as_a_partial_success(centre, sender, media) -> None:
    far = bodies.gauge("far", 1.0, now_ns() + 365 * 86_400 * 10**9)
    name = f"near_{media[-4:]}"
    request = bodies.metrics(far, bodies.gauge(name, 2.0, now_ns()))
    answer = send(sender, "/v1/metrics", request, media)
    assert answer.status_code == 200
    if media == JSON:
        partial = answer.json()["partialSuccess"]
        assert partial["rejectedDataPoints"] == "1"
        assert "set the sender's clock" in partial["errorMessage"]
    else:
        said = answer.content.partition(b"web-1")[2]
        message = answer.content[answer.content.index(b"web-1") :].decode()
        assert answer.content == bodies.partial_success(1, message), said
    assert kept(centre, name)[0][1] == [2.0]


def test_series_beyond_the_limit_are_refused_and_the_others_go_on(centre, sender) -> None:
    many = [bodies.gauge(f"explosion_{number}", 1.0, now_ns()) for number in range(60)]
    request = bodies.metrics(*many, host__name="bomb")
    partial = send(sender, "/v1/metrics", request).json()["partialSuccess"]
    assert partial["rejectedDataPoints"] == "20"
    assert "series_per_host (40)" in partial["errorMessage"]


@both_encodings
def test_log_lines_are_kept_without_secrets_and_shown(centre, sender, media) -> None:
    service = f"log-{media[-4:]}"
    text = "login failed password=hunter2 \x1b[2J for bob"
    request = bodies.logs(bodies.record(text, now_ns()), service__name=service)
    assert send(sender, "/v1/logs", request, media).status_code == 200
    admin = centre.login("admin@local")
    shown = admin.get("/api/v1/outside-logs", params={"host": "web-1"}).json()["items"]
    [found] = [one for one in shown if one["service"] == service]
    assert found["text"] == "login failed password=[redacted]  [2J for bob"
    assert (found["severity"], found["environment"]) == ("error", "drill")
    for file in (centre.data / "controlplane").glob("sentienguard.db*"):
        assert b"hunter2" not in file.read_bytes()


@both_encodings
def test_traces_tell_who_calls_whom(centre, sender, media) -> None:
    caller, callee, trace = f"shop-{media[-4:]}", f"stock-{media[-4:]}", f"t{media[-4:]}"
    requests = [
        bodies.spans(callee, bodies.span("b", "a", trace=trace)),
        bodies.spans(caller, bodies.span("a", kind=3, trace=trace),
                     bodies.span("q", "a", 3, trace, db__system__name="postgresql")),
    ]  # fmt: skip
    for request in requests:
        assert send(sender, "/v1/traces", request, media).status_code == 200
    shown = centre.login("admin@local").get("/api/v1/topology").json()["items"]
    found = {(one["caller"], one["callee"], one["kind"], one["calls"]) for one in shown
             if one["caller"] == caller}  # fmt: skip
    assert found == {(caller, callee, "request", 1), (caller, "postgresql", "database", 1)}
    only = centre.login("admin@local").get("/api/v1/topology", params={"environment": "production"})
    assert only.json()["items"] == []


BAD: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("no json", b"{", {}, 400, "expected a message of OpenTelemetry"),
    ("a list", b"[]", {}, 400, "expected an object, found list"),
    ("deep", b'{"a":' + b"[" * 100_000, {}, 400, "expected a message"),
    ("truncated", b"\x0a\x7f\x00", {"Content-Type": PROTOBUF}, 400, "beyond its message"),
    ("a group", b"\x0b", {"Content-Type": PROTOBUF}, 400, "wire type 3"),
    ("not gzip", b"hello", {"Content-Encoding": "gzip"}, 400, "expected gzip"),
    ("half of gzip", gzip.compress(b"{}" * 100)[:-9], {"Content-Encoding": "gzip"}, 400,
     "ends too early"),
    ("a bomb", gzip.compress(bytes(40 * 1024 * 1024)), {"Content-Encoding": "gzip"}, 413,
     "at most 16777216 bytes unpacked"),
    ("too long", bytes(9 * 1024 * 1024), {}, 413, "at most 8388608"),
    ("brotli", b"x", {"Content-Encoding": "br"}, 415, "content-encoding"),
    ("text", b"x", {"Content-Type": "text/plain"}, 415, "content-type"),
]  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/logs", "/v1/traces"])
@pytest.mark.parametrize("bad", BAD, ids=[one[0] for one in BAD])
def test_bad_bodies_are_refused_by_name(sender, path, bad) -> None:
    _, body, headers, status, said = bad
    answer = send(sender, path, body, headers.get("Content-Type", JSON), **headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


def test_a_token_of_another_kind_pushes_nothing(centre: Centre) -> None:
    other = webhooks.sender(centre, purpose="prometheus")
    assert send(other, "/v1/metrics", bodies.metrics()).status_code == 401
    assert centre.anonymous().post("/v1/logs", content=b"{}").status_code == 401
    assert send(other, "/v1/profiles", {}).status_code in {404, 405}


@pytest.mark.timeout(120)
def test_memory_stays_flat_under_bombs(centre: Centre, sender: Sender) -> None:
    def resident_kib() -> int:
        status = Path(f"/proc/{centre.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    bombs = [
        (JSON, bytes(200 * 1024 * 1024)),
        (JSON, b" " * 15 * 1024 * 1024),
        (JSON, b'{"resourceLogs":[' + b"{}," * 1_000_000 + b"7]}"),
        (PROTOBUF, b"\x0a\x00" * 7_000_000),
        (PROTOBUF, (b"\x0a" + varint(900_000) + b"\x12\x00" * 450_000) * 10),
    ]
    zipped = [(media, gzip.compress(body)) for media, body in bombs]

    def throw() -> set[int]:
        return {
            send(sender, "/v1/logs", body, media, **{"Content-Encoding": "gzip"}).status_code
            for media, body in zipped
        }

    assert throw() == {413, 400}
    before = resident_kib()
    for _ in range(2):
        throw()
    assert resident_kib() - before < 50 * 1024
