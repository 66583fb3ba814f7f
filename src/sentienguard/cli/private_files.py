"""Files that only their owner reads: keys, sessions, settings, records of processes.

Called all over the command line. Imports the standard library alone, for what has to start quickly.
"""

import os
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all; makes its directory."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
