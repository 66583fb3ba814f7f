"""Which drills there are, and what came of them in this data directory.

Called by api.drills. Definitions are asked of a small program of the command line, which owns them,
once. Results lie in files that `sentienguard drill run-all` writes into the data directory: read,
never written.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sentienguard.model import errors

DIRECTORY: Final = "benchmark"  # of the data directory; cli.drills.campaign writes it
MOST_BYTES: Final = 16 << 20
LISTING: Final = (sys.executable, "-m", "sentienguard.cli.drills.listing")
LIST_S: Final = 60.0  # for what takes half a second on an idle machine


class NotAnswered(errors.Unavailable):
    """The program that knows the drills did not answer."""


class DrillReports:
    """Definitions and results."""

    def __init__(self, data: Path, listing: Sequence[str] = LISTING) -> None:
        """Read the results of this data directory; `listing` prints the definitions."""
        self.data = data
        self._listing = tuple(listing)
        self._lock = threading.Lock()
        self._known: list[Mapping[str, Any]] | None = None

    def definitions(self) -> list[Mapping[str, Any]]:
        """Return every drill of this release, by name. Raises NotAnswered."""
        with self._lock:
            if self._known is None:
                self._known = sorted(self._listed(), key=lambda one: str(one["name"]))
            return self._known

    def _listed(self) -> Sequence[Mapping[str, Any]]:
        try:
            asked = subprocess.run(  # noqa: S603  # our own program
                self._listing,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIST_S,
                check=True,
            )
            return list(json.loads(asked.stdout)["items"])
        except subprocess.CalledProcessError as cause:
            said = cause.stderr.decode("utf-8", "replace").strip()[-300:]
            raise NotAnswered(f"which drills there are cannot be read: {said}") from cause
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as cause:
            raise NotAnswered(f"which drills there are cannot be read: {cause}") from cause

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
