"""A real Prometheus writes into a running control plane; and what no Prometheus of ours sends."""

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.model.telemetry import Series
from tests.servers import programs, prometheus
from tests.support import centre_process, webhooks
from tests.support import remote_write_bodies as bodies
from tests.support.centre_process import Centre
from tests.support.webhooks import Sender

pytestmark = pytest.mark.integration
UP = {"__name__": "up", "instance": "web-1:9100", "job": "node"}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    limits = {"series_per_host": "50", "series_per_environment": "400"}
    with centre_process.running(tmp_path_factory.mktemp("write"), **limits) as running:
        yield running


@pytest.fixture(scope="module")
def sender(centre: Centre) -> Sender:
    return webhooks.sender(centre, purpose="prometheus")


def now_ms(seconds_ago: float = 0) -> int:
    return int((time.time() - seconds_ago) * 1000)


def write(sender: Sender, body: bytes, kind: str = bodies.V1_TYPE, **more: str) -> httpx.Response:
    headers = {"Content-Type": kind, "Content-Encoding": "snappy", **more}
    return sender.send(bodies.snappy(body), **headers)


def kept(centre: Centre, metric: str, **labels: str) -> dict[int, float]:
    """Return what the store has of one series, read from its file as another process would."""
    place = centre.data / "controlplane/metrics.db"
    copy = centre.data / f"copy-{time.monotonic_ns()}.db"
    with sqlite3.connect(place) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    store = BlockStore(copy)
    try:
        now = datetime.now(UTC)
        [series] = [one for one in store.find(metric) if labels.items() <= dict(one.labels).items()]
        found = store.range(series, now - timedelta(days=40), now + timedelta(hours=1))
        return dict(zip(found.times_ms.tolist(), found.values.tolist(), strict=True))
    finally:
        store.close()


def counted(centre: Centre, name: str) -> int:
    shown = centre.anonymous().get("/metrics").text
    [line] = [one for one in shown.splitlines() if one.startswith(f"sentienguard_{name} ")]
    return int(line.rpartition(" ")[2])


@pytest.mark.skipif(prometheus.missing() is not None, reason=str(prometheus.missing()))
@pytest.mark.timeout(120)
def test_a_real_prometheus_writes_what_it_scrapes(tmp_path: Path) -> None:
    with centre_process.running(tmp_path / "centre") as centre:
        sender = webhooks.sender(centre, purpose="prometheus")
        (tmp_path / "token").write_text(sender.token)
        block = {
            "url": centre.people + sender.path,
            "authorization": {"credentials_file": str(tmp_path / "token")},
            "queue_config": {"batch_send_deadline": "1s"},
            "send_exemplars": True,
            "metadata_config": {"send_interval": "1s"},
        }
        itself = {"job_name": "centre", "static_configs": [{"targets": [centre.people[7:]]}]}
        with prometheus.running(
            tmp_path / "prometheus", scrape=itself, rules=[],
            alertmanager="http://127.0.0.1:9", remote_write=block,
        ) as address:  # fmt: skip
            written = 'outside_points_total{result="written"}'
            programs.wait_for(
                lambda: (
                    written in centre.anonymous().get("/metrics").text
                    and counted(centre, written) > 100
                ),
                "samples",
            )
            time.sleep(3)
            asked = {"query": "up[60s]"}
            [theirs] = httpx.get(f"{address}/api/v1/query", params=asked).json()["data"]["result"]
            sent = httpx.get(f"{address}/metrics").text
        ours = kept(centre, "up", job="centre")
        there = {int(float(at) * 1000): float(value) for at, value in theirs["values"]}
        together = there.keys() & ours.keys()
        assert len(together) >= len(there) - 2, (there, ours)
        assert all(ours[at] == there[at] for at in together)
        name = "prometheus_remote_storage_samples_failed_total"
        [failed] = [line for line in sent.splitlines() if line.startswith(name)]
        assert failed.endswith(" 0")
        assert counted(centre, 'outside_points_total{result="metadata"}') > 0


def test_what_was_written_is_durable_and_named(centre: Centre, sender: Sender) -> None:
    at = now_ms()
    labels = {**UP, "__name__": "named", "subject": "s", "environment": "production", "gone": ""}
    assert write(sender, bodies.v1((labels, [(at, 1.5)]))).status_code == 204
    copy = centre.data / "copy.db"
    with sqlite3.connect(centre.data / "controlplane/metrics.db") as source:
        source.backup(sqlite3.connect(copy))
    store = BlockStore(copy)
    assert store.find("named") == (found := [
        Series("web-1", "named", "", (
            ("environment", "drill"), ("exported_environment", "production"),
            ("exported_subject", "s"), ("instance", "web-1:9100"), ("job", "node"),
        ))
    ]) or list(store.find("named")) == found  # fmt: skip
    store.close()


def test_late_and_repeated_samples_take_their_place(centre: Centre, sender: Sender) -> None:
    at = now_ms()
    labels = {**UP, "__name__": "late"}
    for points in ([(at, 3.0)], [(at - 60_000, 2.0)], [(at, 3.0)],
                   [(at - 120_000, 1.0), (at - 180_000, 0.5)]):  # fmt: skip
        assert write(sender, bodies.v1((labels, points))).status_code == 204
    assert list(kept(centre, "late").values()) == [0.5, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(bodies.STALE, "stale"), (float("nan"), "nan"), (float("inf"), "infinite")],
)
def test_what_is_no_number_is_counted_and_left_out(centre, sender, value, kind) -> None:
    at = now_ms()
    labels = {**UP, "__name__": f"none_{kind}"}
    body = bodies.v2((labels, [(at - 1000, 1.0), (at, value)]))
    answer = write(sender, body, bodies.V2_TYPE)
    assert answer.status_code == 204
    assert answer.headers["x-prometheus-remote-write-samples-written"] == "2"
    assert kept(centre, f"none_{kind}") == {at - 1000: 1.0}
    assert counted(centre, f'outside_points_total{{result="{kind}"}}') >= 1


@pytest.mark.parametrize("packed", [True, False])
def test_version_2_is_told_how_much_was_written(centre, sender, packed) -> None:
    at = now_ms()
    one, two = ({**UP, "__name__": f"v2_{packed}", "cpu": str(cpu)} for cpu in range(2))
    body = bodies.v2((one, [(at, 1.0), (at - 1, 2.0)]), (two, [(at, 3.0)]), packed=packed)
    answer = write(sender, body, bodies.V2_TYPE)
    assert answer.status_code == 204
    written = {kind: answer.headers[f"x-prometheus-remote-write-{kind}-written"]
               for kind in ("samples", "histograms", "exemplars")}  # fmt: skip
    assert written == {"samples": "3", "histograms": "0", "exemplars": "0"}
    assert kept(centre, f"v2_{packed}", cpu="1") == {at: 3.0}


@pytest.mark.parametrize("days", [-365, -31, 1, 365, 10**7])
def test_a_clock_a_year_off_is_refused_and_the_rest_is_kept(centre, sender, days) -> None:
    at = now_ms()
    name = f"clock_{days + 400}"
    good = ({**UP, "__name__": name}, [(at, 1.0)])
    bad = ({**UP, "__name__": f"{name}_bad"}, [(at + days * 86_400_000, 1.0)])
    answer = write(sender, bodies.v2(bad, good), bodies.V2_TYPE)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "set the sender's clock" in answer.json()["detail"]
    assert answer.headers["x-prometheus-remote-write-samples-written"] == "1"
    assert kept(centre, name) == {at: 1.0}


def test_more_series_of_a_host_than_the_limit_are_refused_counted_and_shown(centre, sender) -> None:
    at = now_ms()
    many = [({**UP, "__name__": f"explosion_{number}", "instance": "bomb:1"}, [(at, 1.0)])
            for number in range(60)]  # fmt: skip
    answer = write(sender, bodies.v1(*many))
    assert answer.status_code == 400
    assert "series_per_host (50)" in answer.json()["detail"]
    assert "10 samples refused, 50 kept" in answer.json()["detail"]
    assert counted(centre, 'outside_points_total{result="over_limit"}') >= 10
    again = write(sender, bodies.v1(*many[:50]))
    assert again.status_code == 204, "series that are known go on"
    other = write(sender, bodies.v1(({**UP, "__name__": "other", "instance": "b:1"}, [(at, 1.0)])))
    assert other.status_code == 204, "other hosts are not punished"
    shown = centre.login("admin@local").get("/api/v1/senders").json()["items"]
    [bomb] = [one for one in shown if one["host"] == "bomb"]
    assert bomb == {"environment": "drill", "host": "bomb", "series": 50, "refused": 10,
                    "limit": 50}  # fmt: skip


BAD: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("not snappy", b"hello", {}, 400, "snappy block"),
    ("no length", b"\xff" * 9, {}, 400, "begin with no length"),
    ("a bomb that lies", b"\xff\xff\xff\xff\x0f" + b"\0" * 20, {}, 413, "at most 16777216"),
    ("a bomb", bodies.snappy(bytes(40 * 1024 * 1024)), {}, 413, "at most 16777216"),
    ("a small bomb", b"\x80\x80\x80\x08" + b"\0" * 50, {}, 400, "that announce"),
    ("truncated", bodies.snappy(bodies.v1((UP, [(1, 1.0)]))[:-3]), {}, 400, "beyond its message"),
    ("a group", bodies.snappy(b"\x0b\x0c"), {}, 400, "wire type 3"),
    ("a long number", bodies.snappy(b"\x08" + b"\xff" * 11), {}, 400, "more than 64 bits"),
    ("gzip", b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415, "content-encoding"),
    ("json", b"{}", {"Content-Type": "application/json"}, 415, "content-type"),
    ("another message", b"", {"Content-Type": "application/x-protobuf;proto=a.B"}, 415, "proto"),
    ("too long", bytes(9 * 1024 * 1024), {}, 413, "at most 8388608"),
    ("no name", bodies.snappy(bodies.v1(({"job": "a"}, [(1, 1.0)]))), {}, 400, "__name__"),
    ("no utf-8", bodies.snappy(bodies.field(1, bodies.field(1, b"\x0a\x01\xff"))), {}, 400,
     "UTF-8"),
    ("long label", bodies.snappy(bodies.v1(({**UP, "a": "x" * 2000}, [(1, 1.0)]))), {}, 400,
     "at most 1024"),
    ("many labels", bodies.snappy(bodies.v1(
        ({**UP, **{f"l{n}": "x" for n in range(99)}}, [(1, 1.0)]))), {}, 400, "at most 64"),
    ("a place beyond", bodies.snappy(bodies.field(4, "") + bodies.field(5, bodies.refs([1, 2]))),
     {"Content-Type": bodies.V2_TYPE}, 400, "places below 1"),
    ("half a pair", bodies.snappy(bodies.field(4, "") + bodies.field(5, bodies.refs([0]))),
     {"Content-Type": bodies.V2_TYPE}, 400, "expected pairs"),
    ("no empty symbol", bodies.snappy(bodies.field(4, "a")), {"Content-Type": bodies.V2_TYPE}, 400,
     "expected an empty text"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "status", "said"), [one[1:] for one in BAD],
                         ids=[one[0] for one in BAD])  # fmt: skip
def test_bad_bodies_are_refused_by_name(sender, body, headers, status, said) -> None:
    plain = {"Content-Type": bodies.V1_TYPE, "Content-Encoding": "snappy"}
    answer = sender.send(body, **{**plain, **headers})
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


def test_killed_after_the_answer_nothing_is_lost(tmp_path: Path) -> None:
    with centre_process.running(tmp_path) as centre:
        sender = webhooks.sender(centre, purpose="prometheus")
        written = {}
        for turn in range(3):
            for number in range(10):
                at = now_ms()
                labels = {**UP, "__name__": "killed", "turn": str(turn), "number": str(number)}
                assert write(sender, bodies.v1((labels, [(at, turn + 0.5)]))).status_code == 204
                written[turn, number] = at
            centre.kill()
            centre.restart()
            sender = Sender(centre.anonymous(), sender.token, sender.token_id, sender.path)
        for (turn, number), at in written.items():
            found = kept(centre, "killed", turn=str(turn), number=str(number))
            assert found == {at: turn + 0.5}


def test_an_empty_body_is_a_probe(sender: Sender) -> None:
    assert write(sender, b"").status_code == 204


def test_a_token_of_another_kind_writes_nothing(centre: Centre) -> None:
    other = webhooks.sender(centre)
    stranger = Sender(centre.anonymous(), other.token, "", "/api/v1/write")
    assert write(stranger, bodies.v1((UP, [(now_ms(), 1.0)]))).status_code == 401
    alone = centre.anonymous().post("/api/v1/write", content=b"x")
    assert alone.status_code == 401


def test_memory_stays_flat_under_bombs(centre: Centre, sender: Sender) -> None:
    def resident_kib() -> int:
        status = Path(f"/proc/{centre.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    tiny = bodies.number(2, 0) * (7 * 1024 * 1024)  # nothing but fields that nobody knows
    bombs = [bytes(15 * 1024 * 1024), tiny, b"".join(bodies.field(4, "") for _ in range(600_000))]
    answers: list[Any] = [write(sender, one) for one in bombs]
    before = resident_kib()
    for _ in range(5):
        answers += [write(sender, one) for one in bombs]
    assert {one.status_code for one in answers} == {400}
    assert resident_kib() - before < 50 * 1024
