"""Where evidence is missing: controls without an entry, and stretches without anybody's word.

Called by package and report. Nothing found is told as loudly as something found, because an auditor
who finds the gap alone trusts the rest less.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.stages.audit.evidence.control import Control, Framework
from sentienguard.stages.audit.evidence.population import Population, Row, moment

LONG_SILENCE_MS: Final = 24 * 3600 * 1000  # a day without one entry is worth a question
MOST_SILENCES: Final = 20  # the longest ones; the rest is counted


@dataclass(frozen=True, slots=True)
class Finding:
    """What the log holds for one control."""

    control: Control
    rows: tuple[Row, ...]  # in the period, oldest first
    by_kind: Mapping[str, int]  # kinds that occur, in the order of the table of kinds

    @property
    def is_gap(self) -> bool:
        """Whether no entry of the period bears on it."""
        return not self.rows


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch without an entry."""

    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """What was found for each control, and where the log is silent."""

    findings: tuple[Finding, ...]
    silences: tuple[Silence, ...]  # longest first, at most MOST_SILENCES
    silences_in_all: int
    before_log_ms: int | None  # when the log begins, where that is after the period began
    after_log_ms: int | None  # when the log ends, where that is before the period ended

    @property
    def missing(self) -> tuple[Finding, ...]:
        """The controls without an entry."""
        return tuple(one for one in self.findings if one.is_gap)


def find(framework: Framework, population: Population) -> Gaps:
    """Compare what a framework asks for with what the log holds of the period."""
    counted = population.counted
    findings = tuple(_finding(control, counted) for control in framework.controls)
    silences = _silences(population)
    longest = sorted(silences, key=lambda one: (one.since_ms - one.until_ms, one.since_ms))
    first, last = population.log_first_ms, population.log_last_ms
    period = population.period
    return Gaps(
        findings,
        tuple(longest[:MOST_SILENCES]),
        len(silences),
        first if first is not None and first > period.start_ms else None,
        last if last is not None and last < period.end_ms else None,
    )


def document(gaps: Gaps) -> dict[str, Any]:
    """Return the gap report as plain JSON."""
    return {
        "controls": [
            {
                "control": one.control.id,
                "title": one.control.title,
                "entries": len(one.rows),
                "by_kind": dict(one.by_kind),
                "shown_by_the_log_itself": one.control.log_itself or None,
                "what_to_do": one.control.missing if one.is_gap else None,
            }
            for one in gaps.findings
        ],
        "controls_without_an_entry": [one.control.id for one in gaps.missing],
        "days_without_an_entry": [
            {"since": moment(one.since_ms), "until": moment(one.until_ms)} for one in gaps.silences
        ],
        "stretches_of_a_day_and_more": gaps.silences_in_all,
        "log_begins_within_the_period": _optional(gaps.before_log_ms),
        "log_ends_within_the_period": _optional(gaps.after_log_ms),
    }


def _finding(control: Control, counted: Sequence[Row]) -> Finding:
    kinds = control.kinds
    wanted = frozenset(kinds)
    rows = tuple(row for row in counted if row.fields["kind"] in wanted)
    counts = Counter(row.fields["kind"] for row in rows)
    return Finding(control, rows, {kind: counts[kind] for kind in kinds if counts[kind]})


def _silences(population: Population) -> list[Silence]:
    """Return the stretches of a day and more, between entries and up to the period's ends."""
    first, last = population.log_first_ms, population.log_last_ms
    if first is None or last is None:
        return []
    period = population.period
    begin, end = max(period.start_ms, first), min(period.end_ms, last)
    times = sorted(row.fields["ts_ms"] for row in population.counted)
    points = [begin, *times, end]
    return [
        Silence(since, until)
        for since, until in itertools.pairwise(points)
        if until - since >= LONG_SILENCE_MS
    ]


def _optional(at_ms: int | None) -> str | None:
    return None if at_ms is None else moment(at_ms)
