"""The files of a `stage`, as ports.files asks for them.

Called by `ports`. A path is on the volume whose mount point is the longest that holds it; there are
no links, and a directory is there as long as something is in it.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sentienguard.ports import files
from sentienguard.simulation import remedies
from sentienguard.simulation.proving import stage as stages

_DEVICE = 1  # of every file; volumes are told apart by their paths


@dataclass(slots=True)
class Files:
    """A ports.files.Files."""

    stage: stages.Stage

    def volumes(self) -> frozenset[str]:
        """Return the mount points of the case."""
        return frozenset(self.stage.scene.volumes)

    def volume(self, path: str) -> files.Volume:
        """Measure one volume; see the port."""
        known = self.stage.scene.volumes.get(path)
        if known is None:
            raise files.NotAllowed(f"{path} is no volume of this case")
        size, inodes = self.stage.used(path)
        return files.Volume(
            path, 100 * size / known.size, max(0, known.size - size), 100 * inodes / known.inodes
        )

    def find(self, selection: files.Selection) -> files.Findings:
        """Find files; see the port."""
        root = _clean(selection.root)
        below = PurePosixPath(selection.below)
        if below.is_absolute() or ".." in below.parts:
            raise files.NotAllowed(f"{selection.below!r} leads out of {root}")
        if not any(_inside(path, root) for path in (*self.stage.files, *self.volumes())):
            raise files.FileFailed(f"{root}: no such directory")
        start = root if str(below) == "." else f"{root.rstrip('/')}/{below}"
        found = [
            files.Found(_relative(path, root), _DEVICE, one.inode, one.size, _ns(one.modified))
            for path, one in self.stage.files.items()
            if _inside(path, start)
            and self.stage.volume_of(path) == self.stage.volume_of(root)
            and stages.KEPT not in path
            and fnmatch.fnmatchcase(path.rpartition("/")[2], selection.pattern)
        ]
        found.sort(key=lambda one: (one.modified_ns, one.path))
        if selection.keep_newest:
            del found[-selection.keep_newest :]
        latest = _ns(self.stage.clock.passed - selection.min_age_s)
        wanted = [
            one
            for one in found
            if one.size >= selection.min_size
            and (selection.min_age_s <= 0 or one.modified_ns <= latest)
        ]
        more = len(wanted) > selection.at_most
        return files.Findings(tuple(wanted[: selection.at_most]), more)

    def delete(self, root: str, files: Sequence[files.Found]) -> int:
        """Delete what is still what was found; see the port."""
        return sum(self._delete(path) for path in self._same(root, files))

    def truncate(self, root: str, files: Sequence[files.Found]) -> int:
        """Empty what is still there; see the port."""
        return sum(self._write(path, b"", "truncate") for path in self._same(root, files))

    def move(self, root: str, files: Sequence[files.Found], kept: str) -> int:
        """Set files aside; see the port."""
        moved = self._same(root, files)
        for path in moved:
            lying = self.stage.files.pop(path)
            self.stage.files[f"{_clean(root)}/{kept}/{lying.inode}"] = lying
            self._acted(f"move {path}", path)
        return len(moved)

    def move_back(self, root: str, files: Sequence[files.Found], kept: str) -> int:
        """Put them back where nobody has taken their place; see the port."""
        there = 0
        for one in files:
            path = f"{_clean(root).rstrip('/')}/{one.path}"
            aside = f"{_clean(root)}/{kept}/{one.inode}"
            if aside in self.stage.files and path not in self.stage.files:
                self.stage.files[path] = self.stage.files.pop(aside)
                self._acted(f"move back {path}", path)
            there += path in self.stage.files and self.stage.files[path].inode == one.inode
        return there

    def read(self, path: str) -> bytes:
        """Read a file that has a text; see the port."""
        lying = self.stage.files.get(_clean(path))
        if lying is None:
            raise files.FileFailed(f"{path}: no such file")
        return lying.text or b""

    def replace(self, path: str, content: bytes) -> None:
        """Write a file whole; see the port."""
        if _clean(path) not in self.stage.files:
            self.stage.files[path] = stages.Lying(len(self.stage.files) + 1, 0, 0.0, b"")
        self._write(path, content, "write")

    def _same(self, root: str, chosen: Sequence[files.Found]) -> list[str]:
        at = ((f"{_clean(root).rstrip('/')}/{one.path}", one) for one in chosen)
        return [
            path
            for path, one in at
            if (lying := self.stage.files.get(path)) is not None
            and (lying.inode, lying.size, _ns(lying.modified))
            == (one.inode, one.size, one.modified_ns)
        ]

    def _delete(self, path: str) -> bool:
        del self.stage.files[path]
        self._acted(f"delete {path}", path)
        return True

    def _write(self, path: str, content: bytes, verb: str) -> bool:
        lying = self.stage.files[path]
        lying.text, lying.size, lying.modified = content, len(content), self.stage.clock.passed
        self._acted(f"{verb} {path}", path)
        return True

    def _acted(self, name: str, path: str) -> None:
        self.stage.act(name, path)
        self.stage.react(name)


def _clean(path: str) -> str:
    if not path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise files.NotAllowed(f"{path!r} is no absolute path without ..")
    return str(PurePosixPath(path))


def _inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _relative(path: str, root: str) -> str:
    return path[len(root.rstrip("/")) + 1 :]


def _ns(passed: float) -> int:
    return round((remedies.START.timestamp() + passed) * 1e9)
