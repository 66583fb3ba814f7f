"""Keep who calls whom among services, as their traces told.

Called by controlplane (otlp, api.topology, housekeeping). Offered by adapters.sql_store.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sentienguard.model.topology import Edge, SeenEdge


class TopologyStore(Protocol):
    """Calls between services, by environment."""

    def saw(self, environment: str, calls: Mapping[Edge, int], *, at: datetime, most: int) -> int:
        """Remember calls, and how many of each came now; durable when it returns.

        Of edges that are new only so many are kept that the environment has at most `most`. Return
        how many were not.
        """

    def edges(self, environments: Sequence[str], *, since: datetime) -> Sequence[SeenEdge]:
        """Return the calls that were seen since then, by environment and names."""

    def forget(self, seen_before: datetime) -> int:
        """Drop what was last seen before then; return how many edges."""
