"""Which user of a host has which of the agent's files: what makes two processes a border.

Called by `agent.installing`, which gives the collector a user of its own, by enrolment, which keeps
to it, by the executor for its socket, and by `sentienguard-agent verify`.

    DIR, run/       root's, and the collector's group may pass: it gets to what is its own
    agent.json      root's, and the collector's group may read it
    collector/      the collector's alone
    executor/       root's alone: key, journal, trust
    run/*.sock      the collector's alone; the executor makes it, in a directory that is root's

Rules:

1. Who has `collector/` is the collector's user. Where that is whoever has DIR, both processes run
   as one user, and all is that user's alone.
2. The collector's user may change what lies in `collector/` while we look: links are never
   followed, and no name is looked up twice.
3. Root's process opens no way into a directory that the collector can write.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentienguard.agent import settings
from sentienguard.model import errors

PASS, READ = 0o710, 0o640  # modes of what both need
_OTHERS: Final = 0o077
_SHARED: Final = {"": PASS, "run": PASS, settings.FILE: READ}


class Shared(errors.Rejected):
    """A file has more names than one, so that who gets it cannot be said."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A user, and the group that goes with it."""

    uid: int
    gid: int


def collector_of(directory: Path) -> Owner | None:
    """Return the collector's user where it has one of its own (rule 1); None: it has none."""
    try:
        theirs = owner_of(directory / "collector")
        return None if owner_of(directory).uid == theirs.uid else theirs
    except FileNotFoundError:
        return None


def owner_of(path: Path) -> Owner:
    """Return who has a file. Raises OSError."""
    state = path.lstat()
    return Owner(state.st_uid, state.st_gid)


def hand_over(directory: Path, collector: Owner, *, change: bool = True) -> list[str]:
    """Give each process what is its own; return what differed, relative to DIR. Raises OSError.

    `change=False` only looks. Needs root.
    """
    differed = [
        *_mend(directory / "executor", Owner(0, 0), change=change),
        *_mend(directory / "collector", collector, change=change),
    ]
    for name, mode in _SHARED.items():
        descriptor = os.open(directory / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            state = os.fstat(descriptor)
            if (state.st_uid, state.st_gid) != (0, collector.gid):
                differed.append(directory / name)
                if change:
                    os.fchown(descriptor, 0, collector.gid)
            if stat.S_IMODE(state.st_mode) != mode:
                differed.append(directory / name)
                if change:
                    os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
    return sorted({one.relative_to(directory).as_posix() for one in differed})


def wrong(directory: Path) -> Iterator[str]:
    """Say which files others than their process may use, or change."""
    collector = collector_of(directory)
    ours = {0, os.geteuid()}
    for path in (directory, *sorted(directory.rglob("*"))):
        try:
            state = path.lstat()
        except FileNotFoundError:  # replaced, or cut off, by the agent that runs
            continue
        mode = stat.S_IMODE(state.st_mode)
        parts = path.relative_to(directory).parts
        kept = parts[:1] == ("collector",) or stat.S_ISSOCK(state.st_mode)
        allowed = ours if collector is None or not kept else {collector.uid}
        others = _OTHERS
        if collector is not None and state.st_gid == collector.gid:
            others &= ~_SHARED.get("/".join(parts), 0)
        if stat.S_ISLNK(state.st_mode):
            yield f"{path} is a symbolic link"
        elif mode & others:
            yield f"{path} has mode {mode:04o}, others may use it"
        elif state.st_uid not in allowed:
            yield f"{path} belongs to user {state.st_uid}"


def _mend(top: Path, owner: Owner, *, change: bool) -> Iterator[Path]:
    """Make a tree its owner's alone, by descriptors (rule 2)."""
    for at, _, files, opened in os.fwalk(top, follow_symlinks=False):
        for name, where in ((".", opened), *((one, opened) for one in files)):
            try:
                state = os.stat(name, dir_fd=where, follow_symlinks=False)
            except FileNotFoundError:  # as in `wrong`
                continue
            loose = not stat.S_ISLNK(state.st_mode) and stat.S_IMODE(state.st_mode) & _OTHERS
            if (state.st_uid, state.st_gid) == (owner.uid, owner.gid) and not loose:
                continue
            path = Path(at, name)
            if stat.S_ISREG(state.st_mode) and state.st_nlink > 1:
                raise Shared(f"{path} has {state.st_nlink} names; remove it, or the others")
            yield path
            if not change:
                continue
            with contextlib.suppress(FileNotFoundError):
                os.chown(name, owner.uid, owner.gid, dir_fd=where, follow_symlinks=False)
                if loose:
                    _close_to_others(name, where)


def _close_to_others(name: str, where: int) -> None:
    """Take all rights of others from one file; a link in its place is left alone."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=where)
    try:
        os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) & ~_OTHERS)
    finally:
        os.close(descriptor)
