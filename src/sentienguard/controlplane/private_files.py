"""Files of a control plane's directory that only its owner reads: keys and signed documents.

Called by whoever writes there. Imports the standard library alone.
"""

import os
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all. Raises OSError."""
    draft = path.with_name(path.name + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
