"""The few file operations that durability rests on, in one object so that tests can make them fail.

Called by everything in this package. Errors are OSError as they come; callers translate.
"""

import contextlib
import os
import pathlib
from typing import Final

_OWNER_ONLY: Final = 0o600


class Disk:
    """The local file system."""

    def open_append(self, path: pathlib.Path) -> int:
        """Open a file for reading and appending; made durably where it is new."""
        fresh = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        if fresh:
            self.sync_directory(path.parent)
        return descriptor

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
