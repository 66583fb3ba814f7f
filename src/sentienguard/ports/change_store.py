"""Keep what was changed in an environment: deployments, configuration, flags, commits.

Called by controlplane (changes, known_changes, housekeeping) and flow.diagnosing. Offered by
adapters.sql_store, and to be read by adapters.git_log too. Texts come redacted into the store; they
stay untrusted.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sentienguard.model.evidence import Changed


class ChangeReader(Protocol):
    """Changes by environment and time, from wherever they come."""

    def between(
        self, environment: str, start: datetime, end: datetime, *, limit: int
    ) -> Sequence[Changed]:
        """Return what took effect with start <= at < end, newest first."""


class ChangeStore(ChangeReader, Protocol):
    """Changes that were told, kept."""

    def put(self, environment: str, changes: Sequence[Changed], *, received_at: datetime) -> int:
        """Keep changes; durable when it returns. Return how many were new.

        One whose id the environment has already is the same change, told again: nothing happens.
        """

    def forget(self, before: datetime) -> int:
        """Drop what took effect before then; return how many changes."""
