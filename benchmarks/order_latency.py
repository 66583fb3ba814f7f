"""From the sample that shows a fault to the signed order in the host's hands.

Called by benchmarks.decision. A real control plane process over TLS 1.3 on loopback; the host is
pretended by this process, with real keys: it has a long poll open, pushes the sample of a full
disk, and stops its watch when the poll brings the order. Everything in between counts: ingest,
durable readings, judgement, incident, evidence, matching, policy, audit intent, release, signing,
delivery.
"""

import contextlib
import statistics
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.support import centre_process

REMEDY = PlaybookName("disk_cleanup_rotated_logs")
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}


def measure(rounds: int) -> dict[str, Any]:
    """Return the spread over `rounds` hosts, each with one fault, in milliseconds."""
    with tempfile.TemporaryDirectory() as place, proven_centre(Path(place)) as centre:
        return spread(centre, centre, rounds)


def spread(
    centre: centre_process.Centre, polled: centre_process.Centre, rounds: int
) -> dict[str, Any]:
    """Return the same of control planes that run: one takes samples, one is asked for orders."""
    found = sorted(_one(centre, polled, number) for number in range(rounds))
    return {
        "rounds": rounds,
        "p50_ms": round(statistics.median(found), 1),
        "p99_ms": round(found[min(len(found) - 1, int(len(found) * 0.99))], 1),
        "max_ms": round(found[-1], 1),
        "aim_p99_ms": 250,
        "seed_to_decision_ms": 300,
    }


@contextlib.contextmanager
def proven_centre(data: Path) -> Any:
    """Run a control plane in which the remedy of the disk is released without a person."""
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    with centre_process.prepared(data, fleet_budget_per_hour="100000") as start:
        # Proven here by declaration, so that the order is released without a person.
        record = ProvingRecord(
            REMEDY, "1.0.0", digest(stored), (Proven("order-latency", 100, 100),)
        )
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", record)
        with start() as centre:
            yield centre


def _one(centre: centre_process.Centre, polled: centre_process.Centre, number: int) -> float:
    host = centre.enrol(f"host-{number}")
    host.push(CALM)
    asking = replace(host, client=polled.agent_client(host.chain))
    answer: list[tuple[float, Any]] = []

    def poll() -> None:
        brought = asking.poll(f"{number:032x}", wait_s=20)
        answer.append((time.perf_counter(), brought))

    waiting = threading.Thread(target=poll)
    waiting.start()
    time.sleep(0.1)  # the poll is open, as it is on every host nearly all of the time
    sender = centre.another_client(host)
    began = time.perf_counter()
    sender.push(FULL)
    waiting.join(30)
    ended, brought = answer[0]
    if brought["order"] is None:
        raise RuntimeError(f"round {number}: the poll brought no order")
    return (ended - began) * 1000
