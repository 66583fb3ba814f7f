"""Hint to the other control planes that something changed.

Called by controlplane.live. Offered by adapters.sql_store. A signal is a hint and may be lost or
come twice; the truth is in the stores.
"""

from collections.abc import Callable
from typing import Protocol


class Signals(Protocol):
    """Short texts from each process of a database to all others."""

    def start(self, heard: Callable[[str], None], missed: Callable[[], None]) -> None:
        """Hear the others' signals from now on; `missed` is called after any may have been lost."""

    def send(self, signal: str) -> None:
        """Send soon, from any thread; a long one is dropped."""

    def stop(self) -> None:
        """Send and hear no more."""
