"""Run a server program of this machine for tests: on loopback, by process id, gone afterwards."""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import httpx

STARTS_WITHIN_S = 90  # a loaded machine needs most of it
STOPS_WITHIN_S = 10  # after that it is killed
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without it each question reads 140 authorities


def found(names: Sequence[str]) -> str | None:
    """Return the path of the first of these programs that is here."""
    return next((path for name in names if (path := shutil.which(name))), None)


@contextlib.contextmanager
def running(
    argv: Sequence[str],
    place: pathlib.Path,
    ready: str | Callable[[], bool],
    *,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a program until the block ends.

    It is up when the address `ready` answers 200, or the question `ready` with true. As root, it
    runs as `user`, who gets the place.
    """
    log = place / "log"
    account = pwd.getpwnam(user) if user is not None and os.geteuid() == 0 else None
    if account is not None:
        os.chown(place, account.pw_uid, account.pw_gid)
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            cwd=place,
            env=None if environment is None else {"PATH": os.environ["PATH"], **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
        )
    up = (lambda: _answers(ready)) if isinstance(ready, str) else ready
    try:
        wait_for(lambda: up() or _died(process, log), f"{argv[0]} to answer")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(look: Callable[[], object], what: str, within_s: float = STARTS_WITHIN_S) -> None:
    """Look again until there is something."""
    until = time.monotonic() + within_s
    while not look():
        if time.monotonic() > until:
            raise RuntimeError(f"waited {within_s:g} s for {what}")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def missing(names: Sequence[str], package: str) -> str | None:
    """Say why no such server can run here; None where one can."""
    return None if found(names) else f"no {names[0]} (as root: apt-get install {package})"


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections on this port of loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        answer = httpx.get(address, timeout=2, trust_env=False, verify=NO_TLS)
        return answer.status_code == 200
    return False


def _died(process: "subprocess.Popen[bytes]", log: pathlib.Path) -> bool:
    if process.poll() is None:
        return False
    raise RuntimeError(f"it ended with status {process.returncode}:\n{log.read_text()[-4000:]}")
