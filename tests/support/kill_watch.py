"""Read the audit log from its files while it is being written, as a bystander.

Called by tests.support.kill_harness. Asking the control plane would cost it time and would not work
while it is down. What is behind the newest checkpoint may still be cut off by a crash, if nobody
was told that it is durable: then the watch begins again from the first byte.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentienguard.adapters.audit_files import segments
from sentienguard.stages.audit import checkpoint

LOOK_S = 0.015

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that the control plane published."""

    size: int
    root: bytes


@dataclass
class LogWatch:
    """Entries as they appear; `following` makes one."""

    directory: Path
    entries: list[Entry] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    checkpoints: set[Seen] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _offset: int = 0

    def look(self) -> None:
        """Read what is new."""
        with self._changed:
            if self._read_new():
                self._changed.notify_all()

    def note_checkpoint(self) -> None:
        """Remember the newest checkpoint: no later state of the log may contradict it."""
        with contextlib.suppress(FileNotFoundError):
            note = (self.directory / "checkpoint").read_text()
            read = checkpoint.read_text(checkpoint.read_note(note).text)
            self.checkpoints.add(Seen(read.size, read.root))

    def size(self) -> int:
        """Return how many entries were seen."""
        with self._changed:
            return len(self.entries)

    def find(self, wanted: Callable[[Entry], bool], start: int = 0) -> Entry | None:
        """Return the first entry from `start` on that is wanted."""
        with self._changed:
            return next((one for one in self.entries[start:] if wanted(one)), None)

    def wait_for(
        self, wanted: Callable[[Entry], bool], within_s: float, start: int
    ) -> Entry | None:
        """Wait for an entry from `start` on; None where none came."""
        until = time.monotonic() + within_s
        with self._changed:
            while True:
                found = next((one for one in self.entries[start:] if wanted(one)), None)
                left = until - time.monotonic()
                if found is not None or left <= 0:
                    return found
                self._changed.wait(left)

    def _read_new(self) -> bool:
        listed = segments.listed(self.directory / "segments")
        if not listed:
            return False
        file = listed[0][1]  # a run fills no second one
        if file.stat().st_size < self._offset:
            self._offset = 0
            self.entries.clear()
            self.stored.clear()
        with file.open("rb") as opened:
            opened.seek(self._offset)
            parsed = segments.parse(opened.read())
        self._offset += parsed.end
        self.stored += parsed.records
        self.entries += [json.loads(record) for record in parsed.records]
        return bool(parsed.records)


@contextlib.contextmanager
def following(directory: Path) -> Iterator[LogWatch]:
    """Follow the log in a thread for as long as the block lasts."""
    watch, ended = LogWatch(directory), threading.Event()

    def follow() -> None:
        while not ended.wait(LOOK_S):
            watch.look()

    thread = threading.Thread(target=follow, name="log watch")
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()
