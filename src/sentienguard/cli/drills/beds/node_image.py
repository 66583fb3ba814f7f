"""The Debian root that nodes are layered upon: made once by debootstrap, kept, never written again.

It lies in /var/cache and is named after what is in it, so that a change of the list makes a new
one. Services in it do not start by themselves: a drill starts those that it is about.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sentienguard.cli.drills.beds import bed

CACHE = Path("/var/cache/sentienguard/drills")
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus"),
    # what the agent needs; debootstrap does not look for what provides cffi by another name
    *("python3", "python3-cryptography", "python3-cffi-backend", "python3-yaml"),
    *("procps", "iproute2", "cron", "curl"),  # what scripts use
    *("nginx-light", "redis-server", "postgresql"),  # what breaks
    "libfaketime",  # shows a server another hour, where a fault would take as long to ripen
)
QUIET = (
    *("nginx", "redis-server", "postgresql", "cron", "apt-daily.timer", "apt-daily-upgrade.timer"),
    *("e2scrub_all.timer", "fstrim.timer", "dpkg-db-backup.timer"),
)
MASKED = ("systemd-timesyncd", "console-getty", "getty@tty1", "systemd-networkd")
TOOLS = ("debootstrap", "systemd-nspawn", "nsenter", "mount", "umount", "chroot")
MAKE_S = 1200.0  # downloads about 120 MB


def why_not() -> str:
    """Say why this machine allows no nodes; empty: it does."""
    if os.geteuid() != 0:
        return "nodes need root"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=bed.PATH) is None]
    if missing and not (missing == ["debootstrap"] and place().is_dir()):
        return f"nodes need {', '.join(missing)}: apt-get install systemd-container debootstrap"
    return ""


def usable(beds: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of bed that this machine allows, in the order given."""
    refused = "node" if why_not() else ""
    return tuple(kind for kind in beds if kind != refused)


def place() -> Path:
    """Return where the root lies."""
    said = "\n".join((SUITE, *PACKAGES, *QUIET, *MASKED)).encode()
    return CACHE / f"{SUITE}-{hashlib.sha256(said).hexdigest()[:12]}"


def root(tell: Callable[[str], None]) -> Path:
    """Return the root, making it where it is not there yet. Raises bed.CannotMake."""
    if reason := why_not():
        raise bed.CannotMake(reason)
    found = place()
    CACHE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone():
        if not found.is_dir():
            tell("making a Debian root for throw-away hosts, once; this takes about a minute")
            _make(found)
    return found


def _make(found: Path) -> None:
    draft = found.with_name(f"{found.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    included = ",".join(PACKAGES)
    _run("debootstrap", "--variant=minbase", f"--include={included}", SUITE, str(draft), MIRROR)
    _run("chroot", str(draft), "systemctl", "--quiet", "disable", *QUIET)
    _run("chroot", str(draft), "systemctl", "--quiet", "mask", *MASKED)
    (draft / "etc/machine-id").write_bytes(b"")
    for archive in (draft / "var/cache/apt/archives").glob("*.deb"):
        archive.unlink()
    draft.rename(found)


def _run(*argv: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # argv written here, no shell
            argv,
            capture_output=True,
            text=True,
            timeout=MAKE_S,
            check=False,
            env={"PATH": bed.PATH, "LANG": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise bed.CannotMake(f"{argv[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise bed.CannotMake(f"{argv[0]} ended with {done.returncode}: {' / '.join(said)}")


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time make the root."""
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
