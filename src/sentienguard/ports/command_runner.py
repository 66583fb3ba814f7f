"""Run one command on a host, and end every process it started.

Called by stages.execute (steps and checks of kind command). Offered by
adapters.local_host.command_runner and by simulated hosts.

Rules that an implementation keeps:

1. argv reaches the program as it is: no shell, no templating, no search beyond a fixed PATH.
2. Environment is PATH, LANG=C and the mark below; cwd is /; stdin is empty.
3. On a limit or an interrupt the whole process group dies (SIGTERM, then SIGKILL), and so does
   whatever left the group but still carries the mark. Nothing survives; no pipe keeps the call.
4. What remains in the group after the command itself ended is ended too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sentienguard.model import errors
from sentienguard.ports import interrupt as interrupts


class CommandNotRunnable(errors.Rejected):
    """The program is not there or may not be run; nothing was started."""


class Ending(StrEnum):
    """Why a command is over."""

    EXITED = "exited"  # by itself, with `exit_code`
    TIMED_OUT = "timed_out"  # ended by us at its limit; what it did before is unknown
    STOPPED = "stopped"  # ended by us because somebody asked; what it did before is unknown


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """Names a running command over restarts of whoever started it."""

    pgid: int
    started: int  # clock ticks after boot at which its leader started: tells a reused number apart


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What came out of one command."""

    ending: Ending
    exit_code: int | None  # negative: killed by that signal; None: ended by us
    stdout: str  # at most model.playbook.MAX_OUTPUT_BYTES of it, undecodable bytes replaced
    stderr: str
    truncated: bool  # more came than was kept
    duration_ms: int


class CommandRunner(Protocol):
    """Starts commands of one host."""

    def run(
        self,
        argv: Sequence[str],
        *,
        limit: float,
        mark: str,
        interrupt: interrupts.Interrupt,
        as_user: str = "",
        started: Callable[[ProcessGroup], None] | None = None,
    ) -> CommandResult:
        """Run argv for at most `limit` seconds and return what came out.

        An empty `as_user` is the executor's own user. `mark` travels in the environment of every
        process of the command, so that `end_marked` finds them after a crash. `started` hears the
        group as soon as it exists.
        Never raises for a status other than 0; raises CommandNotRunnable if nothing started.
        """

    def end_marked(self, mark: str, groups: Sequence[ProcessGroup]) -> int:
        """Kill what an earlier run left under this mark or in these groups; return how many."""

    def boot(self) -> str:
        """Name the time since the host was last started; processes of an earlier one are gone."""

    def locate(self, program: str) -> str | None:
        """Return the path of a program on the fixed PATH, or None."""
