"""What systemd of this host is asked for while the agent's units are put in and taken out.

Called by `agent.installing`, as root, in a process of the command line.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentienguard.model import errors

UNITS: Final = Path("/etc/systemd/system")
_RUNNING: Final = Path("/run/systemd/system")  # is there where systemd is process 1
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIMIT_S: Final = 60.0  # for one command; a stop waits for TimeoutStopSec of the units
_LINES: Final = 3  # of a unit's journal that people are shown


class CommandFailed(errors.Unavailable):
    """A program of this host did not do what it was asked; the message has what it said."""


@dataclass(frozen=True, slots=True)
class State:
    """What systemd says of one unit."""

    active: str  # active, activating, failed, inactive ...
    enabled: bool
    pid: int  # 0: none
    starts: int  # that systemd did by itself
    stale: bool  # its file was changed since it was read


def why_not() -> str:
    """Say why this host has no units; empty: it has."""
    if not _RUNNING.is_dir():
        return "this host was not started by systemd"
    if shutil.which("systemctl", path=_PATH) is None:
        return "systemctl is not installed"
    return ""


def has(program: str) -> bool:
    """Tell whether a program is installed."""
    return shutil.which(program, path=_PATH) is not None


def state(name: str) -> State:
    """Return how a unit is doing. Raises CommandFailed."""
    asked = "ActiveState,UnitFileState,MainPID,NRestarts,NeedDaemonReload"
    lines = run("systemctl", "show", name, f"--property={asked}").splitlines()
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    return State(
        active=said.get("ActiveState", "unknown"),
        enabled=said.get("UnitFileState") == "enabled",
        pid=int(said.get("MainPID") or 0),
        starts=int(said.get("NRestarts") or 0),
        stale=said.get("NeedDaemonReload") == "yes",
    )


def last_words(name: str) -> str:
    """Return the last that a unit's processes said; empty where there is nothing."""
    lines = ("--lines", str(_LINES), "--output=cat", "--no-pager", "--quiet")
    argv = ("journalctl", f"_SYSTEMD_UNIT={name}", *lines)
    try:
        return run(*argv).strip()
    except CommandFailed:
        return ""


def run(*argv: str) -> str:
    """Run a program of this host and return what it printed. Raises CommandFailed."""
    try:
        done = subprocess.run(  # noqa: S603  # argv written by us, no shell
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
            env={"PATH": _PATH, "LANG": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{' '.join(argv)}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise CommandFailed(f"{' '.join(argv)}: status {done.returncode}: {' / '.join(said)}")
    return done.stdout
