"""The host as an execution sees it: its ports in one bundle.

Called by everything in this package; put together by agent.executor and by simulations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from sentienguard.model import ids
from sentienguard.ports import (
    clock,
    command_runner,
    facts,
    files,
    http_probe,
    kernel_settings,
    log_reader,
    processes,
    remote_objects,
    services,
)
from sentienguard.ports import databases as database_ports
from sentienguard.ports import locks as lock_ports
from sentienguard.ports import open_files as open_file_ports
from sentienguard.ports import servers as server_ports


class NoRelay:
    """A ports.remote_objects.RemoteObjects of a host that is no relay: it knows no object."""

    def _refuse(self, *_: object) -> NoReturn:
        raise remote_objects.UnknownObject(
            "this host is no relay; its owner declares targets under `relays` in agent.json"
        )

    allow = measure = look = rehearse = act = restore = _refuse


class NoDatabases:
    """A ports.databases.Databases of a host whose owner declared none."""

    def names(self) -> frozenset[str]:
        """Return nothing."""
        return frozenset()

    def _refuse(self, name: str, *_: object, **__: object) -> NoReturn:
        raise database_ports.NoDatabase(
            f"service {name} has no database; declare it under `databases` in agent.json"
        )

    ask = act = measure = _refuse


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
    remotes: remote_objects.RemoteObjects = field(default_factory=NoRelay)
    databases: database_ports.Databases = field(default_factory=NoDatabases)
    servers: server_ports.Servers | None = None  # None of these: the host does not offer it
    open_files: open_file_ports.OpenFiles | None = None
    locks: lock_ports.Locks | None = None
    kernel: kernel_settings.KernelSettings | None = None


def stopped_by(why: str) -> str:
    """Return who stops an order on a host that forbids execution while it runs."""
    return f"this host: {why}"


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
