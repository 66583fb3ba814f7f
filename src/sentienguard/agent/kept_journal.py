"""The executor's journal, and the mark outside it by which a missing one is noticed.

Called by `executor`, and by those who try out remedies in a throw-away directory. The mark is the
record `journal` of the executor's state. Rules:

1. The mark is set once the journal holds a record, so that a first start that was cut off can be
   made again, and an installation from before the mark goes on.
2. Where the mark names this identity, a journal must be there and hold something: JournalBroken
   says the way out.
3. A new identity begins a journal of its own, since another key numbers its events from 1. The
   earlier one is kept beside it.
4. Why a journal failed is kept in the mark, for the next start to tell the centre.
"""

import contextlib
from pathlib import Path
from typing import Any

from sentienguard.adapters.execution_journal_files import journal
from sentienguard.agent import executor_state
from sentienguard.model import ids

FILE = "journal.log"
_MARK = "journal"


class KeptJournal:
    """The journal of one identity."""

    def __init__(self, home: Path, agent: ids.AgentId, state: executor_state.ExecutorState) -> None:
        """Open or make it. Raises execution_journal.JournalBroken, OSError."""
        self._agent = agent
        self._state = state
        mark = state.get(_MARK)
        earlier = str(mark.get("agent", agent))
        self.set_aside = earlier if earlier != agent else None  # whose journal made room
        file, beside = home / FILE, home / f"{FILE}.{earlier}"
        if self.set_aside is not None and file.exists() and not beside.exists():  # rule 3
            file.rename(beside)  # once: a start that is cut off now finds the new one
        self.file = journal.JournalFile(file, expected=mark.get("agent") == agent)  # rule 2

    def begun(self) -> None:
        """Set the mark, unless it is set already or there is nothing to miss yet (rule 1)."""
        mark = self._mark()
        if not self.file.empty and self._state.get(_MARK) != mark:
            self._state.keep(_MARK, mark)

    def failed(self, why: str) -> None:
        """Keep why it failed (rule 4); on a disk that takes nothing, that is lost."""
        with contextlib.suppress(OSError):
            self._state.keep(_MARK, self._mark(failed=why))

    @property
    def failure(self) -> str:
        """Return why it failed before this start; empty where it did not."""
        return str(self._state.get(_MARK).get("failed", ""))

    def _mark(self, **more: str) -> dict[str, Any]:
        return {"agent": self._agent, **more}


def forget(home: Path) -> None:
    """Remove journal and mark: for a directory that only serves to try out remedies."""
    (home / FILE).unlink(missing_ok=True)
    state = executor_state.ExecutorState(home / "state.json")
    if state.get(_MARK):
        state.keep(_MARK, {})
