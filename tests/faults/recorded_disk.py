"""Record what a real program does to the files below one directory, as operations of `disk_model`.

Called by `crash_states`. The product needs no seam for it: every call that changes a file goes
through the module `os`, whoever makes it, so that what bypasses a seam is seen as well. When
recording ends, the model is compared with the real directory: an operation that was overlooked
fails there.

    with recorded_disk.Recording(place) as recording:
        ... run the program, and call recording.told("entry 1") for what it acknowledged ...
    recording.operations
"""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults import disk_model as model

FailSync = Callable[[str, int], bool]  # path of the file, number of the sync (from 1) -> fail it?


class Recording:
    """What one program did; a context manager."""

    def __init__(
        self, place: Path, disk: model.Disk | None = None, *, fail_sync: FailSync | None = None
    ) -> None:
        """`disk`: what is known of the directory; without it everything there is durable."""
        self.before = disk or model.Disk.of(place)
        self.after = self.before.copied()
        self.operations: list[model.Operation] = []
        self.syncs = 0
        self._place = str(place)
        self._fail_sync = fail_sync
        self._numbers = self.after.numbers()
        self._opened: dict[int, list[int]] = {}  # descriptor -> number, append?, position
        self._lock = threading.RLock()
        self._real: dict[str, Any] = {}

    def __enter__(self) -> Self:
        for name in (
            "open", "close", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "truncate",
            "posix_fallocate", "replace", "rename", "unlink", "remove", "mkdir", "rmdir",
        ):  # fmt: skip
            self._real[name] = getattr(os, name)
            setattr(os, name, self._watched(name))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name, function in self._real.items():
            setattr(os, name, function)
        if error is None:
            found, expected = model.read(Path(self._place)), self.after.tree()
            differing = [one for one in found | expected if found.get(one) != expected.get(one)]
            assert not differing, f"the recorder overlooked what was done to {differing}"

    def told(self, text: str) -> None:
        """Take down that the program acknowledged something."""
        with self._lock:
            self._do(model.Told(text))

    def _watched(self, name: str) -> Callable[..., Any]:
        real, done = self._real[name], getattr(self, f"_on_{name}")

        def call(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                return done(real, *arguments, **options)

        return call

    def _do(self, operation: model.Operation) -> None:
        self.operations.append(operation)
        self.after.do(operation)

    def _below(self, path: Any) -> str | None:
        text = os.fspath(path)
        return text[len(self._place) :].strip("/") if text.startswith(self._place) else None

    def _name(self, folder: str, *changes: tuple[str, int | None]) -> None:
        self._do(model.Name(self._numbers[folder], changes))
        for name, number in changes:
            path = f"{folder}/{name}".lstrip("/")
            self._numbers.pop(path, None)
            if number is not None:
                self._numbers[path] = number

    def _make(self, path: str, *, is_directory: bool) -> int:
        number = len(self.after.nodes)
        self._do(model.Make(number, is_directory))
        folder, _, name = path.rpartition("/")
        self._name(folder, (name, number))
        return number

    def _change(self, descriptor: int, make: Callable[[int], model.Operation]) -> None:
        if descriptor in self._opened:
            self._do(make(self._opened[descriptor][0]))

    # What is done for real, and then noted

    def _on_open(self, real: Any, path: Any, flags: int, *rest: Any, **options: Any) -> int:
        below = self._below(path)
        descriptor = int(real(path, flags, *rest, **options))
        if below is None:
            return descriptor
        if below not in self._numbers:
            self._make(below, is_directory=False)
        elif flags & os.O_TRUNC:
            self._do(model.Resize(self._numbers[below], 0))
        self._opened[descriptor] = [self._numbers[below], flags & os.O_APPEND, 0]
        return descriptor

    def _on_close(self, real: Any, descriptor: int) -> None:
        self._opened.pop(descriptor, None)
        real(descriptor)

    def _on_write(self, real: Any, descriptor: int, data: Any) -> int:
        written = int(real(descriptor, data))
        if (opened := self._opened.get(descriptor)) is not None:
            number, append, position = opened
            at = os.fstat(descriptor).st_size - written if append else position
            opened[2] = at + written
            self._do(model.Write(number, at, bytes(data[:written])))
        return written

    def _on_pwrite(self, real: Any, descriptor: int, data: Any, offset: int) -> int:
        written = int(real(descriptor, data, offset))
        self._change(descriptor, lambda node: model.Write(node, offset, bytes(data[:written])))
        return written

    def _on_fsync(self, real: Any, descriptor: int) -> None:
        opened = self._opened.get(descriptor)
        if opened is None:
            real(descriptor)
            return
        self.syncs += 1
        path = next(path for path, number in self._numbers.items() if number == opened[0])
        failed = self._fail_sync is not None and self._fail_sync(path, self.syncs)
        self._do(model.Sync(opened[0], failed=failed))
        if failed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    _on_fdatasync = _on_fsync

    def _on_ftruncate(self, real: Any, descriptor: int, size: int) -> None:
        real(descriptor, size)
        self._change(descriptor, lambda node: model.Resize(node, size))

    def _on_truncate(self, real: Any, path: Any, size: int) -> None:
        real(path, size)
        if (below := self._below(path)) is not None:
            self._do(model.Resize(self._numbers[below], size))

    def _on_posix_fallocate(self, real: Any, descriptor: int, offset: int, length: int) -> None:
        real(descriptor, offset, length)
        self._change(descriptor, lambda node: model.Resize(node, offset + length, only_longer=True))

    def _on_replace(self, real: Any, source: Any, target: Any) -> None:
        real(source, target)
        old, new = self._below(source), self._below(target)
        if old is not None and new is not None:
            (folder, _, left), (same, _, taken) = old.rpartition("/"), new.rpartition("/")
            assert folder == same, "a rename across directories is not modelled"
            self._name(folder, (left, None), (taken, self._numbers[old]))

    _on_rename = _on_replace

    def _on_unlink(self, real: Any, path: Any) -> None:
        real(path)
        if (below := self._below(path)) is not None:
            folder, _, name = below.rpartition("/")
            self._name(folder, (name, None))

    _on_remove = _on_unlink
    _on_rmdir = _on_unlink

    def _on_mkdir(self, real: Any, path: Any, *mode: Any) -> None:
        real(path, *mode)
        if (below := self._below(path)) is not None:
            self._make(below, is_directory=True)
