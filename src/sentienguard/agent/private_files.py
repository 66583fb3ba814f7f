"""Files that only the agent's user may read, replaced whole or not at all.

Called by enrolment, the collector and the command line. Nothing here knows what is in a file.
"""

import contextlib
import os
from pathlib import Path

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


def directory(path: Path) -> None:
    """Make a directory that only its owner may enter, and its parents; their names are durable.

    Raises OSError, also for a link that another user made: it leads to what that user chooses.
    """
    if path.is_symlink() and path.lstat().st_uid not in {0, os.geteuid()}:
        raise PermissionError(f"{path} is a link that user {path.lstat().st_uid} made")
    new = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    path.chmod(DIRECTORY_MODE)
    for one in reversed(new or [path]):  # one that was there may never have been synced
        with contextlib.suppress(PermissionError):  # the parent may be another user's
            sync_directory(one.parent)


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put content at path with mode 0600: after a crash, the old file or the new one is there.

    `durable=False` leaves out both fsyncs, for state that may go back a little after a power cut.
    Raises OSError.
    """
    beside = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(beside, flags, FILE_MODE)
    try:
        os.fchmod(handle, FILE_MODE)
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)
    beside.replace(path)
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
