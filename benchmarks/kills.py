"""What survives kill -9: the whole product, and the writers of its log and journal.

    python -m benchmarks kills --set kills=100 --set seed=1 --set writer_kills=1000
                               --set database=postgresql

Every kill is SIGKILL of a real process, which is started again at once. What is counted as lost,
executed twice or stuck is told in tests/support/kill_history.py. The recovery is the time from the
start of the process to its first useful answer: the control plane is ready, the executor answers,
the control plane holds a sample that the new collector took.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import kill_harness, kill_writing


def run(options: Mapping[str, str]) -> dict[str, Any]:
    """Kill and count."""
    seed = int(options.get("seed", "1"))
    kills, writer_kills = int(options.get("kills", "100")), int(options.get("writer_kills", "0"))
    figures: dict[str, Any] = {"seed": seed, "database": options.get("database", "sqlite")}
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        directory = Path(place)
        if kills:
            wish = kill_harness.Wish(
                kills=kills,
                seed=seed,
                hosts=int(options.get("hosts", str(kill_harness.HOSTS))),
                database=options.get("database", "sqlite"),
                bug=options.get("bug", ""),
            )
            report = kill_harness.run(directory, wish)
            found = [f"{one.rule}: {one.detail}" for one in report.findings]
            figures |= {**report.figures(), "aim_recovery_s": 5, "findings": found[:20]}
        for kind in ("log", "journal") if writer_kills else ():
            figures[f"writers_of_{kind}"] = kill_writing.run(
                kind, kills=writer_kills // 2, seed=seed, directory=directory
            )
    return figures
