"""Share what hosts normally do between control planes that each have readings of their own.

Called by controlplane.baselines. Offered by adapters.sql_store. What is shared is learned, not
measured: it can be learned again and may be dropped.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SharedProfiles:
    """The baselines of one host as one control plane learned them."""

    readings: int  # that they were learned from; more is better
    learned_at: datetime  # UTC
    content: bytes  # as stages.detect.baseline wrote it


class ProfileStore(Protocol):
    """The best known profiles of each host."""

    def put(self, host: str, profiles: SharedProfiles, *, outdated: datetime) -> bool:
        """Keep these, unless better ones are kept that were learned after `outdated`."""

    def get(self, host: str) -> SharedProfiles | None:
        """Return those of a host."""
