"""Keep the kill switch and the silences.

Called by controlplane (decide step, api). Offered by adapters.sql_store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing runs while this stands."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Silence:
    """What is known and shall not be acted on for a while."""

    id: str
    host_pattern: str  # fnmatch
    metric_pattern: str  # fnmatch
    starts_at: datetime
    ends_at: datetime
    by: str
    reason: str

    def covers(self, host: str, metric: str, at: datetime) -> bool:
        """Tell whether this host and metric are silenced then."""
        matches = fnmatchcase(host, self.host_pattern) and fnmatchcase(metric, self.metric_pattern)
        return matches and self.starts_at <= at < self.ends_at


class Switches(Protocol):
    """What people have switched off."""

    def freeze(self) -> Freeze | None:
        """Return the freeze that stands, if one does."""

    def set_freeze(self, freeze: Freeze | None) -> None:
        """Set or clear the kill switch."""

    def add_silence(self, silence: Silence) -> None:
        """Keep a silence."""

    def silences(self, *, at: datetime) -> Sequence[Silence]:
        """Return those that stand or are still to come."""
