"""What this replica saw signed last, in a file of its own data directory.

Called by log. The one thing about the log that the database cannot take back: a database that was
restored to an older state, or rewritten with a stolen key, no longer bears it out. A crash may lose
the last second of it, which only makes it remember a little less.
"""

import contextlib
import pathlib
from collections.abc import Sequence


class Seen:
    """One file with one checkpoint."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def notes(self) -> Sequence[str]:
        """Return the checkpoint that was remembered, if one was."""
        with contextlib.suppress(FileNotFoundError):
            return (self._path.read_text(encoding="utf-8"),)
        return ()

    def remember(self, note: str) -> None:
        """Put a newer checkpoint in its place. Raises OSError."""
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.write_text(note, encoding="utf-8")
        draft.replace(self._path)
