"""The few file operations that durability rests on, in one object so that tests can make them fail.

Called by everything in this package. Errors are OSError as they come; callers translate.
"""

import contextlib
import os
import pathlib
from typing import Final

_OWNER_ONLY: Final = 0o600
_ENTER_ONLY: Final = 0o700


class Disk:
    """The local file system."""

    def open_append(self, path: pathlib.Path) -> int:
        """Open a file for reading and appending; made durably where it is new."""
        fresh = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        if fresh:
            self.sync_directory(path.parent)
        return descriptor

    def make_directory(self, path: pathlib.Path) -> None:
        """Make a directory and its parents; return when the names of the new ones are durable."""
        new = [one for one in (path, *path.parents) if not one.exists()]
        path.mkdir(mode=_ENTER_ONLY, parents=True, exist_ok=True)
        for one in reversed(new):
            self.sync_directory(one.parent)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def sync_data(self, descriptor: int) -> None:
        """Return when what was written survives a power cut."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file off, durably."""
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)

    def write_again(self, path: pathlib.Path, offset: int, data: bytes) -> None:
        """Write bytes that stand there already, and sync them.

        Of a sync that failed nobody knows what reached the disk, and the next one would say yes:
        what can still be read may be in memory alone.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            rest = memoryview(data)
            while rest:
                written = os.pwrite(descriptor, rest, offset)
                rest, offset = rest[written:], offset + written
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def sync_directory(self, path: pathlib.Path) -> None:
        """Return when the names in a directory survive a power cut."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, path: pathlib.Path, content: bytes, *, durable: bool = True) -> None:
        """Put a whole file in place of another at once: a reader sees the one or the other."""
        temporary = path.with_name(f".{path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, _OWNER_ONLY)
        try:
            self.write(descriptor, content)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        if durable:
            self.sync_directory(path.parent)

    def erase(self, path: pathlib.Path) -> None:
        """Overwrite a file with zeros and remove it, durably.

        On flash and on copy-on-write file systems older blocks may outlive this; encrypt the disk.
        """
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                self.write(descriptor, bytes(path.stat().st_size))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            path.unlink()
            self.sync_directory(path.parent)
