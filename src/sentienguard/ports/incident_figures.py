"""Count how incidents ended, without reading them one by one.

Called by controlplane (api: overview, calibration, playbooks). Offered by adapters.sql_store.
Nothing is written. Every method is bounded by what it returns, not by how much is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Outcome, Status


@dataclass(frozen=True, slots=True)
class Tally:
    """How the incidents that closed within one span of time ended."""

    closed: int = 0
    resolved: int = 0  # host and centre both saw the symptom gone after a remedy
    unattended: int = 0  # of those, in how many nobody was asked
    ran: int = 0  # a remedy changed something, or may have
    rolled_back: int = 0  # of those, failed and undone wholly
    harmed: int = 0  # of those, something was left behind, or the effect is unknown
    mean_s: float | None = None  # from opened to closed, of the resolved ones; None: there is none
    median_s: float | None = None
    recovered: int = 0  # the symptom went, whoever ended it: a remedy, a person, or nobody
    recovered_mean_s: float | None = None  # from opened to closed, of those
    by_people: int = 0  # ended by people within the span, whenever it was handed to them
    by_people_mean_s: float | None = None  # from opened to when somebody closed it by hand
    by_people_median_s: float | None = None


@dataclass(frozen=True, slots=True)
class Now:
    """What is open at this moment."""

    open: int
    awaiting_approval: int


@dataclass(frozen=True, slots=True)
class Record:
    """How incidents ended for which one playbook was the decision."""

    closed: int
    resolved: int


@dataclass(frozen=True, slots=True)
class Said:
    """What confidence was said of a playbook that then ran, and what came of it."""

    playbook: str
    confidence: float  # 0..1, when it was decided
    resolved: bool  # by this remedy


@dataclass(frozen=True, slots=True)
class Decided:
    """One incident in which a playbook was the decision, as a list shows it."""

    incident: IncidentId
    host: str
    environment: str
    opened_at: datetime
    status: Status
    outcome: Outcome | None


class IncidentFigures(Protocol):
    """Figures over incidents, decisions and orders, of some environments."""

    def now(self, environments: Sequence[str]) -> Now:
        """Count what is open."""

    def left_to_people(
        self, environments: Sequence[str], *, since: datetime, limit: int
    ) -> Sequence[IncidentId]:
        """Return closed ones that wait for people and that nobody took up, newest id first.

        They closed since then in an outcome of model.care.HANDED_TO_PEOPLE; nobody has
        acknowledged one, closed it by hand, or reopened it.
        """

    def tallies(
        self, environments: Sequence[str], *, start: datetime, width: timedelta, count: int
    ) -> Sequence[Tally]:
        """Return one tally for each of `count` spans of `width` in a row, the first at `start`.

        People ended what they closed by hand, what a run that a person asked for mended, and what
        had been handed to them (model.care.HANDED_TO_PEOPLE) when somebody closed it by hand.
        """

    def said(
        self, environments: Sequence[str], *, since: datetime, playbook: str | None, limit: int
    ) -> Sequence[Said]:
        """Return what was said and what came of it since then, the newest `limit`.

        Counted is each incident that closed and whose remedy ran: resolved, if the host reported
        success and the incident closed as resolved. A dry run, a refusal and a remedy that found
        nothing to do say nothing of confidence.
        """

    def records(self, environments: Sequence[str]) -> Mapping[str, Record]:
        """Return the record of each playbook that was ever decided on."""

    def decided(
        self, playbook: str, environments: Sequence[str], *, before: str | None, limit: int
    ) -> Sequence[Decided]:
        """Return incidents in which this playbook was the decision, newest id first.

        `before` is the id behind which to go on.
        """
