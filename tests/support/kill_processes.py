"""One process that is killed and started again, and how long it takes to be of use.

Called by tests.support.kill_fleet. Each kind says what its first useful answer is: the control
plane that incidents can run, the executor that it takes orders, the collector that the control
plane holds a sample which this very process took.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sentienguard.agent import executor_link, settings

LOOK_S = 0.01  # between two looks whether a process is of use again
GIVE_UP_S = 60.0  # that recovery may take before it counts as not coming
END_S = 20.0  # for a process to end after SIGTERM


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of one process after it was started again."""

    process: str
    seconds: float | None  # None: killed again before it was of use
    came: bool = True  # false: it was not of use within GIVE_UP_S


@dataclass
class Process:
    """A program of the product, started as its owner would and killed as a crash would."""

    name: str  # for people, such as "executor of host-1"
    argv: Sequence[str]
    log: Path
    answers: Callable[["Process"], bool]
    environment: Mapping[str, str] | None = None  # None: ours
    before_start: Callable[["Process"], None] = lambda _: None
    began: float = 0.0  # monotonic time of the last start
    first_number: int = 0  # collector: the first sample number that this process can give
    _child: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def start(self) -> None:
        """Start it; returns before it is of use."""
        self.before_start(self)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.argv,
                env=None if self.environment is None else dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.began = time.monotonic()

    def crash(self, meanwhile: Callable[[], None] = lambda: None) -> float:
        """Kill it with SIGKILL and start it again at once; return when it was started.

        `meanwhile` looks at what lies on its disk while nothing runs.
        """
        with self._turn:
            child = self._child
            assert child is not None, self.name
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            child.wait()
            meanwhile()
            self.start()
            return self.began

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self._child is not None, self.name
        return self._child.pid

    def ended_by_itself(self) -> bool:
        """Tell whether it is gone although nobody killed it."""
        return self._child is not None and self._child.poll() is not None

    def keep_up(self) -> None:
        """Start it again where it ended by itself, as whoever supervises it does."""
        with self._turn:
            if self.ended_by_itself():
                self.start()

    def wait(self, since: float, not_before: Callable[[], float]) -> Recovery:
        """Wait until the process that was started at `since` is of use.

        The clock runs from then, or from `not_before` where what it talks to came later.
        """
        while time.monotonic() - since < GIVE_UP_S:
            if self.began != since:
                return Recovery(self.name, None)
            if self.answers(self):
                now = time.monotonic()
                return Recovery(self.name, max(0.0, now - max(since, not_before())))
            time.sleep(LOOK_S)
        return Recovery(self.name, GIVE_UP_S, came=False)

    def stop(self) -> None:
        """End it in order; kill it where it does not end."""
        with self._turn:
            child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            child.wait(END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def centre_is_ready(port: int) -> Callable[[Process], bool]:
    """Return what asks the control plane at this port whether incidents can run."""

    def ready(_: Process) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ready


def executor_is_ready(directory: Path) -> Callable[[Process], bool]:
    """Return what asks the executor of this agent who it is, as its collector does first."""

    def ready(_: Process) -> bool:
        link = executor_link.ExecutorLink(settings.Places(directory).socket)
        try:
            return bool(link.ask("hello").get("agent_id"))
        except (executor_link.ExecutorAway, executor_link.NotDone):
            return False
        finally:
            link.close()

    return ready


def number_in(file: Path) -> int:
    """Read a file of the spool that begins with a number; 0 where there is none yet."""
    try:
        return int(file.read_bytes().split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def sample_is_accepted(directory: Path) -> Callable[[Process], bool]:
    """Return what looks whether the centre acknowledged a sample of the running collector.

    A crash gives up the rest of a reserved block of numbers, so a number tells whose sample it is.
    """
    file = settings.Places(directory).collector / "spool/acknowledged"
    return lambda process: number_in(file) >= process.first_number


def note_first_number(directory: Path) -> Callable[[Process], None]:
    """Return what notes, before a collector starts, which numbers will be its own."""
    file = settings.Places(directory).collector / "spool/seq"

    def note(process: Process) -> None:
        process.first_number = number_in(file) + 1

    return note
