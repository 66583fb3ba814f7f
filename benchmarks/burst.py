"""Faults on many hosts in one moment: what a healthy host and the last incident wait meanwhile.

    python -m benchmarks burst --set hosts=80

A real control plane process over TLS 1.3 on loopback. Each of `hosts` pretended hosts sends a
sample of 60 readings with a full disk at once; another one goes on sending calm samples, twenty a
second at most. Limits of the figures: hosts and control plane on the same cores.
"""

import pathlib
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx

from benchmarks import fleet_host, order_latency
from tests.support.centre_process import Host

CALM = {key: level for key, (level, _) in fleet_host.SHAPE.items()}
FULL = {**CALM, fleet_host.FULL: fleet_host.FULL_PERCENT}
UNDECIDED = frozenset({"OPEN", "ANALYZING"})
GIVE_UP_S = 300.0
_PAUSE_S = 0.05  # between two calm samples
_SETTLE_S = 2.0


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; option `hosts` (80). Times are seconds of wall time, or as their names say."""
    many = int(options.get("hosts", 80))
    with (
        tempfile.TemporaryDirectory() as place,
        order_latency.proven_centre(pathlib.Path(place)) as centre,
    ):
        hosts = [centre.enrol(f"host-{number:03}") for number in range(many)]
        healthy = centre.enrol("healthy")
        for host in (*hosts, healthy):
            host.push(CALM)
        time.sleep(_SETTLE_S)
        waited, over = list[float](), threading.Event()
        calm = threading.Thread(target=_go_on, args=(healthy, waited, over))
        calm.start()
        admin, began = centre.login("admin@local"), time.perf_counter()
        answers = _fail_together(hosts)
        _until_decided(admin, many)
        decided_s = time.perf_counter() - began
        over.set()
        calm.join()
    waited.sort()
    return {
        "hosts": many,
        "faulty_sample_to_answer_s": {
            "p50": round(statistics.median(answers), 2),
            "max": round(max(answers), 2),
        },
        "all_decided_s": round(decided_s, 1),
        "healthy_sample_to_answer_ms": {
            "samples": len(waited),
            "p50": round(statistics.median(waited) * 1000, 1),
            "p95": round(waited[int(len(waited) * 0.95)] * 1000, 1),
            "max": round(waited[-1] * 1000, 1),
        },
    }


def _go_on(host: Host, waited: list[float], over: threading.Event) -> None:
    while not over.is_set():
        began = time.perf_counter()
        host.push(CALM)
        waited.append(time.perf_counter() - began)
        time.sleep(_PAUSE_S)


def _fail_together(hosts: list[Host]) -> list[float]:
    """Let all of them fail; return how long each waited for the answer."""
    answers: list[float] = []

    def fail(host: Host) -> None:
        began = time.perf_counter()
        host.push(FULL)
        answers.append(time.perf_counter() - began)

    threads = [threading.Thread(target=fail, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _until_decided(admin: httpx.Client, many: int) -> None:
    """Wait until so many incidents are decided. Raises RuntimeError where they never are."""
    until = time.perf_counter() + GIVE_UP_S
    while time.perf_counter() < until:
        page = admin.get("/api/v1/incidents", params={"limit": 200}).json()["items"]
        if sum(one["status"] not in UNDECIDED for one in page) >= many:
            return
        time.sleep(_PAUSE_S * 10)
    message = f"not all of {many} incidents were decided within {GIVE_UP_S:g} s"
    raise RuntimeError(message)
