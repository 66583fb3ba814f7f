"""Files of this machine, handled by directory descriptors so that no link can lead astray.

Every path below a root is opened part by part with O_NOFOLLOW, from the descriptor of the directory
before; the root itself likewise from `/`. A file is what it was found as (device, inode, size,
time), or it is left alone.

A search stays on the mount of its root, by the kernel's number of it: neither a directory nor a
single file that is mounted below is entered, also where it comes from the same file system. The
device does not tell: an overlay, such as the root of a container, gives its files other devices
than its directories.
"""

import contextlib
import errno
import fnmatch
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from sentienguard.adapters.local_host import mounts
from sentienguard.ports import files

MAX_READ_BYTES = 1024 * 1024
MAX_LOOKED_AT = 200_000  # directory entries of one search
MAX_DEPTH = 64  # directories below the root
KEPT = ".sentienguard-kept-"  # our own directories of files set aside; never looked into
_KEPT_NAME = re.compile(r"\.sentienguard-kept-[A-Za-z0-9_-]{1,100}\Z")
_LOOP = errno.ELOOP  # O_NOFOLLOW met a symbolic link
_MOUNT = b"mnt_id:"  # in the first lines of /proc/self/fdinfo/N
_FDINFO_BYTES = 1024
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalFiles:
    """A ports.files.Files."""

    def __init__(self, watched: Mapping[str, int | None], *, confined: bool = False) -> None:
        """Take the watched volumes: path -> its size in bytes, or None to ask its file system.

        `confined` says that there are no others: what is mounted beside them is no volume here.
        """
        self._watched = dict(watched)
        self._confined = confined

    def volumes(self) -> frozenset[str]:
        """Return mounts and watched volumes; see the port."""
        mounted = frozenset() if self._confined else mounts.mount_points()
        return frozenset(self._watched) | mounted

    def volume(self, path: str) -> files.Volume:
        """Measure one volume; see the port."""
        # The root is measured also where it may not be touched: what a start needs, lies there.
        if path not in self._watched and path not in {"/", *self.volumes()}:
            raise files.NotAllowed(f"{path} is no mount point and no watched volume of this host")
        with _failing(path):
            return mounts.measure(path, self._watched.get(path))

    def find(self, selection: files.Selection) -> files.Findings:
        """Find regular files; see the port."""
        found: list[files.Found] = []
        looked_at = 0
        start = _start(selection)
        with _failing(selection.root), _root(selection.root) as top:
            try:
                root = _descend(top, start)
            except FileNotFoundError:
                return files.Findings((), more=False)  # no such directory: no such files
            try:
                for each in _walk(root, _mount(top), selection):
                    looked_at += 1
                    if looked_at > MAX_LOOKED_AT:
                        break
                    if each is not None:
                        found.append(each)
            finally:
                os.close(root)
        cut = looked_at > MAX_LOOKED_AT
        if cut and selection.keep_newest:
            raise files.NotAllowed(
                f"{selection.root} holds more than {MAX_LOOKED_AT} entries, so the newest cannot "
                "be told; clean it by age alone"
            )
        return _chosen(found, selection, cut=cut)

    def delete(self, root: str, chosen: Sequence[files.Found]) -> int:
        """Delete what is still what was found; see the port."""

        def unlink(directory: int, name: str, each: files.Found) -> bool:
            if not _same(os.stat(name, dir_fd=directory, follow_symlinks=False), each):
                return False
            os.unlink(name, dir_fd=directory)
            return True

        return _each(root, chosen, unlink)

    def truncate(self, root: str, chosen: Sequence[files.Found]) -> int:
        """Empty what is still there; see the port."""

        def cut(directory: int, name: str, each: files.Found) -> bool:
            flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=directory)
            try:
                now = os.fstat(descriptor)
                # A file with a second name may be somebody else's, linked here to be emptied.
                if (now.st_dev, now.st_ino) != (each.device, each.inode) or now.st_nlink != 1:
                    return False
                os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)
            return True

        return _each(root, chosen, cut)

    def move(self, root: str, chosen: Sequence[files.Found], kept: str) -> int:
        """Move files into our directory below the root; see the port."""
        if not chosen:
            return 0
        with _failing(root), _root(root) as base:
            with contextlib.suppress(FileExistsError):
                os.mkdir(_kept_name(kept), 0o700, dir_fd=base)
            target = os.open(kept, _OPEN_DIRECTORY, dir_fd=base)
            try:

                def away(directory: int, name: str, each: files.Found) -> bool:
                    if not _same(os.stat(name, dir_fd=directory, follow_symlinks=False), each):
                        return False
                    os.rename(name, str(each.inode), src_dir_fd=directory, dst_dir_fd=target)
                    return True

                moved = _each(root, chosen, away)
                os.fsync(target)
            finally:
                os.close(target)
        return moved

    def move_back(self, root: str, chosen: Sequence[files.Found], kept: str) -> int:
        """Move files back and count those that are where they were; see the port."""
        with _failing(root), _root(root) as base:
            try:
                source = os.open(_kept_name(kept), _OPEN_DIRECTORY, dir_fd=base)
            except FileNotFoundError:
                return _each(root, chosen, _is_there)
            try:

                def back(directory: int, name: str, each: files.Found) -> bool:
                    with contextlib.suppress(FileNotFoundError, FileExistsError):
                        # link(2) refuses to overwrite, which rename(2) would do
                        os.link(str(each.inode), name, src_dir_fd=source, dst_dir_fd=directory)
                        os.unlink(str(each.inode), dir_fd=source)
                    return _is_there(directory, name, each)

                there = _each(root, chosen, back)
            finally:
                os.close(source)
            with contextlib.suppress(OSError):  # files that could not go back are still in it
                os.rmdir(kept, dir_fd=base)
        return there

    def read(self, path: str) -> bytes:
        """Read a small file; see the port."""
        directory, name = _split(path)
        with _failing(path), _root(directory) as base:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=base)
            with os.fdopen(descriptor, "rb") as file:
                now = os.fstat(descriptor)
                if not stat.S_ISREG(now.st_mode) or now.st_size > MAX_READ_BYTES:
                    raise files.NotAllowed(
                        f"{path} is no regular file of at most {MAX_READ_BYTES} bytes"
                    )
                return file.read(MAX_READ_BYTES)

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file at once; see the port."""
        directory, name = _split(path)
        beside = f".{name}.sentienguard-new"
        with _failing(path), _root(directory) as base:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=base)
            descriptor = os.open(beside, flags, 0o600, dir_fd=base)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                _take_over(base, name, descriptor)
                os.fsync(descriptor)
            os.rename(beside, name, src_dir_fd=base, dst_dir_fd=base)
            os.fsync(base)


def _take_over(directory: int, name: str, descriptor: int) -> None:
    """Give a new file the mode and owner of the one that it replaces."""
    try:
        old = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(old.st_mode):
        raise files.NotAllowed(f"{name} is no regular file; it is left as it is")
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _start(selection: files.Selection) -> str:
    below = PurePosixPath(selection.below)
    if below.is_absolute() or ".." in below.parts:
        raise files.NotAllowed(f"{selection.below!r} leads out of {selection.root}")
    return str(below)


def _walk(root: int, mount: int, selection: files.Selection) -> Iterator[files.Found | None]:
    """Yield every regular file whose name matches, and None for each other entry."""
    below = PurePosixPath(selection.below)
    for directory, names, entries, descriptor in os.fwalk(".", dir_fd=root, follow_symlinks=False):
        here = PurePosixPath(directory)
        if _mount(descriptor) != mount or len(here.parts) >= MAX_DEPTH:
            names.clear()
            continue
        names[:] = [name for name in names if not name.startswith(KEPT)]
        for name in entries:
            if not fnmatch.fnmatchcase(name, selection.pattern):
                yield None
                continue
            now = _looked_at(descriptor, name, mount)
            if now is not None and stat.S_ISREG(now.st_mode):
                path = str(below / here / name)
                yield files.Found(path, now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)


def _looked_at(directory: int, name: str, mount: int) -> os.stat_result | None:
    """Return what a name stands for; None where it is gone or mounted there from elsewhere."""
    try:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        return os.fstat(descriptor) if _mount(descriptor) == mount else None
    finally:
        os.close(descriptor)


def _mount(descriptor: int) -> int:
    """Return the kernel's number of the mount that a descriptor was opened on."""
    told = os.open(f"/proc/self/fdinfo/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(told, _FDINFO_BYTES)
    finally:
        os.close(told)
    return int(text[text.index(_MOUNT) + len(_MOUNT) :].split(None, 1)[0])


def _chosen(found: list[files.Found], selection: files.Selection, *, cut: bool) -> files.Findings:
    found.sort(key=lambda each: (each.modified_ns, each.path))
    if selection.keep_newest:
        del found[-selection.keep_newest :]
    latest_ns = time.time_ns() - int(selection.min_age_s * 1e9)
    wanted = [
        each
        for each in found
        if each.size >= selection.min_size
        and (selection.min_age_s <= 0 or each.modified_ns <= latest_ns)
    ]
    more = cut or len(wanted) > selection.at_most
    return files.Findings(tuple(wanted[: selection.at_most]), more)


def _same(now: os.stat_result, each: files.Found) -> bool:
    return stat.S_ISREG(now.st_mode) and (
        now.st_dev,
        now.st_ino,
        now.st_size,
        now.st_mtime_ns,
    ) == (each.device, each.inode, each.size, each.modified_ns)


def _is_there(directory: int, name: str, each: files.Found) -> bool:
    try:
        now = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (each.device, each.inode)


def _each(
    root: str,
    chosen: Sequence[files.Found],
    act: Callable[[int, str, files.Found], bool],
) -> int:
    """Act on each file in its own directory; count those on which it did."""
    count = 0
    with _failing(root), _root(root) as base:
        opened: tuple[str, int] | None = None
        try:
            for each in sorted(chosen, key=lambda one: one.path.rpartition("/")[0]):
                directory, _, name = each.path.rpartition("/")
                try:
                    if opened is None or opened[0] != directory:
                        if opened is not None:
                            os.close(opened[1])
                            opened = None
                        opened = (directory, _descend(base, directory))
                    count += act(opened[1], name, each)
                except (FileNotFoundError, NotADirectoryError):
                    continue  # gone, or swapped for something else
                except OSError as error:
                    if error.errno != _LOOP:
                        raise
        finally:
            if opened is not None:
                os.close(opened[1])
    return count


@contextlib.contextmanager
def _root(path: str) -> Iterator[int]:
    """Open a directory from `/` on, part by part, following no link."""
    if not path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise files.NotAllowed(f"{path!r} is no absolute path without ..")
    top = os.open("/", _OPEN_DIRECTORY)
    try:
        descriptor = _descend(top, path.strip("/"))
    finally:
        os.close(top)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _descend(base: int, path: str) -> int:
    """Open a directory below another one; the caller closes it."""
    descriptor = os.dup(base)
    for part in PurePosixPath(path).parts:
        try:
            following = os.open(part, _OPEN_DIRECTORY, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = following
    return descriptor


def _split(path: str) -> tuple[str, str]:
    directory, _, name = path.rpartition("/")
    if not path.startswith("/") or name in {"", ".", ".."}:
        raise files.NotAllowed(f"{path!r} is no absolute path of a file")
    return directory or "/", name


def _kept_name(kept: str) -> str:
    if _KEPT_NAME.match(kept) is None:
        raise files.NotAllowed(f"{kept!r} is no name of a directory for files set aside")
    return kept


@contextlib.contextmanager
def _failing(path: str) -> Iterator[None]:
    """Say in our errors what the operating system refused."""
    try:
        yield
    except OSError as error:
        if error.errno == _LOOP or isinstance(error, NotADirectoryError):
            raise files.NotAllowed(
                f"{path}: {error.strerror}; links are not followed, name the real directory"
            ) from error
        raise files.FileFailed(f"{path}: {error.strerror or error}") from error
