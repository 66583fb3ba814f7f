"""Run a server program of this machine for tests: on loopback, by process id, gone afterwards."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

import httpx

STARTS_WITHIN_S = 30  # a loaded machine needs some of it
STOPS_WITHIN_S = 10  # after that it is killed


def found(names: Sequence[str]) -> str | None:
    """Return the path of the first of these programs that is here."""
    return next((path for name in names if (path := shutil.which(name))), None)


@contextlib.contextmanager
def running(argv: Sequence[str], place: pathlib.Path, ready: str) -> Iterator[None]:
    """Run a program until the block ends; it is up when the address `ready` answers 200."""
    log = place / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, cwd=place, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: _answers(ready) or _died(process, log), f"{argv[0]} to answer")
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


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(address, timeout=2, trust_env=False).status_code == 200
    return False


def _died(process: "subprocess.Popen[bytes]", log: pathlib.Path) -> bool:
    if process.poll() is None:
        return False
    raise RuntimeError(f"it ended with status {process.returncode}:\n{log.read_text()[-4000:]}")
