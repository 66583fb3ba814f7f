"""Run kill_writers as the process that it has to be: nothing but what a writer needs, no threads.

Called by tests/kills and benchmarks.kills.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run(kind: str, *, kills: int, seed: int, directory: Path, bug: str = "") -> dict[str, Any]:
    """Return the figures of so many killed writers. Raises RuntimeError with what it said."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.support.kill_writers", "--kind", kind),
            *("--kills", str(kills), "--seed", str(seed), "--directory", str(directory)),
            *(("--bug", bug) if bug else ()),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError as cause:
        raise RuntimeError(f"the writers of the {kind}: {done.stderr[-2000:]}") from cause
    return found
