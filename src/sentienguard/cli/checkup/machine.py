"""Looks at this machine: interpreter, clock, space, modes, ports."""

import errno
import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sentienguard.cli import client
from sentienguard.cli.checkup import finding
from sentienguard.cli.checkup.finding import Finding
from sentienguard.cli.installation import processes
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane.settings import Settings

OLDEST_PYTHON: Final = (3, 11)
LEAST_FREE_BYTES: Final = 200 << 20  # metrics, log and workflow database of some weeks
LEAST_FREE_INODES: Final = 1_000  # a spool and a log are many small files
CLOCK_SLACK_S: Final = 5.0  # what two clocks may differ by
EPOCH_AT_LEAST: Final = datetime(2025, 1, 1, tzinfo=UTC)  # a clock before this was never set
PRIVATE: Final = (
    "cli-token", client.FIRST_LOGIN_FILE, "offline", "controlplane/keys", "agent/executor"
)  # fmt: skip
_LISTENING: Final = "0A"  # TCP_LISTEN in /proc/net/tcp
WRITTEN: Final = ("controlplane", "agent", "run", "logs")  # by our processes, all the time


def python() -> Iterator[Finding]:
    """Look at the interpreter."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] >= OLDEST_PYTHON:
        yield finding.ok("python", found)
    else:
        yield finding.wrong("python", found, "install Python 3.11 or newer")


def clock(places: Places) -> Iterator[Finding]:
    """Look whether the clock was ever set, and whether it went back since our files were written.

    Files are the witness that an installation always has: what it wrote bears the time of then.
    """
    now = datetime.now(UTC)
    shown = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    mend = "set it (timedatectl set-ntp true); certificates, orders and incidents carry its time"
    ahead = _newest(places) - now.timestamp()
    if now < EPOCH_AT_LEAST:
        yield finding.wrong("clock", f"{shown}: it was never set", mend)
    elif ahead > CLOCK_SLACK_S:
        yield finding.wrong(
            "clock", f"{shown}, and files of this installation are {ahead:.0f} s newer", mend
        )
    else:
        yield finding.ok("clock", shown)


def space(data: Path) -> Iterator[Finding]:
    """Look whether there is room to write, and whether anything can be written."""
    free = shutil.disk_usage(data).free
    shown = f"{free >> 20:,} MiB free under {data}"
    state = os.statvfs(data)
    if state.f_flag & os.ST_RDONLY:
        yield finding.wrong(
            "disk space", f"{data} is mounted for reading only", "mount it for writing again"
        )
    elif free < LEAST_FREE_BYTES:
        yield finding.wrong(
            "disk space",
            shown,
            f"free at least {LEAST_FREE_BYTES >> 20} MiB there; without space nothing is "
            "recorded, and what is not recorded is not executed",
        )
    elif state.f_files and state.f_favail < LEAST_FREE_INODES:
        yield finding.wrong(
            "disk space",
            f"{state.f_favail} inodes free under {data}",
            f"remove files there until {LEAST_FREE_INODES} are free: df -i {data}",
        )
    else:
        yield finding.ok("disk space", shown)


def modes(places: Places) -> Iterator[Finding]:
    """Look who may read keys and tokens, and whether we may write what we have to."""
    private = [places.data, *(places.data / name for name in PRIVATE)]
    here = [path for path in private if path.exists()]
    open_ones = [
        path for path in here if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    written = [places.data / name for name in WRITTEN if (places.data / name).exists()]
    foreign = [path for path in (*here, *written) if path.stat().st_uid != os.geteuid()]
    shut = [path for path in written if stat.S_IMODE(path.stat().st_mode) & 0o700 != 0o700]  # noqa: PLR2004  # rwx of the owner
    if open_ones:
        names = " ".join(str(path) for path in open_ones)
        yield finding.wrong("modes", f"others may read {names}", f"chmod go-rwx {names}")
    elif foreign:
        yield finding.wrong(
            "modes",
            f"{foreign[0]} belongs to another user",
            f"run commands as the user who ran `sentienguard up`, or give it back: "
            f"chown -R {os.geteuid()} {places.data}",
        )
    elif shut:
        names = " ".join(str(path) for path in shut)
        yield finding.wrong("modes", f"nothing can be written in {names}", f"chmod u+rwx {names}")
    else:
        yield finding.ok("modes", "keys and tokens are readable by their owner alone")


def ports(settings: Settings) -> Iterator[Finding]:
    """Look whether the ports of a control plane that does not run are free."""
    wanted = (
        ("people_port", settings.people_host, settings.people_port),
        ("agents_port", settings.agents_host, settings.agents_port),
    )
    for name, host, port in wanted:
        problem = _not_free(host, port)
        if problem:
            yield finding.wrong(
                "ports",
                f"{name} {port}: {problem}",
                f"end what listens there, or set another {name} in sentienguard.yaml "
                "(agents that are enrolled look for the old agents_port)",
            )
            return
    yield finding.ok("ports", f"{settings.people_port} and {settings.agents_port} are free")


def last_line(places: Places, name: str) -> str:
    """Return what a process of ours said last, for a finding about it."""
    lines = processes.tail(places.log(name), lines=1).strip()
    return f"; it last said: {lines[:200]}" if lines and places.log(name).exists() else ""


def _newest(places: Places) -> float:
    """Return when the newest file of an installation was written; 0 where there is none."""
    if not places.data.is_dir():
        return 0.0
    found = 0.0
    for name in WRITTEN:
        for path in (places.data / name).rglob("*"):
            try:
                found = max(found, path.lstat().st_mtime)
            except OSError:
                continue  # gone meanwhile
    return found


def _not_free(host: str, port: int) -> str:
    """Say why nothing can listen there; empty where it can, and for 0, which takes a free one."""
    if port == 0:
        return ""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"taken{_holder(port)}"
            return f"{host}: {error.strerror}"
    return ""


def _holder(port: int) -> str:
    """Name the process that listens on a port, as far as we may see it."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = [line.split() for line in Path(table).read_text("ascii").splitlines()[1:]]
        except OSError:
            continue
        for row in rows:
            if row[1].rpartition(":")[2] == wanted and row[3] == _LISTENING:
                return _owner(f"socket:[{row[9]}]")
    return ""


def _owner(link: str) -> str:
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(handle.readlink()) == link:
                pid = int(handle.parts[2])
                return f" by process {pid} ({' '.join(processes.command_line(pid))[:60]})"
        except OSError:
            continue  # gone meanwhile, or not ours to see
    return " by a process of another user"
