"""An evidence package of the founding documents' size: how long, how much memory, how fast checked.

The log is made, written as files, and read by a process of its own, as the command reads it; the
package is then checked by the stand-alone verifier inside. The founding documents give two minutes
for 12,847 rows. Each figure is of one whole process, interpreter and imports included.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sentienguard.adapters.audit_files import export
from tests.support import evidence_logs

ROWS = 12_847  # the package that the founding documents build in two minutes
THEIRS_S = 120.0
PERIOD = ("--from", "2026-02-01", "--to", "2026-12-31")  # all of the log


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure and return figures with their units in their names.

    Options, all optional: `rows` (int), `repeats` (int, medians are taken), `framework`.
    """
    rows = int(options.get("rows", ROWS))
    repeats = int(options.get("repeats", 3))
    framework = str(options.get("framework", "soc2"))
    with tempfile.TemporaryDirectory() as place:
        base = pathlib.Path(place)
        export.write_stored(base / "log", evidence_logs.log_of(rows))
        builds, checks = [], []
        found: dict[str, Any] = {}
        for number in range(repeats):
            out = base / f"package-{number}"
            built, printed = _measured([
                sys.executable, "-m", "sentienguard.cli.main", "evidence", "build", "--json",
                "--framework", framework, *PERIOD, "--log", str(base / "log"), "--out", str(out),
            ])  # fmt: skip
            found = json.loads(printed)
            assert found["entries"] == rows
            checked, _ = _measured([sys.executable, "-I", str(out / "verify_evidence.py"), out])
            builds.append(built)
            checks.append(checked)
        sizes = {path.name: path.stat().st_size for path in (base / "package-0").iterdir()}
        archive = pathlib.Path(found["archive"]).stat().st_size
    seconds = statistics.median(one["wall_s"] for one in builds)
    return {
        "rows": rows,
        "framework": framework,
        "build_wall_s": round(seconds, 2),
        "build_processor_s": round(statistics.median(one["processor_s"] for one in builds), 2),
        "build_peak_memory_mib": max(one["peak_mib"] for one in builds),
        "founding_documents_over_ours": round(THEIRS_S / seconds, 1) if rows == ROWS else None,
        "check_wall_s": round(statistics.median(one["wall_s"] for one in checks), 2),
        "check_peak_memory_mib": max(one["peak_mib"] for one in checks),
        "archive_bytes": archive,
        "bytes": dict(sorted(sizes.items())),
    }


def _measured(argv: Sequence[Any]) -> tuple[dict[str, float], str]:
    """Run a program; return what it took and what it printed."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([str(one) for one in argv], stdout=output, stderr=sys.stderr)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        output.seek(0)
        printed = output.read().decode()
    assert process.returncode == 0, printed
    took = {
        "wall_s": wall,
        "processor_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": round(usage.ru_maxrss / 1024),
    }
    return took, printed
