"""Control planes as processes, forked from one that has imported all of it already.

To import it takes three seconds of processor, and tests start it hundreds of times. What runs is
what `python -m sentienguard.controlplane` runs, in a process of its own, which can be killed and
frozen like any other. Installations, drills and kills start the real command.
"""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "sentienguard.controlplane.__main__",
        # What it imports only when it first needs it: a sixth of what a start takes of a processor.
        "anyio._backends._asyncio",
        "dbos._sys_db_sqlite",
        "sqlalchemy.dialects.sqlite",
        "uvicorn.lifespan.off",
        "uvicorn.protocols.http.auto",
    ]
)


class Forked:
    """A process that was started; says what subprocess.Popen would."""

    def __init__(self, arguments: list[str], *, environment: Mapping[str, str], said: Path) -> None:
        """Start the control plane with these arguments; what it prints is added to a file."""
        self._process = SERVER.Process(
            target=_run, args=(arguments, dict(environment), said), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, or minus the number of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Look whether it has ended."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        status = self.returncode
        if status is None:
            raise subprocess.TimeoutExpired("sentienguard.controlplane", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _run(arguments: list[str], environment: dict[str, str], said: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    diary = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for taken, place in ((nothing, 0), (diary, 1), (diary, 2)):
        os.dup2(taken, place)
    from sentienguard.controlplane import __main__ as control_plane  # in this process only

    sys.argv = [str(control_plane.__file__), *arguments]
    try:
        status = control_plane.main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
