"""The host as an execution sees it: its ports in one bundle.

Called by everything in this package; put together by agent.executor and by simulations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sentienguard.model import ids
from sentienguard.ports import (
    clock,
    command_runner,
    facts,
    files,
    http_probe,
    log_reader,
    processes,
    services,
)


@dataclass(frozen=True, slots=True)
class Host:
    """What can be asked of one host, and done to it."""

    name: str  # as people call it; exclusions match it
    tags: Mapping[str, str]  # of the host's owner; they outrank tags that an order brings
    clock: clock.Clock
    commands: command_runner.CommandRunner
    facts: facts.Facts
    files: files.Files
    http: http_probe.HttpProbe
    logs: log_reader.LogReader
    processes: processes.Processes
    services: services.Services
    forbidden: Callable[[], str | None]  # why nothing may run here now: maintenance, a marker file
    running: Callable[[], frozenset[ids.OrderId]]  # orders that run now
    redact: Callable[[str], str]  # takes secrets out of captured output


class Uninterrupted:
    """The interrupt of an undo: whoever stopped the order wants its effects gone."""

    def __init__(self, clock: clock.Clock) -> None:
        """Take the clock that waits."""
        self._clock = clock

    def requested(self) -> str | None:
        """Return nobody."""
        return None

    def wait(self, seconds: float) -> bool:
        """Wait the whole time."""
        self._clock.sleep(seconds)
        return False
