"""Whether the agent's own settings and program files are still those with which it started.

Called by the executor: its thread looks every LOOK_S, and as soon as the settings were touched;
every poll carries the digests, and while anything differs no order runs. The collector does not
ask here: observation goes on.

Rules:

1. What counts are bytes. A file is hashed again when its size, times or inode changed; touching a
   file is no drift.
2. A drift ends when the bytes are back, or with the next start of the executor: whoever may restart
   it may say what it runs. That start tells the centre of the change, in a signed event.
3. A checkout of the source is its owner's workbench: there the settings alone are watched. They and
   an installed package are watched wherever else the agent runs from.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentienguard.agent import executor_state, settings

LOOK_S: Final = 15.0  # between two looks; a drift has to stop execution within 60 s
GLANCE_S: Final = 1.0  # between two glances at the settings' size and times
PACKAGE: Final = Path(__file__).resolve().parents[1]
_RECORD: Final = "files"  # in the executor's state: what ran last
_MOST_NAMED: Final = 3  # files in a reason

Stamp = tuple[int, int, int, int]  # size, times of content and of inode, inode


@dataclass(frozen=True, slots=True)
class Digests:
    """What an agent runs with."""

    settings: str  # sha256:<hex> of agent.json
    files: str  # of all program files with their names; empty in a checkout

    def fields(self) -> dict[str, str]:
        """Return as members of a poll's status."""
        return {"settings_digest": self.settings, "files_digest": self.files}


class Drift:
    """Knows what this process started with; safe to use from every thread."""

    def __init__(
        self,
        directory: Path,
        state: executor_state.ExecutorState,
        *,
        package: Path = PACKAGE,
    ) -> None:
        """Hash everything once. Raises OSError."""
        self._settings = directory / settings.FILE
        self._package = None if is_checkout(package) else package
        self._lock = threading.Lock()
        self._stamps: dict[Path, Stamp] = {}
        self._hashes: dict[Path, str] = {}
        self._began = self._now()
        self.digests = self._digests(self._began)
        self.since_last = self._since_last(state)
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Return what differed at the last look, for people; None: nothing."""
        return self._reason

    def look(self) -> bool:
        """Compare again; tell whether a drift has just begun."""
        with self._lock:
            now = self._now()
            changed = sorted(
                self._name(path)
                for path in now.keys() | self._began.keys()
                if now.get(path) != self._began.get(path)
            )
            self.digests = self._digests(now)
            before, self._reason = self._reason, _said(changed)
            return self._reason is not None and before is None

    def watch(self, stop: threading.Event, begun: Callable[[str], None]) -> None:
        """Look until `stop` is set; `begun` hears of each drift once."""
        due = time.monotonic() + LOOK_S
        while not stop.wait(GLANCE_S):
            if time.monotonic() < due and not self._touched():
                continue
            if self.look() and (reason := self._reason) is not None:
                begun(reason)
            due = time.monotonic() + LOOK_S

    def _touched(self) -> bool:
        try:
            return _stamp(self._settings) != self._stamps.get(self._settings)
        except OSError:
            return True

    def _now(self) -> dict[Path, str]:
        found = {}
        for path in self._watched():
            try:
                found[path] = self._hash(path)
            except OSError as error:
                found[path] = f"unreadable: {error.strerror}"
        return found

    def _watched(self) -> Iterator[Path]:
        yield self._settings
        if self._package is not None:
            yield from self._package.rglob("*.py")

    def _hash(self, path: Path) -> str:
        stamp = _stamp(path)
        if self._stamps.get(path) != stamp:
            self._hashes[path] = hashlib.sha256(path.read_bytes()).hexdigest()
            self._stamps[path] = stamp
        return self._hashes[path]

    def _digests(self, found: dict[Path, str]) -> Digests:
        files = hashlib.sha256()
        for path in sorted(found.keys() - {self._settings}):
            files.update(f"{found[path]}  {self._name(path)}\n".encode())
        return Digests(
            settings=f"sha256:{found[self._settings]}",
            files="" if self._package is None else f"sha256:{files.hexdigest()}",
        )

    def _name(self, path: Path) -> str:
        if self._package is None or path == self._settings:
            return path.name
        return str(path.relative_to(self._package.parent))

    def _since_last(self, state: executor_state.ExecutorState) -> str | None:
        """Return what changed since the start before, for people, and keep what runs now."""
        now, before = self.digests.fields(), state.get(_RECORD)
        if before == now:
            return None
        state.keep(_RECORD, dict(now))
        changed = sorted(name for name in now if before and before.get(name) != now[name])
        return f"changed since the executor last started: {', '.join(changed)}" if changed else None


def is_checkout(package: Path) -> bool:
    """Tell whether the package lies in a checkout of its source."""
    return (package.parent.parent / "pyproject.toml").is_file()


def _stamp(path: Path) -> Stamp:
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


def _said(changed: list[str]) -> str | None:
    if not changed:
        return None
    more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
    return (
        f"changed since the executor started: {', '.join(changed[:_MOST_NAMED])}{more}; put it"
        " back, or restart the executor to run with it"
    )
