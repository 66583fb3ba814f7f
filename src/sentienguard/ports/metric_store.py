"""Keep what hosts measured, and give it back by series and time.

Called by the control plane: intake appends and reads recent history, the learning loop reads seven
days, housekeeping compacts and prunes. Offered by adapters.metric_blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Series


class MetricStoreFull(errors.Unavailable):
    """There is no room to keep readings in; the store is as it was before the call."""


class MetricStoreBusy(errors.Unavailable):
    """The store cannot be reached or written just now; the same call may succeed later."""


class MetricStoreDamaged(errors.Broken):
    """What is stored cannot be read back; restore it or move it away."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one series, ascending in time."""

    times_ms: NDArray[np.int64]  # UTC milliseconds since 1970
    values: NDArray[np.float64]  # in the unit of the metric, as long as `times_ms`

    def __len__(self) -> int:
        """Count the readings."""
        return len(self.times_ms)


class MetricStore(Protocol):
    """Readings of many series, from any thread."""

    def append(
        self, agent: AgentId, sample_at: datetime, values: Sequence[tuple[Series, float]]
    ) -> None:
        """Keep the readings of one moment; they are durable when this returns.

        A reading of the same series and moment replaces the earlier one. All or nothing. Raises
        MetricStoreFull, MetricStoreBusy, and Rejected for a reading that is no finite number.
        """

    def range(self, series: Series, start: datetime, end: datetime) -> Readings:
        """Return the readings with start <= time < end; an unknown series has none."""

    def latest(self, host: str) -> Mapping[Series, tuple[datetime, float]]:
        """Return the newest reading of each series of a host, with its time."""

    def series(self, host: str) -> tuple[Series, ...]:
        """Return every series of a host that was ever appended and not pruned, sorted."""

    def compact(self) -> int:
        """Move recent readings into compressed blocks; return how many readings moved.

        For a background thread. Readers see the same readings before, during and after.
        """

    def prune(self, before: datetime) -> int:
        """Drop blocks that end before this time, and tell how many readings went.

        A block that reaches over the time stays whole.
        """
