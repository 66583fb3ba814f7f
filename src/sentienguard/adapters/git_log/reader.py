"""Read the newest commits of declared repositories.

A commit says nothing of an environment: it counts for every one. When it was committed is not when
it came out, so a diagnosis takes it for less than a deployment (kind `commit`). Texts are as they
were written: the caller redacts them.
"""

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sentienguard.model.evidence import Changed
from sentienguard.ports.clock import Clock

LIMIT_S: Final = 2.0  # of one `git log`
FRESH_S: Final = 30.0  # for so long what was read serves again
MOST: Final = 50  # commits of one repository
_FIELDS: Final = "%H%x1f%ct%x1f%an%x1f%s"
_SEPARATOR: Final = "\x1f"
_LONGEST: Final = 1024 * 1024  # bytes of output that are looked at
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


class GitLog:
    """Commits of repositories by the service that they are of."""

    def __init__(self, repositories: Mapping[str, Path], clock: Clock) -> None:
        """Read these; a repository that cannot be read has no commits."""
        self._repositories = dict(repositories)
        self._clock = clock
        self._lock = threading.Lock()
        self._read: tuple[float, tuple[Changed, ...]] | None = None

    def between(
        self, environment: str, start: datetime, end: datetime, *, limit: int
    ) -> Sequence[Changed]:
        """Return the commits of a time, newest first, whatever the environment."""
        del environment
        found = [one for one in self._commits() if start <= one.at < end]
        return sorted(found, key=lambda one: (one.at, one.id), reverse=True)[:limit]

    def _commits(self) -> tuple[Changed, ...]:
        with self._lock:
            now = self._clock.monotonic()
            if self._read is None or now - self._read[0] > FRESH_S:
                found = [
                    one
                    for service, place in sorted(self._repositories.items())
                    for one in _log(service, place)
                ]
                self._read = (now, tuple(found))
            return self._read[1]


def _log(service: str, place: Path) -> list[Changed]:
    arguments = [
        *("git", "-C", str(place), "-c", "core.fsmonitor=false", "-c", "log.showSignature=false"),
        *("-c", f"safe.directory={place}", "--no-pager", "log", f"--max-count={MOST}"),
        *("--no-color", "--no-show-signature", "--no-ext-diff", f"--format={_FIELDS}", "-z"),
    ]
    try:
        ran = subprocess.run(  # noqa: S603 - a list, and the place is the owner's setting
            arguments,
            capture_output=True,
            check=True,
            env=dict(_ENVIRONMENT),
            stdin=subprocess.DEVNULL,
            timeout=LIMIT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    text = ran.stdout[:_LONGEST].decode("utf-8", "replace")
    read = (_commit(service, record) for record in text.split("\0") if record.strip())
    return [one for one in read if one is not None]


def _commit(service: str, record: str) -> Changed | None:
    parts = record.split(_SEPARATOR)
    if len(parts) != _FIELDS.count("%x1f") + 1 or not parts[1].isdigit():
        return None
    name, at, by, subject = parts
    return Changed(
        id=f"{service} {name.strip()[:40]}",
        at=datetime.fromtimestamp(int(at), UTC),
        service=service,
        kind="commit",
        version=name.strip()[:12],
        by=by[:200],
        summary=subject[:500],
    )
