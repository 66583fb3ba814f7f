"""The supervisor: both processes of the agent as children, started again when they end.

Called by `sentienguard-agent run` without a role, for hosts without systemd. It does nothing else,
so that there is nothing in it to fail. A child that ends soon after its start waits longer before
the next one, up to a minute. SIGTERM and SIGINT go to both children; those that do not end within
`GRACE_S` are killed.
"""

import os
import signal
import time
from pathlib import Path

from sentienguard.agent import diary, lean

GRACE_S = 5.0  # for the children to end; a step that runs is stopped and journaled by the executor
SETTLED_S = 30.0  # a child that ran so long starts again at once
MOST_PAUSE_S = 60.0
_SIGNALS = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT})


class Child:
    """One of the two processes."""

    def __init__(self, role: str, directory: Path) -> None:
        self.role = role
        self.pid = 0  # 0: not running
        self.due = 0.0  # monotonic time of the next start
        self._directory = directory
        self._began = 0.0
        self._pause_s = 0.5

    def start(self) -> None:
        """Start it, with no signal blocked. Raises OSError."""
        argv = lean.command(self.role, self._directory, supervisor=os.getpid())
        self._began = time.monotonic()
        self.pid = os.posix_spawn(
            argv[0], argv, lean.environment(), setsigmask=[], setsigdef=[signal.SIGINT]
        )

    def ended(self) -> float:
        """Note that it ended; return the seconds until the next start."""
        settled = time.monotonic() - self._began >= SETTLED_S
        pause = 0.5 if settled else self._pause_s
        self._pause_s = min(pause * 2, MOST_PAUSE_S)
        self.pid, self.due = 0, time.monotonic() + pause
        return pause


def main(directory: Path) -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    told = diary.Diary("supervisor")
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    children = [Child(role, directory) for role in lean.ROLES]
    while True:
        _start_due(children, told)
        waiting = [child.due - time.monotonic() for child in children if not child.pid]
        got = signal.sigtimedwait(_SIGNALS, max(min(waiting, default=3600.0), 0.05))
        if got is not None and got.si_signo != signal.SIGCHLD:
            return _end(children, told)
        for child in _reap(children):
            told.tell("child ended", role=child.role, again_in_s=round(child.ended(), 1))


def _start_due(children: list[Child], told: diary.Diary) -> None:
    for child in children:
        if child.pid or child.due > time.monotonic():
            continue
        try:
            child.start()
        except OSError as error:
            told.failed(f"start of the {child.role}", error)
            child.ended()
        else:
            told.tell("child started", role=child.role, pid=child.pid)


def _reap(children: list[Child]) -> list[Child]:
    """Return the children that have ended."""
    return [child for child in children if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]]


def _end(children: list[Child], told: diary.Diary) -> int:
    until = time.monotonic() + GRACE_S
    left = [child for child in children if child.pid]
    for child in left:
        os.kill(child.pid, signal.SIGTERM)
    while left and time.monotonic() < until:
        signal.sigtimedwait({signal.SIGCHLD}, 0.1)
        done = _reap(left)
        left = [child for child in left if child not in done]
    for child in left:
        told.tell("child killed", role=child.role, pid=child.pid)
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
    return 0
