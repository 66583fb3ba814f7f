"""Start one process of the product with a bug planted: `kill_launcher.py BUG ROLE DIRECTORY`.

Called by tests.support.kill_fleet. A bug is planted in the process that it belongs to; the other
two run as they are, through the same launcher.
"""

import logging
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.support import kill_bugs  # noqa: E402 - the path comes first


def main() -> int:
    """Plant, then run until killed."""
    bug, role, directory = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    where, plant = kill_bugs.FULL_STACK[bug]
    if where == role:
        plant()
    if role == "centre":
        from sentienguard.controlplane import app

        logging.basicConfig(level=logging.INFO)
        app.serve(directory)
        return 0
    from sentienguard.agent import collector, executor

    return {"collector": collector.main, "executor": executor.main}[role](directory)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)
