"""Run one benchmark and print its figures with the machine they were taken on."""

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAMES: Mapping[str, str] = {
    "audit": "verify, append and prove in the audit log, beside a hash chain and signatures",
    "burst": "faults on many hosts in one moment, and who waits for them",
    "demo": "make demo on a fresh clone with nothing cached, and once more",
    "decision": "judge, match, decide; and from a sample to the order on the host",
    "detection": "labelled series (--data) beside rivals, ramps, cost; made series",
    "diagnosis": "root cause without a model on public data, beside a baseline (out: predictions)",
    "dispatch": "an order that waits for each of many hosts, all asking in one moment",
    "evidence": "an evidence package of 12,847 rows built and checked, and its peak memory",
    "execution": "admission, pre-checks, five steps with checks, beside subprocesses and peers",
    "fleet": "thousands of hosts over mutual TLS at one control plane; an order for each at once",
    "footprint": "memory, processor and wire bytes of the agent, beside gzip and psutil",
    "kills": "what survives kill -9 of the whole product, and of the log's and journal's writers",
    "ingest": "alerts of Alertmanager accepted durably, beside one commit for each",
    "matching": "alerts to remedies and how sure, beside BM25 and MiniLM alone (needs --data)",
    "queries": "PromQL over a week of a thousand series, beside Prometheus",
    "replicas": "PostgreSQL beside SQLite and files, and how soon another replica goes on",
    "statsd": "messages of StatsD that an agent takes in a second, and its memory meanwhile",
    "rulebook": "alert to playbook, and alerts lost under kill -9, beside ansible-rulebook",
}


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="; ".join(f"{name}: {sentence}" for name, sentence in NAMES.items()),
    )
    parser.add_argument("name", choices=sorted(NAMES))
    parser.add_argument("--data", type=Path, help="directory with data that the benchmark reads")
    parser.add_argument("--out", type=Path, help="write the figures there as JSON as well")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    wanted = parser.parse_args()
    options = dict(pair.partition("=")[::2] for pair in wanted.set)
    if wanted.data:
        options["data"] = str(wanted.data)
    benchmark = importlib.import_module(f"benchmarks.{wanted.name}")
    own_out = getattr(benchmark, "WRITES_OUT", False)  # it says itself what it writes there
    if wanted.out and own_out:
        options["out"] = str(wanted.out)
    figures = benchmark.run(options)
    document = {"benchmark": wanted.name, "machine": machine(), "figures": figures}
    text = json.dumps(document, indent=2, sort_keys=False)
    if wanted.out and not own_out:
        wanted.out.write_text(text + "\n")
    print(text if wanted.json else "\n".join(_lines(document)))
    return 0


def machine() -> dict[str, Any]:
    """Say what was measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    total_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(total_kib / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _lines(value: Any, depth: int = 0) -> list[str]:
    lines: list[str] = []
    for name, found in value.items():
        if isinstance(found, Mapping):
            lines += [f"{'  ' * depth}{name}", *_lines(found, depth + 1)]
        else:
            shown = f"{found:.4g}" if isinstance(found, float) else found
            lines.append(f"{'  ' * depth}{name:<40} {shown}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
