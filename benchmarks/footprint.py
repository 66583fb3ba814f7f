"""What the collector costs its host: memory, processor time, bytes on the wire.

The real process samples this machine once a second for `seconds`, beside `processes` idle processes
and declared volumes, until its sample has about 170 values; its processor time for one sample is
what the kernel counted, and a sample each 30 s costs that share of a core. Bytes are counted in a
relay between the collector and a TLS server on loopback: TLS records, headers and frames. Beside
it: gzip of each sample alone, one sweep with psutil (if it is installed) and a fresh node_exporter
(if it is on the PATH).

Limits of the figures: loopback, one machine, other work beside it; resident memory counts pages
that several processes share (OpenSSL, libc) in full, PSS counts them in proportion.
"""

import gzip
import importlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentienguard.agent import lean
from sentienguard.stages.observe import payload, wire
from tests.support import agent_centre

INTERVAL_S = 30  # at which the product samples; the run itself samples once a second
VALUES = 170  # of the sample that the figures are for
_TICKS = os.sysconf("SC_CLK_TCK")
_WARM_UP = 5  # samples before counting begins: imports, first connection, full frame


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; options `seconds` (45) and `processes` (300).

    Times are milliseconds of processor time, memory is MB of 10**6 bytes, sizes are bytes.
    """
    seconds = int(options.get("seconds") or 45)
    wanted = int(options.get("processes") or 300)
    with tempfile.TemporaryDirectory() as place:
        idle = _idle(wanted - len(_pids()))
        try:
            figures = _collector(Path(place), seconds)
        finally:
            for process in idle:
                process.kill()
            for process in idle:
                process.wait()
    return figures | {"psutil": _psutil(), "node_exporter": _node_exporter()}


def _collector(place: Path, seconds: int) -> dict[str, Any]:
    trust = agent_centre.Trust()
    with (
        agent_centre.Centre(trust.context(place)) as centre,
        agent_centre.Relay(centre.port) as relay,
        agent_centre.PretendExecutor(_made(place / "agent" / "run") / "executor.sock"),
    ):
        centre.hold_s = 600  # the poll for orders stays open and adds no bytes
        agent_centre.enrolled(
            place / "agent",
            trust,
            relay.port,
            interval_s=1,
            volumes=_volumes(place),
            limits={"config_s": 3600, "poll_s": 55},
        )
        process = subprocess.Popen(
            lean.command("collector", place / "agent"),
            env=lean.environment(),
            stderr=subprocess.DEVNULL,
        )
        try:
            return _measured(process.pid, centre, relay, seconds)
        finally:
            process.terminate()
            process.wait()


def _measured(
    pid: int, centre: agent_centre.Centre, relay: agent_centre.Relay, seconds: int
) -> dict[str, Any]:
    assert centre.wait_for(lambda c: len(c.samples) >= _WARM_UP, 60), "no samples arrived"
    first, sent, answered, used = len(centre.order), relay.up, relay.down, _cpu_ms(pid)
    assert centre.wait_for(lambda c: len(c.samples) >= first + seconds, seconds * 3 + 30)
    count = len(centre.order) - first
    cost_ms = (_cpu_ms(pid) - used) / count
    up, down = (relay.up - sent) / count, (relay.down - answered) / count
    chosen = centre.order[first:]
    texts = [centre.texts[number] for number in chosen]
    frames = [len(frame) for frame in centre.frames[first : first + count]]
    values = [len(payload.parse(text).values) for text in texts]
    return {
        "values_in_a_sample": round(statistics.mean(values)),
        "processes_seen": round(centre.samples[chosen[-1]].values["system.processes", ""]),
        "samples": count,
        "rss_mb": round(_memory_kb(pid, "VmRSS") * 1024 / 1e6, 1),
        "rss_peak_mb": round(_memory_kb(pid, "VmHWM") * 1024 / 1e6, 1),
        "pss_mb": round(_pss_kb(pid) * 1024 / 1e6, 1),
        "private_memory_mb": round(_memory_kb(pid, "RssAnon") * 1024 / 1e6, 1),
        "cpu_ms_per_sample": round(cost_ms, 2),
        "cpu_percent_of_a_core_at_30_s": round(cost_ms / 1000 / INTERVAL_S * 100, 4),
        "text_bytes": round(statistics.mean(map(len, texts))),
        "gzip_alone_bytes": round(statistics.mean(len(gzip.compress(text)) for text in texts)),
        "frame_bytes": round(statistics.mean(frames)),
        "frame_bytes_median": round(statistics.median(frames)),
        "frame_bytes_on_a_base_30_s_old": round(statistics.mean(_spaced(centre, chosen))),
        "wire_bytes_up_with_tls_and_headers": round(up),
        "wire_bytes_down_with_tls_and_headers": round(down),
        "frame_to_gzip": round(
            statistics.mean(frames) / statistics.mean(len(gzip.compress(text)) for text in texts), 3
        ),
    }


def _spaced(centre: agent_centre.Centre, numbers: list[int]) -> list[int]:
    """Frame each sample on the one of 30 s before: it differs more than the one of a second ago."""
    pairs = zip(numbers, numbers[INTERVAL_S:], strict=False)
    return [
        len(wire.encode(centre.texts[now], now, base_seq=base, base_text=centre.texts[base]))
        for base, now in pairs
    ] or [0]


def _volumes(place: Path) -> list[dict[str, object]]:
    """Make as many watched directories as a sample of VALUES needs: two values each."""
    here = 26  # what this kind of machine gives of itself: a disk, three interfaces, the rest
    volumes = []
    for number in range((VALUES - here) // 2):
        folder = _made(place / f"volume{number:02d}")
        (folder / "data").write_bytes(bytes(1000 * number))
        volumes.append({"path": str(folder), "budget_bytes": 1_000_000})
    return volumes


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _idle(count: int) -> list[subprocess.Popen[bytes]]:
    argv = [shutil.which("sleep") or "/bin/sleep", "600"]
    return [subprocess.Popen(argv) for _ in range(max(count, 0))]


def _pids() -> list[str]:
    return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def _cpu_ms(pid: int) -> float:
    """Return the processor time of a process so far, from schedstat where the kernel has it."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    if total:
        return total / 1e6
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS * 1000


def _memory_kb(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0])


def _pss_kb(pid: int) -> int:
    """Return the memory of a process with shared pages counted in proportion."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.split("Pss:")[1].split()[0])


def _psutil() -> dict[str, float] | None:
    """Measure one sweep of the same readings with psutil; None where it is not installed."""
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return None

    def sweep() -> float:
        began = time.process_time()
        psutil.cpu_percent()
        psutil.virtual_memory()
        psutil.swap_memory()
        psutil.net_io_counters(pernic=True)
        for part in psutil.disk_partitions():
            psutil.disk_usage(part.mountpoint)
        list(psutil.process_iter(["name", "cpu_times", "memory_info", "status"]))
        return (time.process_time() - began) * 1000

    sweep()
    return {"cpu_ms_per_sweep": round(statistics.median(sweep() for _ in range(10)), 2)}


def _node_exporter() -> dict[str, float] | None:
    """Measure a scrape of node_exporter; None where it is not on the PATH."""
    program = shutil.which("node_exporter") or shutil.which("prometheus-node-exporter")
    if program is None:
        return None
    address = "127.0.0.1:39100"
    process = subprocess.Popen(
        [program, f"--web.listen-address={address}"], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(50):
            try:
                _scrape(address)
                break
            except OSError:
                time.sleep(0.1)
        used = _cpu_ms(process.pid)
        sizes = [_scrape(address) for _ in range(10)]
        return {
            "rss_mb": round(_memory_kb(process.pid, "VmRSS") * 1024 / 1e6, 1),
            "cpu_ms_per_scrape": round((_cpu_ms(process.pid) - used) / len(sizes), 2),
            "bytes_per_scrape": round(statistics.mean(sizes)),
        }
    finally:
        process.terminate()
        process.wait()


def _scrape(address: str) -> int:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return len(answer.read())


if __name__ == "__main__":
    sys.stdout.write(f"{run({})}\n")
