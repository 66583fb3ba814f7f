"""Find, remove, set aside and rewrite files without being led astray.

Called by stages.execute (step `fs`). Offered by adapters.local_host.files and by simulated hosts.

Rules that an implementation keeps, because the directories may belong to somebody hostile:

1. No symbolic link is followed, in the last part of a path or in any before it, below `root`.
2. It stays on the file system of `root`.
3. Only regular files are touched, and only if they are still the file that was found: same device,
   inode, size and modification time.
4. Finding is bounded; what is over the bound is left for the next time and said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sentienguard.model import errors


class NotAllowed(errors.Rejected):
    """The path is not one that may be touched, or is not what it should be."""


class FileFailed(errors.Unavailable):
    """The operating system refused: a full disk, a read-only file system, a missing permission."""


@dataclass(frozen=True, slots=True)
class Found:
    """One regular file below a root, as it was when it was found."""

    path: str  # relative to the root
    device: int
    inode: int
    size: int  # bytes
    modified_ns: int  # wall time


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files below a root are meant."""

    root: str  # absolute path of a directory
    pattern: str  # fnmatch on the file's own name, never on its directories
    below: str = ""  # directory under the root to look in; relative, without `..`
    min_age_s: float = 0.0  # since its last modification
    min_size: int = 0  # bytes
    keep_newest: int = 0  # that many of the newest matching files are left alone
    at_most: int = 10_000  # files


@dataclass(frozen=True, slots=True)
class Findings:
    """What a selection found."""

    files: tuple[Found, ...]
    more: bool  # there were more than `at_most`

    @property
    def bytes(self) -> int:
        """Sum the sizes."""
        return sum(found.size for found in self.files)


@dataclass(frozen=True, slots=True)
class Volume:
    """A mount point, or a directory that counts as a volume of a given size."""

    path: str
    used_percent: float
    free_bytes: int
    inode_percent: float


class Files(Protocol):
    """The files of one host."""

    def volumes(self) -> frozenset[str]:
        """Return the paths an order may name as mount points: mounts and watched volumes."""

    def volume(self, path: str) -> Volume:
        """Measure one volume. Raises NotAllowed if it is none."""

    def find(self, selection: Selection) -> Findings:
        """Find what a selection means, oldest first. Raises NotAllowed for a root that is none."""

    def delete(self, root: str, files: Sequence[Found]) -> int:
        """Delete those that are still what was found; return how many. Raises FileFailed."""

    def truncate(self, root: str, files: Sequence[Found]) -> int:
        """Cut those that are still there (they may have grown) to nothing; return how many."""

    def move(self, root: str, files: Sequence[Found], kept: str) -> int:
        """Move files into directory `root/kept`, by inode number; return how many moved."""

    def move_back(self, root: str, files: Sequence[Found], kept: str) -> int:
        """Move them back where they were; return how many are there again.

        Never overwrites: where another file has taken the place, that one is not counted.
        """

    def read(self, path: str) -> bytes:
        """Read a small file (at most 1 MiB) whole. Raises NotAllowed, FileFailed."""

    def replace(self, path: str, content: bytes) -> None:
        """Put content into an existing or new file at once: readers see the old or the new.

        Keeps mode and owner of the one that is there. Raises NotAllowed, FileFailed.
        """
