"""What the executor keeps besides its journal: how new its trust is, and what it witnessed.

Called by `trust_store` and `witness_desk`. One small file, replaced whole and durably, because a
witness that forgets can be led to sign two histories, and a host that forgets the newest catalogue
can be given an old one.
"""

import json
import threading
from pathlib import Path
from typing import Any

from sentienguard.agent import private_files
from sentienguard.model import errors


class ExecutorState:
    """A few named records; safe to use from every thread."""

    def __init__(self, file: Path) -> None:
        """Read the file. Raises errors.Broken where it is there and unreadable."""
        self._file = file
        self._lock = threading.Lock()
        self._record: dict[str, Any] = {}
        try:
            found = json.loads(file.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise errors.Broken(
                f"{file}: cannot be read ({error}); restore it or enrol this host again"
            ) from error
        if not isinstance(found, dict):
            raise errors.Broken(f"{file}: expected an object; enrol this host again")
        self._record = found

    def get(self, name: str) -> dict[str, Any]:
        """Return a record; empty where there is none yet."""
        found = self._record.get(name, {})
        return dict(found) if isinstance(found, dict) else {}

    def keep(self, name: str, record: dict[str, Any]) -> None:
        """Replace a record, durably. Raises OSError; the old one then stays."""
        with self._lock:
            following = {**self._record, name: record}
            private_files.write(self._file, json.dumps(following).encode())
            self._record = following
