"""Keep what hosts measured, and give it back by series and time.

Called by the control plane: intake appends and reads recent history, the learning loop reads seven
days, queries read many series at once, housekeeping compacts and ages. Offered by
adapters.metric_blocks.

Two kinds of series live here side by side:

- Our agents' own have no labels. `series` and `latest` speak of these alone, so that whoever
  learns, judges and shows hosts never meets a name twice.
- Series of other systems (remote write, OTLP, an import) have labels. `metric` is their name as it
  was sent (`node_load1`), `host` what they are of ("" where nothing says), `subject` empty, and
  `labels` all other labels as sent, sorted by name, without empty values. `labels` never holds
  `__name__`, `host` or `subject`. It holds `environment`, put there by whoever took the series in
  (from the sender's token, never from what was sent). A series from elsewhere that has no label at
  all left gets `environment` at least, so the two kinds cannot be confused.

All are found by `metrics` and `find`, and read by `range` and `read`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
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


class Aspect(StrEnum):
    """What is asked of a window whose single readings are gone."""

    LAST = "last"  # the newest reading of the window, at its own time
    LOWEST = "lowest"
    HIGHEST = "highest"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one series, ascending in time.

    The oldest may stand for a window of readings each: such a row has the time of the newest of
    them, the value that was asked for, and their number.
    """

    times_ms: NDArray[np.int64]  # UTC milliseconds since 1970
    values: NDArray[np.float64]  # in the unit of the metric, as long as `times_ms`
    counts: NDArray[np.int64] | None = None  # readings that each row stands for; None: one each
    widths_ms: NDArray[np.int64] | None = None  # time that each row stands for; None: a moment each

    def __len__(self) -> int:
        """Count the readings."""
        return len(self.times_ms)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long readings are kept, and how finely."""

    raw: timedelta = timedelta(days=90)  # every reading
    five_minutes: timedelta = timedelta(
        days=365
    )  # then last, least, most, sum of five minutes each
    hours: timedelta = timedelta(days=5 * 365)  # then of an hour each; then nothing


@dataclass(frozen=True, slots=True)
class Moment:
    """What was measured at one moment."""

    at: datetime
    values: Sequence[tuple[Series, float]] = field(default_factory=tuple)


class MetricStore(Protocol):
    """Readings of many series, from any thread."""

    def append(
        self, agent: AgentId, sample_at: datetime, values: Sequence[tuple[Series, float]]
    ) -> None:
        """Keep the readings of one moment; they are durable when this returns.

        A reading of the same series and moment replaces the earlier one. All or nothing. Raises
        MetricStoreFull, MetricStoreBusy, and Rejected for a reading that is no finite number.
        """

    def append_all(self, moments: Sequence[Moment]) -> None:
        """Keep the readings of many moments in one commit; else as `append`."""

    def load(self, series: Series, readings: Readings) -> None:
        """Keep a stretch of one series' past at once, as `append` would its moments.

        For imports: the stretch goes straight into blocks. Times ascend, none twice; finite values.
        """

    def range(self, series: Series, start: datetime, end: datetime) -> Readings:
        """Return the readings with start <= time < end; an unknown series has none.

        Where single readings are gone, the last of each window stands for it.
        """

    def metrics(self) -> tuple[str, ...]:
        """Return the metric of every series there is, each once, sorted."""

    def find(self, metric: str) -> Sequence[Series]:
        """Return every series of a metric, of all hosts, labelled or not, in no order.

        A store may return the very same sequence again as long as it would have the same members.
        """

    def read(
        self, series: Sequence[Series], start: datetime, end: datetime, aspect: Aspect = Aspect.LAST
    ) -> Sequence[Readings]:
        """Return for each series what `range` would, and what `aspect` asks of windows.

        Cheaper than `range` for each: series of a host share their times. The caller bounds how
        many it asks for at once; `read` holds all of them.
        """

    def latest(
        self, host: str, metrics: Collection[str] = ()
    ) -> Mapping[Series, tuple[datetime, float]]:
        """Return the newest reading of each series without labels of a host, with its time.

        `metrics` names those that are wanted, a few; empty: all.
        """

    def latest_of(
        self, hosts: Collection[str], metrics: Collection[str] = ()
    ) -> Mapping[str, Mapping[Series, tuple[datetime, float]]]:
        """Return for each of these hosts what `latest` would; cheaper than to ask for each."""

    def series(self, host: str) -> tuple[Series, ...]:
        """Return every series without labels of a host that was appended and not pruned, sorted."""

    def compact(self) -> int:
        """Move recent readings into compressed blocks; return how many readings moved.

        For a background thread. Readers see the same readings before, during and after.
        """

    def prune(self, before: datetime) -> int:
        """Drop blocks that end before this time, and tell how many readings went.

        A block that reaches over the time stays whole.
        """

    def age(self, now: datetime, retention: Retention) -> int:
        """Fold what is too old to be kept singly into windows, and drop what is too old for those.

        Return how many readings went. For a background thread, as `compact`; repeating it changes
        nothing. Where it is used, `prune` is not needed.
        """
