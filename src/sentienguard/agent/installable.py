"""Whether an agent can be set up as services of this host, and what its units have to name.

Called by `agent.installing`, before it changes anything. Rules:

1. What is missing is said with the way out.
2. As root runs only what nobody else can change: the program, the interpreter and all above them
   belong to root and are written by root alone.
3. A unit that somebody changed by hand, or that belongs to another directory, is not overwritten.
"""

import fcntl
import grp
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sentienguard.agent import release, settings, systemd_units, units
from sentienguard.model import errors

KEPT: Final = ".kept"  # after the name of a unit that was changed by hand and had to give way
_HIDDEN: Final = ("/home", "/root", "/run", "/tmp", "/var/tmp")  # noqa: S108 - the units hide these
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_NEEDED: Final = ("collector/tls.key", "collector/tls.crt", "collector/ca.pem", "executor/key.pem")


class CannotInstall(errors.Rejected):
    """This host or this directory does not allow it; the message says what to change."""


def require_root() -> None:
    """Raise CannotInstall for anybody else."""
    if os.geteuid() != 0:
        raise CannotInstall("services are root's to install: run this as root, with sudo")


def require_systemd() -> None:
    """Raise CannotInstall on a host without it."""
    if reason := systemd_units.why_not():
        raise CannotInstall(
            f"{reason}, so there are no units to install: keep `sentienguard-agent run` going by"
            " what starts services here"
        )


def require_enrolled(directory: Path) -> settings.Settings:
    """Return the settings. Raises settings.SettingsInvalid, CannotInstall."""
    configured = settings.read(directory)
    missing = [name for name in _NEEDED if not (directory / name).is_file()]
    if missing:
        raise CannotInstall(
            f"{directory / missing[0]} is missing: enrol this host with"
            f" `sentienguard-agent enroll --dir {directory} --replace`"
        )
    return configured


def require_private(path: Path, what: str) -> None:
    """Refuse what another user could change, or what the units do not see (rule 2)."""
    for one in (path, *path.parents):
        state = one.lstat()
        if stat.S_ISLNK(state.st_mode):
            raise CannotInstall(f"{one}: {what} is reached by a link; name the place itself")
        if state.st_uid != 0 and one != path:
            raise CannotInstall(f"{one}: {what} has to lie where root alone writes")
        if state.st_mode & _OTHERS_WRITE:
            raise CannotInstall(f"{one}: others can write there; {what} has to be safe from them")
        if one != path and not state.st_mode & stat.S_IXOTH:
            raise CannotInstall(f"{one}: user {units.USER} cannot pass; {what} has to be in reach")
    hidden = next((one for one in _HIDDEN if Path(one) in (path, *path.parents)), None)
    if hidden is not None:
        raise CannotInstall(
            f"{path}: the units see nothing below {hidden}; {what} cannot lie there"
        )


def _require_program(path: Path, what: str) -> None:
    found = path.resolve()
    require_private(found, what)
    if found.stat().st_uid != 0:
        raise CannotInstall(f"{found}: {what} has to be root's; its executor runs as root")


def place(
    directory: Path, configured: settings.Settings, one: release.OneFile | None
) -> units.Place:
    """Return what the units are to start, and where that lies."""
    python = Path(sys.executable)
    _require_program(python, "the Python that runs the agent")
    _require_program(python.parent, "the Python that runs the agent")
    lies = [Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), python.resolve().parent]
    if one is not None:
        _require_program(one.archive, "the agent")
        _require_program(one.place, "what the agent unpacked")
        program: tuple[str, ...] = (str(python), "-I", str(one.archive.resolve()))
        lies.append(one.place)
    else:
        package = Path(release.__file__).resolve().parents[1]
        _require_program(package, "the agent's package")
        program = (str(python), "-I", "-m", "sentienguard.agent.main")
        _require_importable(python)
    known = [Path(where.lstrip("-")) for where in units.EXECUTED]
    executed = (one for one in lies if not any(at in (one, *one.parents) for at in known))
    socket = configured.statsd_socket
    return units.Place(
        directory,
        program,
        groups=tuple(_groups()),
        executed=tuple(dict.fromkeys(map(str, executed))),
        written=() if socket is None else (f"-{Path(socket).parent}",),
    )


def _require_importable(python: Path) -> None:
    try:
        systemd_units.run(str(python), "-I", "-c", "import sentienguard.agent.main")
    except systemd_units.CommandFailed as error:
        raise CannotInstall(
            f"{python} does not find the agent without PYTHONPATH; install its package there, or"
            f" use the agent as one file ({error})"
        ) from error


def _groups() -> Iterator[str]:
    for name in units.GROUPS:
        try:
            grp.getgrnam(name)
        except KeyError:
            continue
        yield name


def read(name: str) -> str | None:
    """Return the unit that is there."""
    try:
        return (systemd_units.UNITS / name).read_text("utf-8", "replace")
    except FileNotFoundError:
        return None


def require_units_ours(directory: Path, written: dict[str, str], *, replace_units: bool) -> None:
    """Refuse to overwrite what is not ours to overwrite (rule 3)."""
    for name, text in written.items():
        found = read(name)
        if found is None or found in (text, units.stamped(text)):
            continue
        require_same_directory(name, found, directory)
        if not units.is_ours(found) and not replace_units:
            raise CannotInstall(
                f"{systemd_units.UNITS / name} was changed by hand: move the change to"
                f" `systemctl edit {name}`, then install with --replace-units, which keeps the"
                f" file as {name}{KEPT}"
            )


def require_same_directory(name: str, found: str, directory: Path) -> None:
    """Refuse a unit that runs another agent (rule 3)."""
    other = units.directory_of(found)
    if other not in (None, directory):
        raise CannotInstall(
            f"{systemd_units.UNITS / name} is of the agent in {other}; a host has one agent:"
            f" `sentienguard-agent uninstall --dir {other}` takes that one's away"
        )


def require_alone(directory: Path) -> None:
    """Refuse while an agent that systemd did not start runs on this directory."""
    runs = systemd_units.state(units.EXECUTOR).active in {"active", "activating", "deactivating"}
    if not runs and is_locked(directory / "executor/lock"):
        raise CannotInstall(
            f"an agent runs for {directory}, which systemd did not start: end it, then install"
        )


def is_locked(file: Path) -> bool:
    """Tell whether a process holds a lock file. Raises OSError."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
