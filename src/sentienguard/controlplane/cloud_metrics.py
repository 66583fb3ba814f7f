"""Pull readings that another system keeps into ours, round after round.

Put together by controlplane.app_cloudwatch, run by loops.pulling. Rules:

1. What is read passes the same desk as what is pushed: named, bounded, kept in one commit with
   others, then watched. The place that a round reached moves on after that commit, so a crash or a
   store without room loses nothing that the other system still has.
2. Windows overlap, because readings come late there: each round reads `OVERLAP` again. Of a reading
   that was kept already nothing happens; one that was corrected replaces it.
3. Only what has settled is read: the newest `SETTLES` are left for the next round, since a period
   that is not over yet would be taken for a whole one.
4. After a refusal rounds come less often, twice as seldom each time up to `MOST_PAUSE_S`, with some
   chance in it, so that many control planes do not come together.
5. What was missed is fetched in stretches of `STRETCH`, at most `BEHIND` back.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeVar

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.telemetry_desk import TelemetryDesk
from sentienguard.model import errors
from sentienguard.ports.metric_source import MetricSource, Query, SourceRefused, SourceThrottled
from sentienguard.stages.observe import outside

log = logging.getLogger(__name__)
OVERLAP: Final = timedelta(minutes=15)
SETTLES: Final = timedelta(minutes=2)
STRETCH: Final = timedelta(hours=3)
BEHIND: Final = timedelta(hours=24)
MOST_PAUSE_S: Final = 900.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHANCE: Final = 0.25  # of a pause, added by chance
T = TypeVar("T")


class Ask(Protocol):
    """Runs what waits for the network beside the loop."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Return what the work returns; raise what it raises."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an owner's file asks for."""

    environment: str  # whose readings they are
    queries: tuple[Query, ...]
    every_s: float = 60.0
    backfill: timedelta = timedelta(hours=1)  # what the first round looks back


@dataclass(slots=True)
class _Group:
    """Queries of one period, and how far they were read."""

    period_s: int
    queries: Sequence[Query]
    through: datetime | None = None  # everything before it is durable
    kept: dict[tuple[int, int], float] = field(default_factory=dict)  # query, ms: rule 2


class CloudMetrics:
    """One plan at one source."""

    def __init__(
        self, centre: Centre, source: MetricSource, plan: Plan, desk: TelemetryDesk
    ) -> None:
        """Read from `source` what `plan` says; nothing is asked yet."""
        self._centre = centre
        self._source = source
        self._plan = plan
        self._desk = desk
        self._failures = 0
        by_period: defaultdict[int, list[Query]] = defaultdict(list)
        for one in plan.queries:
            by_period[one.period_s].append(one)
        self._groups = [_Group(period, found) for period, found in sorted(by_period.items())]

    @property
    def pause_s(self) -> float:
        """How long to wait before the next round (rule 4)."""
        if not self._failures:
            return self._plan.every_s
        chance = 1 + _CHANCE * self._centre.entropy.bytes(1)[0] / 255
        longest = max(MOST_PAUSE_S, self._plan.every_s)
        return float(min(self._plan.every_s * 2 ** min(self._failures, 16), longest) * chance)

    async def round(self, ask: Ask) -> None:
        """Read what is due; `ask` runs the reading beside the loop. Raises nothing expected."""
        try:
            for group in self._groups:
                while await self._advance(group, ask):
                    continue
        except SourceThrottled as cause:
            self._failed("throttled", cause)
        except SourceRefused as cause:
            self._failed("refused", cause)
        except (errors.Unavailable, errors.Broken) as cause:
            self._failed("away", cause)
        else:
            self._failures = 0

    async def _advance(self, group: _Group, ask: Ask) -> bool:
        """Read one stretch of a group; false: nothing more is due."""
        window = self._due(group, self._centre.clock.now())
        if window is None:
            return False
        start, end = window
        found = await ask(lambda: self._read(group, start, end))
        batch = outside.Batch(
            [
                outside.Sent(one.name, one.labels, found[number])
                for number, one in enumerate(group.queries)
                if found.get(number)
            ]
        )
        moments, taken = self._desk.sort(batch, self._plan.environment)
        if taken.refused:
            log.warning("readings of CloudWatch refused: %s", "; ".join(taken.reasons))
        await self._desk.keep(self._plan.environment, moments)  # rule 1
        self._remember(group, found, end)
        self._centre.counters.add("pulls_total", "answered")
        return True

    def _due(self, group: _Group, now: datetime) -> tuple[datetime, datetime] | None:
        period = timedelta(seconds=group.period_s)
        newest = _floor(now - SETTLES, group.period_s)  # rule 3
        if group.through is not None and newest < group.through - BEHIND:
            group.through = None  # the clock was set back: what was read is of another time
        if group.through is None:
            group.through = _floor(now - self._plan.backfill, group.period_s)
        if newest <= group.through:
            return None
        start = max(group.through - max(OVERLAP, period), newest - BEHIND)  # rules 2 and 5
        begin = _floor(start, group.period_s)
        return begin, min(newest, max(begin, group.through) + STRETCH)

    def _read(
        self, group: _Group, start: datetime, end: datetime
    ) -> dict[int, list[tuple[int, float]]]:
        """Return what is new or corrected, by query."""
        first, last = _ms(start), _ms(end)
        found: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
        counts = dict.fromkeys(("read", "repeated", "beyond_window"), 0)
        for page in self._source.read(group.queries, start, end):
            for number, points in page.points:
                for at_ms, value in points:
                    if not first <= at_ms < last:  # no answer to what was asked
                        counts["beyond_window"] += 1
                    elif group.kept.get((number, at_ms)) == value:
                        counts["repeated"] += 1
                    else:
                        counts["read"] += 1
                        found[number].append((at_ms, value))
            for said in page.problems:
                self._centre.counters.add("pulls_total", "partial")
                log.warning("CloudWatch: %s", said)
        for kind, many in counts.items():
            if many:
                self._centre.counters.add("pulled_points_total", kind, many)
        return found

    def _remember(
        self, group: _Group, found: Mapping[int, Sequence[tuple[int, float]]], end: datetime
    ) -> None:
        group.through = end
        oldest = _ms(end - max(OVERLAP, timedelta(seconds=group.period_s))) - group.period_s * 1000
        kept = {key: value for key, value in group.kept.items() if key[1] >= oldest}
        kept |= {
            (number, at_ms): value
            for number, points in found.items()
            for at_ms, value in points
            if at_ms >= oldest
        }
        group.kept = kept

    def _failed(self, kind: str, cause: Exception) -> None:
        self._failures += 1
        self._centre.counters.add("pulls_total", kind)
        log.warning("readings were not pulled: %s", cause)


def _floor(at: datetime, period_s: int) -> datetime:
    """Return the begin of the period that `at` is in."""
    return _EPOCH + timedelta(seconds=int((at - _EPOCH).total_seconds()) // period_s * period_s)


def _ms(at: datetime) -> int:
    return round((at - _EPOCH).total_seconds() * 1000)
