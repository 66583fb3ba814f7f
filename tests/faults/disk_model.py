"""What a disk may hold after the power went: a model of files, names, and what was synced.

Called by `recorded_disk`, which feeds it the operations of a real program, and by `crash_states`,
which asks for every content that a crash may leave.

Rules, as strict as POSIX permits and stricter than any one file system:

1. `fsync` and `fdatasync` of a file make its bytes and its length durable, not its name.
2. `fsync` of a directory makes the names in it durable, not the name of the directory itself.
3. What was not synced may be there or not, each operation for itself and in any order; a write may
   be there in part, or as zeros where its bytes should be.
4. A rename is there whole or not at all, and may be there before the bytes of what it names.
5. What a failed sync of a file covered stays in the page cache and counts as clean: later syncs of
   the file do not write it. Only writing the same bytes again does. (A directory's names go through
   the journal of the file system, which stops the whole file system where it fails.)
"""

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

SECTOR = 512  # bytes that a disk writes whole or not at all
ROOT = 0  # number of the directory that is watched

Tree: TypeAlias = dict[str, bytes | None]  # relative path -> content; None: a directory


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at a place in a file."""

    node: int
    offset: int
    data: bytes

    def onto(self, content: bytearray) -> None:
        """Do it."""
        if len(content) < self.offset:
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(self.data)] = self.data


@dataclass(frozen=True, slots=True)
class Resize:
    """A file cut off, or made longer by zeros."""

    node: int
    size: int
    only_longer: bool = False

    def onto(self, content: bytearray) -> None:
        """Do it."""
        if len(content) < self.size:
            content.extend(bytes(self.size - len(content)))
        elif not self.only_longer:
            del content[self.size :]


@dataclass(frozen=True, slots=True)
class Name:
    """Names of one directory that changed at once: name -> number of what it names, or None."""

    node: int  # the directory
    changes: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class Make:
    """A file or directory came to be; it has no name yet."""

    node: int
    is_directory: bool


@dataclass(frozen=True, slots=True)
class Sync:
    """Everything done to one file or directory is durable from here on, or the sync failed."""

    node: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The program acknowledged something; from here on it must survive."""

    text: str


Change: TypeAlias = Write | Resize | Name
Operation: TypeAlias = Write | Resize | Name | Make | Sync | Told


@dataclass(slots=True)
class Done:
    """A change, and how far it is on its way to the disk."""

    change: Change
    settled: bool = False  # durable
    doomed: bool = False  # a failed sync covered it: no later sync writes it


@dataclass(slots=True)
class Node:
    """One file or directory."""

    is_directory: bool
    content: bytes = b""  # of a file, as it is on disk for sure
    names: dict[str, int] = field(default_factory=dict)  # of a directory, as on disk for sure
    later: list[Done] = field(default_factory=list)  # what came after that, oldest first

    def sync(self, *, failed: bool) -> None:
        """Take in a sync."""
        if failed and self.is_directory:
            return
        for done in self.later:
            if failed and not done.settled:
                done.doomed = True
            elif not done.doomed:
                done.settled = True
        while self.later and self.later[0].settled:
            self._fold(self.later.pop(0).change)

    def _fold(self, change: Change) -> None:
        if isinstance(change, Name):
            _rename(self.names, change)
        else:
            content = bytearray(self.content)
            change.onto(content)
            self.content = bytes(content)


class Disk:
    """All files below one directory."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {ROOT: Node(is_directory=True)}

    @classmethod
    def of(cls, place: Path) -> "Disk":
        """Return a disk on which everything below a directory is durable."""
        disk = cls()
        numbers = {place: ROOT}
        for path in sorted(place.rglob("*")):
            numbers[path] = number = len(disk.nodes)
            folder = path.is_dir()
            content = b"" if folder else path.read_bytes()
            disk.nodes[number] = Node(is_directory=folder, content=content)
            disk.nodes[numbers[path.parent]].names[path.name] = number
        return disk

    def copied(self) -> "Disk":
        """Return a disk that goes its own way from here."""
        disk = Disk()
        disk.nodes = copy.deepcopy(self.nodes)
        return disk

    def do(self, operation: Operation) -> None:
        """Take in the next operation."""
        match operation:
            case Make():
                self.nodes[operation.node] = Node(is_directory=operation.is_directory)
            case Sync():
                self.nodes[operation.node].sync(failed=operation.failed)
            case Write() | Resize() | Name():
                self.nodes[operation.node].later.append(Done(operation))
            case Told():
                pass

    def pending(self) -> list[Change]:
        """Return what is not durable, oldest first within each file."""
        return [
            done.change for node in self.nodes.values() for done in node.later if not done.settled
        ]

    def tree(self, instead: Mapping[int, Change | None] | None = None) -> Tree:
        """Return what is there when changes (by `id`) are replaced or, with None, lost.

        Without an argument: as the running system sees it, page cache and all.
        """
        found: Tree = {}
        self._walk(ROOT, "", instead or {}, found)
        return found

    def numbers(self) -> dict[str, int]:
        """Return the number of each path, as the running system sees it."""
        found: dict[str, int] = {"": ROOT}
        waiting = [("", ROOT)]
        while waiting:
            path, number = waiting.pop()
            for name, child in self._names(self.nodes[number], {}).items():
                below = f"{path}/{name}".lstrip("/")
                found[below] = child
                if self.nodes[child].is_directory:
                    waiting.append((below, child))
        return found

    def _walk(self, number: int, path: str, instead: Mapping[int, Change | None], to: Tree) -> None:
        for name, child in self._names(self.nodes[number], instead).items():
            node, below = self.nodes[child], f"{path}/{name}" if path else name
            if node.is_directory:
                to[below] = None
                self._walk(child, below, instead, to)
            else:
                to[below] = _content(node, instead)

    @staticmethod
    def _names(node: Node, instead: Mapping[int, Change | None]) -> dict[str, int]:
        if not node.later:
            return node.names
        names = dict(node.names)
        for done in node.later:
            change = instead.get(id(done.change), done.change)
            if isinstance(change, Name):
                _rename(names, change)
        return names


def _content(node: Node, instead: Mapping[int, Change | None]) -> bytes:
    if not node.later:
        return node.content
    content = bytearray(node.content)
    for done in node.later:
        change = instead.get(id(done.change), done.change)
        if change is not None and not isinstance(change, Name):
            change.onto(content)
    return bytes(content)


def _rename(names: dict[str, int], change: Name) -> None:
    for name, target in change.changes:
        if target is None:
            names.pop(name, None)
        else:
            names[name] = target


def put(tree: Tree, place: Path) -> None:
    """Make a directory hold exactly this tree."""
    here = read(place)
    for path in sorted(here.keys() - tree.keys(), reverse=True):
        target = f"{place}/{path}"
        if here[path] is None:
            os.rmdir(target)  # noqa: PTH106 - a thousand times a second
        else:
            os.unlink(target)  # noqa: PTH108 - as above
    for path, content in tree.items():  # a directory stands before what it holds
        if path in here and here[path] == content:
            continue
        target = f"{place}/{path}"
        if content is None:
            os.mkdir(target)  # noqa: PTH102 - as above
        else:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(handle, content)
            os.close(handle)


def read(place: Path) -> Tree:
    """Return what a directory holds."""
    found: Tree = {}
    waiting = [("", str(place))]
    while waiting:
        path, real = waiting.pop()
        with os.scandir(real) as entries:
            for one in entries:
                below = f"{path}/{one.name}" if path else one.name
                if one.is_dir(follow_symlinks=False):
                    found[below] = None
                    waiting.append((below, one.path))
                else:
                    handle = os.open(one.path, os.O_RDONLY)
                    found[below] = os.read(handle, 1 << 26)
                    os.close(handle)
    return found
