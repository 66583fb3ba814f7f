"""Many hosts at one control plane: samples with detection on, and an order for each at once.

A real control plane process; `hosts` pretended ones in another process (benchmarks.fleet_load),
each with a key and a certificate of its own from a real enrolment, over mutual TLS 1.3 on loopback.
Each sends 60 readings every 30 s and has a poll for orders open beside, as agents do; the poll
brings the checkpoint of the audit log that the host cosigned last. In a known share of hosts a
volume is full at a known moment; how soon that is an incident is measured twice: until `opened_at`
of the incident, and until the sample's answer, which comes when all is durable.

`speed` sends the same samples that many times as fast, with times that end now, so that an hour of
them takes minutes; nothing is said then of how soon things are noticed.

Limits of the figures: both processes on the same cores, loopback, keys of one machine; orders are
not run, but fetched.
"""

import concurrent.futures
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks import fleet_host, order_latency, process_cost
from sentienguard.adapters.metric_blocks.store import BlockStore
from sentienguard.model.telemetry import Series
from sentienguard.trust import certificates, keys
from tests.support import centre_process

INTERVAL_S = 30.0  # between two samples of a host
ENVIRONMENT = "drill"  # in which a proven remedy runs without a person
ENROLLERS = 4  # threads that enrol hosts
PLANTED = 0.02  # share of hosts with a fault in the run
AIM_P99_MS, AIM_ORDERS_S = 1000, 10
RELEASE_PATIENCE_S = 240.0  # for all incidents to be decided
SETTLES_WITHIN_S, CALM_MS = 30, 100.0  # seconds; processor time in one of them
_LOOK_S = 1.0  # between two looks at the centre: its memory, what it counted


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; options `hosts` (1000), `seconds` (90), `speed` (1), `polls` (1), `orders` (0).

    `orders=1` measures the orders instead; `data=DIR` keeps the centre's directory there.
    """
    hosts = int(options.get("hosts", 1000))
    kept = options.get("data")
    with contextlib.ExitStack() as opened:
        place = Path(kept or opened.enter_context(tempfile.TemporaryDirectory()))
        centre = opened.enter_context(order_latency.proven_centre(place))
        fleet, enrolled_s = enrolled(centre, place, hosts)
        settled(centre.process.pid)
        found: dict[str, Any] = {"hosts": hosts, "enrolled_per_s": round(hosts / enrolled_s)}
        if int(options.get("orders", 0)):
            return found | _orders(centre, place, fleet)
        found |= _samples(centre, place, fleet, options)
    return found


# --- the generator


@dataclass
class Load:
    """The other process, part by part."""

    process: "subprocess.Popen[str]"
    place: Path

    def part(self) -> dict[str, Any]:
        """Wait for the end of a part; return what it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            message = f"the load generator ended with status {self.process.wait()}"
            raise RuntimeError(message)
        said: dict[str, Any] = json.loads(line)
        return said

    def go(self) -> None:
        """Let the next part begin."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def figures(self) -> dict[str, Any]:
        """Return what it wrote at its end."""
        self.process.wait(60)
        found: dict[str, Any] = json.loads(self.place.with_suffix(".out").read_text())
        return found


@contextlib.contextmanager
def loading(place: Path, plan: Mapping[str, Any]) -> Iterator[Load]:
    """Start the generator with a plan; it has read its keys and waits for `go`."""
    path = place / "plan.json"
    path.write_text(json.dumps(plan))
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fleet_load", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        load = Load(process, path)
        load.part()  # keys and certificates are read
        yield load
    finally:
        process.kill()
        process.wait()


def enrolled(
    centre: centre_process.Centre, place: Path, hosts: int
) -> tuple[list[dict[str, str]], float]:
    """Enrol hosts through the API; return them and how long it took."""
    admin = centre.login("admin@local")
    nobody = centre.agent_client(None)
    (place / "hosts").mkdir(exist_ok=True)

    def one(number: int) -> dict[str, str]:
        name = f"host-{number:05}"
        token = admin.post("/api/v1/tokens", json={"environment": ENVIRONMENT}).json()["token"]
        request = certificates.make_request(name)
        seed = os.urandom(32)
        wanted = {
            "token": token,
            "host": name,
            "environment": ENVIRONMENT,
            "tags": {},
            "csr_pem": request.csr_pem.decode(),
            "executor_key": keys.SigningKey.from_seed(seed).public.text,
        }
        answer = nobody.post("/api/v1/enroll", json=wanted)
        answer.raise_for_status()
        chain = place / "hosts" / f"{name}.pem"
        chain.write_bytes(answer.json()["certificate_pem"].encode() + request.key_pem)
        return {
            "agent": answer.json()["agent_id"],
            "name": name,
            "chain": str(chain),
            "seed": seed.hex(),  # of the key with which it cosigns checkpoints
        }

    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(ENROLLERS) as pool:
        fleet = list(pool.map(one, range(hosts)))
    return fleet, time.perf_counter() - began


def settled(pid: int) -> None:
    """Wait until a fresh centre has made its library's vectors, which it does once."""
    for _ in range(SETTLES_WITHIN_S):
        before = process_cost.cpu_ms(pid)
        time.sleep(1)
        if process_cost.cpu_ms(pid) - before < CALM_MS:
            return


def plan_of(
    centre: centre_process.Centre, fleet: Sequence[Mapping[str, str]], **more: Any
) -> dict[str, Any]:
    """Return what the generator is told."""
    address = httpx.URL(centre.agents)
    return {
        "authority": str(centre.data / "controlplane/tls/ca.pem"),
        "address": [address.host, address.port],
        "environment": ENVIRONMENT,
        "hosts": list(fleet),
        "seq": 0,
        "planted": PLANTED,
        **more,
    }


# --- samples


@dataclass
class Watch:
    """Looks at the centre's memory while something else goes on."""

    pid: int
    looks: list[tuple[float, float]] = field(default_factory=list)  # seconds, MB resident
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look until the block ends."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        began = time.perf_counter()
        while not self._over.wait(_LOOK_S):
            self.looks.append((time.perf_counter() - began, process_cost.rss_mb(self.pid)))

    def thirds_mb(self) -> list[float]:
        """Return the mean of each third of the time."""
        part = max(len(self.looks) // 3, 1)
        thirds = [self.looks[at * part : (at + 1) * part] for at in range(3)]
        return [round(statistics.mean(mb for _, mb in one), 1) for one in thirds if one]


def _samples(
    centre: centre_process.Centre,
    place: Path,
    fleet: Sequence[Mapping[str, str]],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    pid, hosts = centre.process.pid, len(fleet)
    seconds, speed = float(options.get("seconds", 90)), float(options.get("speed", 1))
    rounds = max(round(seconds * speed / INTERVAL_S), 1)
    live = speed == 1
    first_at = time.time() - (0 if live else (rounds + 1) * INTERVAL_S)
    plan = plan_of(
        centre, fleet, kind="samples", rounds=rounds, interval_s=INTERVAL_S / speed,
        step_s=INTERVAL_S, first_at=first_at, live=live, polls=options.get("polls", "1") != "0",
    )  # fmt: skip
    empty_mb = process_cost.rss_mb(pid)
    with loading(place, plan) as load:
        load.go()
        contact = load.part()
        load.go()
        load.part()
        begun_mb = process_cost.rss_mb(pid)
        watch, spent, ours = Watch(pid), process_cost.cpu_ms(pid), load_cpu(load)
        wall = time.perf_counter()
        with watch.watching():
            load.go()
            load.part()
        wall = time.perf_counter() - wall
        spent, ours = process_cost.cpu_ms(pid) - spent, load_cpu(load) - ours
        load.go()
        told = load.figures()
    planted = _noticed(centre, told["planted"])
    counted = _counted(centre, 'samples_total{result="accepted"}')
    absent = _absent(centre, fleet, rounds + 1)
    steady = rounds * hosts
    grown = watch.looks[-1][1] - begun_mb if watch.looks else 0.0
    return {
        "first_contacts_per_s": round(hosts / contact["took_s"]),
        "samples": {
            "sent_per_s": round(steady / wall, 1),
            "acknowledged": told["sent"],
            "counted_by_the_centre": counted,
            "given_up": told["failed"],
            "acknowledged_and_not_stored": max(absent - told["failed"], 0),
            "late_by_an_interval": told["late"],
            "connections_opened_again": told["again"],
            "problems": told["problems"],
            "answer_ms": spread(told["answers_ms"]),
        },
        "polls": {"answered": told["polls"], "failed": told["polls_failed"]},
        "planted": planted,
        "processor": {
            "centre_s_per_1000_samples": round(spent / steady, 3),
            "generator_s_per_1000_samples": round(ours / steady, 3),
            "centre_share_of_a_core": round(spent / 1000 / wall, 3),
            "generator_share_of_a_core": round(ours / 1000 / wall, 3),
        },
        "memory": {
            "rss_mb_without_hosts": round(empty_mb, 1),
            "rss_mb_after_first_contact": round(begun_mb, 1),
            "rss_kb_per_host_then": round((begun_mb - empty_mb) * 1000 / hosts, 1),
            "rss_mb_by_thirds": watch.thirds_mb(),
            "grown_kb_per_host": round(grown * 1000 / hosts, 1),
            "simulated_hours": round(rounds * INTERVAL_S / 3600, 2),
        },
    }


def load_cpu(load: Load) -> float:
    """Return milliseconds of the generator's processor time so far."""
    return process_cost.cpu_ms(load.process.pid)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, 99th percentile and largest."""
    found = sorted(values)
    if not found:
        return {}
    return {
        "p50": round(statistics.median(found), 1),
        "p99": round(found[min(len(found) - 1, int(len(found) * 0.99))], 1),
        "max": round(found[-1], 1),
    }


def _noticed(
    centre: centre_process.Centre, planted: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Compare what was planted with the incidents that there are."""
    opened = {
        one["host"]: datetime.fromisoformat(one["opened_at"]).timestamp()
        for one in _incidents(centre)
        if (one["metric"], one["subject"]) == fleet_host.FULL
    }
    found = [host for host in planted if host in opened]
    return {
        "faults": len(planted),
        "incidents": len(found),
        "incidents_without_a_fault": len(set(opened) - set(planted)),
        "sample_to_incident_ms": spread([(opened[h] - planted[h]["at"]) * 1000 for h in found]),
        "sample_to_answer_ms": spread([one["answered_ms"] for one in planted.values()]),
        "aim_p99_ms": AIM_P99_MS,
    }


def _incidents(centre: centre_process.Centre) -> list[dict[str, Any]]:
    admin = centre.login("admin@local")
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        where: dict[str, Any] = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = admin.get("/api/v1/incidents", params=where).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return found


def _counted(centre: centre_process.Centre, name: str) -> int:
    text = centre.anonymous().get("/metrics").text
    lines = [line for line in text.splitlines() if line.startswith(f"sentienguard_{name} ")]
    return int(lines[0].rpartition(" ")[2]) if lines else 0


def _absent(centre: centre_process.Centre, fleet: Sequence[Mapping[str, str]], samples: int) -> int:
    """Return how many of the samples that every host was to send are not in the metric store."""
    now = datetime.now(UTC)
    with contextlib.closing(BlockStore(centre.data / "controlplane/metrics.db")) as store:
        series = [Series(one["name"], "system.cpu_percent", "") for one in fleet]
        return sum(
            samples - len(store.range(one, now - timedelta(days=2), now + timedelta(hours=1)))
            for one in series
        )


# --- orders


def _orders(
    centre: centre_process.Centre, place: Path, fleet: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    pid, hosts = centre.process.pid, len(fleet)
    plan = plan_of(centre, fleet, kind="orders", first_at=time.time() - 60)
    with loading(place, plan) as load:
        load.go()
        load.part()  # first contact
        load.go()
        load.part()  # connected
        began, deciding = time.perf_counter(), process_cost.cpu_ms(pid)
        load.go()
        load.part()  # every sample that shows a fault was answered
        opened_s = time.perf_counter() - began
        released = _wait_released(centre, hosts)
        released_s = time.perf_counter() - began
        deciding = process_cost.cpu_ms(pid) - deciding
        # An order that its host does not fetch within three minutes is taken back.
        taken_back = sum(one["status"] == "CLOSED" for one in _incidents(centre))
        load.go()
        load.part()  # connected again
        spent = process_cost.cpu_ms(pid)
        load.go()
        fetched = load.part()
        spent = process_cost.cpu_ms(pid) - spent
        load.go()
        told = load.figures()
    given = told["orders"]
    took = [(got[0][0] - fetched["began_at"]) * 1000 for got in given.values()]
    return {
        "released": released,
        "from_the_faults_to_all_incidents_s": round(opened_s, 1),
        "from_the_faults_to_all_released_s": round(released_s, 1),
        "taken_back_before_hosts_asked": taken_back,
        "hosts_that_got_an_order": len(given),
        "hosts_that_got_a_second_one": sum(len({name for _, name in got}) > 1
                                           for got in given.values()),
        "asked_at_once_to_order_ms": spread(took),
        "all_dispatched_s": round(max(took, default=0.0) / 1000, 2),
        "aim_s": AIM_ORDERS_S,
        "centre_ms_from_fault_to_release": round(deciding / hosts, 2),
        "centre_ms_per_order": round(spent / hosts, 2),
        "problems": told["problems"],
    }  # fmt: skip


def _wait_released(centre: centre_process.Centre, wanted: int) -> int:
    deadline = time.monotonic() + RELEASE_PATIENCE_S
    released = 0
    while released < wanted and time.monotonic() < deadline:
        time.sleep(_LOOK_S)  # a look takes ten milliseconds of the centre's processor
        released = _counted(centre, "orders_released_total")
    return released
