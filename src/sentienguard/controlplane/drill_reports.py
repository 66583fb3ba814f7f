"""Which drills there are, and what came of them in this data directory.

Called by api.drills. Definitions are asked of the command line, which owns them, once. Results lie
in files that `sentienguard drill run-all` writes into the data directory: read, never written.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sentienguard.controlplane.errands import Errands

DIRECTORY: Final = "benchmark"  # of the data directory; cli.drills.campaign writes it
MOST_BYTES: Final = 16 << 20


class DrillReports:
    """Definitions and results."""

    def __init__(self, data: Path, desk: Errands) -> None:
        """Read the results of this data directory."""
        self.data = data
        self._desk = desk
        self._lock = threading.Lock()
        self._known: list[Mapping[str, Any]] | None = None

    def definitions(self) -> list[Mapping[str, Any]]:
        """Return every drill of this release, by name. Raises NotAnswered."""
        with self._lock:
            if self._known is None:
                found = self._desk.question("drill", "list")["items"]
                self._known = sorted(found, key=lambda one: str(one["name"]))
            return self._known

    def report(self) -> Mapping[str, Any]:
        """Return the newest report of all drills; empty: none was made here."""
        return _document(self.data / DIRECTORY / "report.json")

    def case(self, name: str) -> Mapping[str, Any]:
        """Return what came of one drill when it ran last; empty: it did not."""
        return _document(self.data / DIRECTORY / "cases" / f"{name}.json")


def _document(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > MOST_BYTES:
            return {}
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
