"""Ask whether somebody wants this execution to stop.

Called by stages.execute between its pieces and by command runners while a command runs. Offered by
agent.executor (a person's stop order), by adapters.local_host.interrupt and by simulations.
"""

from typing import Protocol


class Interrupt(Protocol):
    """A request to stop that comes at most once and is never taken back."""

    def requested(self) -> str | None:
        """Return who asked to stop, or None while nobody has."""

    def wait(self, seconds: float) -> bool:
        """Wait until a stop is requested or `seconds` have passed; tell whether it is requested."""
