"""Look at and control the services of a host.

Called by stages.execute (step `service`, facts, parameters of type service). Offered by
adapters.local_host.services (systemd units where systemd runs, and services that the owner of the
agent declares) and by simulated hosts. Every operation is idempotent: starting what runs and
stopping what is stopped changes nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sentienguard.model import errors


class UnknownService(errors.Rejected):
    """This host has no service of that name."""


class ServiceFailed(errors.Unavailable):
    """The service did not do as it was told within the limit."""


class Status(StrEnum):
    """How a service is."""

    RUNNING = "running"
    STOPPED = "stopped"
    HUNG = "hung"  # its process lives and is stopped, or its health address does not answer
    MISSING = "missing"  # declared or referred to, but this host cannot start it


@dataclass(frozen=True, slots=True)
class Service:
    """What is known of one service whether it runs or not."""

    name: str
    health_url: str | None = None  # on loopback; None: judged by its process alone
    log_file: str | None = None
    config_file: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """How one service is at one moment."""

    status: Status
    pid: int | None = None  # its main process; None: none lives
    started: int | None = None  # clock ticks after boot at which that process started

    @property
    def alive(self) -> bool:
        """Tell whether it has a process, healthy or not."""
        return self.pid is not None


class Services(Protocol):
    """The services of one host."""

    def names(self) -> frozenset[str]:
        """Return the names that an order may use."""

    def describe(self, name: str) -> Service:
        """Return what is known of it. Raises UnknownService, after a look at what is there now."""

    def state(self, name: str) -> State:
        """Measure it now. Raises UnknownService."""

    def start(self, name: str, limit: float) -> None:
        """Make it run, detached from the caller. Raises UnknownService, ServiceFailed."""

    def stop(self, name: str, limit: float) -> None:
        """Ask it to end, and end its whole group by force before `limit` seconds are over.

        Raises UnknownService, ServiceFailed.
        """

    def kill(self, name: str, limit: float) -> None:
        """End its whole group by force at once. Raises UnknownService, ServiceFailed."""

    def leftovers(self, name: str) -> int:
        """Count what its dead main process left running; 0 while it lives. Raises UnknownService.

        Only what is surely of this service counts: members of the process group that the dead one
        led. Where systemd holds a unit's processes together, there are none.
        """

    def end_leftovers(self, name: str, limit: float) -> int:
        """End them and return how many; none while it lives.

        Raises UnknownService, ServiceFailed.
        """

    def reload(self, name: str, limit: float) -> None:
        """Have it read its configuration again. Raises UnknownService, ServiceFailed."""
