"""Alerts accepted durably: with group commit, and with a commit for each, in one run.

    python -m benchmarks ingest [--set seconds=10] [--set senders=128]

A real control plane process, pinned to one processor, serves the webhook of Alertmanager on
loopback; this process, pinned to another one, keeps `senders` connections open (HTTP/1.1,
keep-alive), each with one request under way: one alert in a body of about 700 bytes, every alert a
different one. An alert counts when its 200 has been read, and 200 comes after the commit that holds
it (write-ahead log, synchronous=FULL). What the control plane does with what it took goes on
meanwhile on the same processor: every alert names a host that is not enrolled, so it is kept,
dealt with and counted, and opens no incident. At the end the inbox is read: it has to hold every
alert that was acknowledged.

The second row is the same process with `alert_commit: 1`. The third sends fifty alerts in a body,
as Alertmanager does with a group. The sender has to be faster than what it measures: its own share
of its processor is shown. Where others work on the machine too, `accepted_per_processor_second` is
what the server took for each second of its processor that it really got.
"""

import asyncio
import contextlib
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from tests.support import centre_process, webhooks

WARM_UP_S = 1.0
SETTLES_WITHIN_S = 120.0


def run(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures."""
    seconds, senders = float(options.get("seconds", "10")), int(options.get("senders", "128"))
    server, sender = _processors()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sender})
    try:
        group = _measure(server, seconds, senders, alerts=1, commit=1000)
        alone = _measure(server, seconds, senders, alerts=1, commit=1)
        bodies = _measure(server, seconds, senders, alerts=50, commit=1000)
    finally:
        os.sched_setaffinity(0, before)
    return {
        "processor_of_server": server,
        "processor_of_senders": sender,
        "senders": senders,
        "seconds": seconds,
        "group_commit": group,
        "one_commit_each": alone,
        "fifty_alerts_in_a_body": bodies,
        "group_over_one_each": round(
            group["accepted_per_second"] / alone["accepted_per_second"], 1
        ),
        "aim_accepted_per_second": 3000,
    }


def _processors() -> tuple[int, int]:
    """Return one processor for the server and another for the senders."""
    found = sorted(os.sched_getaffinity(0))
    if len(found) == 1:
        raise RuntimeError("this needs two processors: one would measure its own sender")
    return found[0], found[1]


def _measure(
    server: int, seconds: float, senders: int, *, alerts: int, commit: int
) -> dict[str, Any]:
    limits = {"alerts_per_second": "1000000", "alert_backlog": "10000000"}
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as opened:
        data = Path(place)
        with _pinned(server):
            centre = opened.enter_context(
                centre_process.running(data, alert_commit=str(commit), **limits)
            )
        holder = webhooks.sender(centre)
        load = _Load(centre.people, holder.token, alerts, deadline=seconds)
        used = _processor_seconds(os.getpid())
        served = _processor_seconds(centre.process.pid)
        asyncio.run(load.run(senders))
        spent = _processor_seconds(os.getpid()) - used
        served = _processor_seconds(centre.process.pid) - served
        kept = _kept(data / "controlplane/sentienguard.db")
        if kept < load.acknowledged:
            raise RuntimeError(f"{load.acknowledged} acknowledged, {kept} in the inbox")
    counted = sorted(load.waits)
    whole = WARM_UP_S + seconds
    return {
        "accepted_per_second": round(alerts * len(counted) / seconds),
        "requests_per_second": round(len(counted) / seconds),
        "accepted_per_processor_second": round(load.acknowledged / max(served, 0.01)),
        "p50_ms": round(1000 * statistics.median(counted), 2),
        "p99_ms": round(1000 * counted[int(len(counted) * 0.99)], 2),
        "acknowledged": load.acknowledged,
        "in_the_inbox": kept,
        "busy_server": round(served / whole, 2),
        "busy_senders": round(spent / whole, 2),
    }


@contextlib.contextmanager
def _pinned(processor: int) -> Iterator[None]:
    """Start processes on this processor; they and their threads stay there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _kept(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reading:
        [found] = reading.execute("SELECT count(*) FROM alerts").fetchone()
        return int(found)


class _Load:
    """Senders that each wait for their answer before the next request."""

    def __init__(self, address: str, token: str, alerts: int, deadline: float) -> None:
        self._host, _, port = address.removeprefix("http://").rpartition(":")
        self._port = int(port)
        self._token = token
        self._alerts = alerts
        self._deadline = deadline
        self.waits: list[float] = []  # seconds from request to answer, after the warm-up
        self.acknowledged = 0  # alerts, the warm-up included

    async def run(self, senders: int) -> None:
        begins = time.perf_counter() + WARM_UP_S
        await asyncio.gather(
            *(self._send(number, begins, begins + self._deadline) for number in range(senders))
        )

    async def _send(self, sender: int, begins: float, ends: float) -> None:
        reading, writing = await asyncio.open_connection(self._host, self._port)
        number = 0
        while (started := time.perf_counter()) < ends:
            number += 1
            writing.write(self._request(f"s{sender}-{number}"))
            status = await _answer(reading)
            if status != HTTPStatus.OK:
                raise RuntimeError(f"the webhook answered {status}")
            now = time.perf_counter()
            self.acknowledged += self._alerts
            if begins <= started and now <= ends:
                self.waits.append(now - started)
        writing.close()
        with contextlib.suppress(OSError):
            await writing.wait_closed()

    def _request(self, name: str) -> bytes:
        body = msgspec.json.encode(
            webhooks.body(
                *(
                    webhooks.alert(instance=f"{name}-{number}:9100", mountpoint="/srv")
                    for number in range(self._alerts)
                )
            )
        )
        return (
            b"POST %b HTTP/1.1\r\nHost: centre\r\nUser-Agent: Alertmanager/0.25.0\r\n"
            b"Authorization: Bearer %b\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b"
            % (webhooks.PATH.encode(), self._token.encode(), len(body), body)
        )


async def _answer(reading: asyncio.StreamReader) -> int:
    head = await reading.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reading.readexactly(int(length or b"0"))
    return int(head[9:12])
