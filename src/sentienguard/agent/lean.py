"""Start one of the agent's processes in an interpreter of its own, with nothing it does not need.

Called by the command line, which has loaded argparse and more, and by the supervisor. The new
interpreter is isolated from the environment and from the current directory (no PYTHONPATH, no proxy
settings, no SSLKEYLOGFILE). The collector and the supervisor also do without `site`: the standard
library is all that they may import, and that saves 5 MB.
"""

import os
import sys
from pathlib import Path

ROLES = ("collector", "executor")
_ROOT = Path(__file__).resolve().parents[2]  # the directory that holds the package
_LEAN = frozenset({"collector", "supervisor"})  # roles that run on the standard library alone

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
    " from sentienguard.agent import {role}; sys.exit({role}.main(Path(sys.argv[2]){more}))"
)
# The executor's cryptography library brings an OpenSSL of its own. Without this, hashlib would load
# the system's as well: 3.5 MB for hashes that Python has built in.
_OWN_HASHES = "import sys; sys.modules['_hashlib'] = None; "
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "MALLOC_ARENA_MAX": "1",  # one heap for all threads: about 3 MB less
    "MALLOC_TRIM_THRESHOLD_": "65536",  # give freed memory back
}


def command(role: str, directory: Path, *, supervisor: int = 0) -> list[str]:
    """Return argv of a process: collector, executor or supervisor."""
    more = f", supervisor={supervisor}" if role == "collector" and supervisor else ""
    isolation = ["-I", "-S"] if role in _LEAN else ["-I"]
    start = _START.format(role=role, more=more)
    if role == "executor":
        start = _OWN_HASHES + start
    return [sys.executable, *isolation, "-c", start, str(_ROOT), str(directory)]


def environment() -> dict[str, str]:
    """Return the whole environment of a process."""
    return dict(_ENVIRONMENT)


def become(role: str, directory: Path) -> None:
    """Turn this process into another one; returns only by raising OSError."""
    argv = command(role, directory)
    os.execve(argv[0], argv, environment())  # noqa: S606 - no shell is the point
