"""Readings of other systems: named, bounded, kept in one commit with others, then watched.

Called by controlplane.telemetry_door and put together by controlplane.telemetry. Rules:

1. `keep` returns after the commit that holds every reading that was not refused.
2. A series that is wrong, or beyond a limit, is refused by itself. Readings that repeat earlier
   ones change nothing; readings that come late take their place in the past.
3. What is no finite number is counted and left out. It is not refused: its sender did nothing
   wrong, and would be told so for ever.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.series_limits import SeriesLimits
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import Moment
from sentienguard.stages.observe import outside
from sentienguard.stages.observe.delta_sums import DeltaSums

Watch: TypeAlias = Callable[[str, Sequence[Moment]], None]
MOST_TOGETHER: Final = 64  # requests that share a commit
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Taken:
    """What became of the points of one body."""

    written: int = 0  # durable, or known to be no reading (rule 3)
    refused: int = 0
    reasons: list[str] = field(default_factory=list)  # why, of the first few


class TelemetryDesk:
    """Readings in, from `start` to `stop`."""

    def __init__(self, centre: Centre, watch: Watch) -> None:
        """Prepare; `watch` is told what is durable."""
        settings = centre.settings
        self._centre = centre
        self._watch = watch
        self._keeper = GroupCommit(centre.metrics.append_all, most=MOST_TOGETHER)
        self._deltas = DeltaSums()
        self._series: dict[tuple[str, bytes], Series] = {}
        self.names = outside.Names()  # of readers that know the bytes of a name
        self.limits = SeriesLimits(settings.series_per_host, settings.series_per_environment)

    def start(self) -> None:
        """Begin to take."""
        self._keeper.start()

    def stop(self) -> None:
        """Commit what was taken, and take nothing more."""
        self._keeper.stop()

    def sort(self, batch: outside.Batch, environment: str) -> tuple[Sequence[Moment], Taken]:
        """Return what of a batch is to be kept, by moment, and what became of the rest."""
        now_ms = int(self._centre.clock.now().timestamp() * 1000)
        monotonic = self._centre.clock.monotonic()
        found = _Sorted(batch, now_ms)
        for sent in batch.sent:
            try:
                series = self._named(sent, environment)
            except outside.Malformed as cause:
                found.refuse("malformed", str(cause), len(sent.points))
                continue
            beyond = self.limits.admit(environment, series, len(sent.points), monotonic)
            if beyond:
                found.refuse("over_limit", f"{str(series)[:200]}: beyond {beyond}; send fewer "
                             "series, or raise the setting", len(sent.points))  # fmt: skip
                continue
            points = self._deltas.add(series, sent.points) if sent.is_delta else sent.points
            found.add(series, points)
        for kind, many in (found.counts + batch.skipped).items():
            self._centre.counters.add("outside_points_total", kind, many)
        return found.moments(), found.taken

    def _named(self, sent: outside.Sent, environment: str) -> Series:
        """Name a series; the same bytes name the same one, so they are looked up first."""
        if not sent.key:
            return outside.series(sent, environment)
        place = (environment, sent.key)
        found = self._series.get(place)
        if found is None:
            found = outside.series(sent, environment)
            if len(self._series) >= outside.MAX_NAMES:
                self._series.clear()
            if len(sent.key) <= outside.MAX_KEY:
                self._series[place] = found
        return found

    async def keep(self, environment: str, moments: Sequence[Moment]) -> None:
        """Return once all are durable (rule 1). Raises what the store raises."""
        if moments:
            await self._keeper.keep(moments)
            self._watch(environment, moments)


class _Sorted:
    """The points of one batch, by moment."""

    def __init__(self, batch: outside.Batch, now_ms: int) -> None:
        self._now_ms = now_ms
        self._by_moment: defaultdict[int, list[tuple[Series, float]]] = defaultdict(list)
        self.taken = Taken(refused=batch.refused, reasons=list(batch.reasons))
        self.counts: Counter[str] = Counter()
        if batch.refused:
            self.counts["malformed"] += batch.refused

    def add(self, series: Series, points: Sequence[tuple[int, float]]) -> None:
        for at_ms, value in points:
            if not -outside.BEHIND_MS <= at_ms - self._now_ms <= outside.AHEAD_MS:
                self._refuse_moment(series, at_ms)
                continue
            self.taken.written += 1
            kind = outside.kind_of(value)
            self.counts[kind or "written"] += 1
            if not kind:
                self._by_moment[at_ms].append((series, value))

    def refuse(self, kind: str, reason: str, points: int) -> None:
        self.counts[kind] += points
        self.taken.refused += points
        if len(self.taken.reasons) < outside.MAX_REASONS:
            self.taken.reasons.append(reason)

    def moments(self) -> Sequence[Moment]:
        return [
            Moment(EPOCH + timedelta(milliseconds=at_ms), values)
            for at_ms, values in sorted(self._by_moment.items())
        ]

    def _refuse_moment(self, series: Series, at_ms: int) -> None:
        ahead = at_ms > self._now_ms
        apart = timedelta(milliseconds=min(abs(at_ms - self._now_ms), 10**14))
        self.refuse(
            "too_new" if ahead else "too_old",
            f"{str(series)[:160]}: expected a time at most {outside.AHEAD_MS // 60_000} minutes "
            f"ahead and {outside.BEHIND_MS // 86_400_000} days behind, found one {apart} "
            f"{'ahead' if ahead else 'behind'}; set the sender's clock",
            1,
        )
