"""Keep alerts from outside from the moment they are acknowledged until they are dealt with.

Called by controlplane (alert_door, alert_intake, api.alerts). Offered by adapters.sql_store.

An alert is named by environment, fingerprint, begin and status. The same one again changes nothing,
so a sender may repeat itself, and so may we. Not every sender says when an episode began: for such
an alert (`heard_at`) the inbox finds the episode that stood when it was said.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sentienguard.model.alert import AlertStatus
from sentienguard.model.ids import Fingerprint, IncidentId


class Result(StrEnum):
    """What became of an alert."""

    OPENED = "opened"  # it opened an incident
    FOLDED = "folded"  # its symptom has an incident already
    RECOVERED = "recovered"  # the last alert of its incident that ended: the symptom is gone
    STILL_FIRING = "still_firing"  # it ended, others of its incident have not
    LATE = "late"  # it had ended before we heard that it began
    UNKNOWN_HOST = "unknown_host"  # no label names one enrolled host of its environment
    NOTHING_OPEN = "nothing_open"  # it ended, and no incident came of it
    SILENCED = "silenced"  # a silence covers its symptom; looked at again while it fires
    FAILED = "failed"  # it cannot be processed; people have to look


@dataclass(frozen=True, slots=True)
class NewAlert:
    """One alert on its way into the inbox."""

    environment: str
    fingerprint: Fingerprint
    starts_at: datetime
    status: AlertStatus
    received_at: datetime
    text: str  # JSON that stages.observe.alert_batch wrote and reads
    sender: str = ""  # which kind of system sent it, such as grafana; "": not known any more
    heard_at: datetime | None = None  # see model.alert: how the episode is found; not kept


@dataclass(frozen=True, slots=True)
class KeptAlert:
    """One alert in the inbox."""

    number: int  # counts up in the order of arrival
    alert: NewAlert
    result: Result | None = None  # None: it waits
    incident: IncidentId | None = None


@dataclass(frozen=True, slots=True)
class Dealt:
    """What became of one alert."""

    number: int
    result: Result
    incident: IncidentId | None = None


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One page of alerts, newest first."""

    alerts: tuple[KeptAlert, ...]
    before: int | None  # number to ask the next page with; None: this was the last


class AlertInbox(Protocol):
    """Alerts in the order in which they came."""

    def put(self, alerts: Sequence[NewAlert]) -> int:
        """Keep those that are new and return how many that were; durable when it returns.

        One with `heard_at` is of the newest episode of the same name that began by then: an end
        of that one, whether or not it ended; a begin repeats it if no end of it is known. Where
        there is none, `starts_at` counts.
        """

    def turn(self) -> AbstractContextManager[bool]:
        """Take the turn to process, for as long as the block lasts; False where another has it."""

    def waiting(self, limit: int, *, after: int = 0) -> Sequence[KeptAlert]:
        """Return those that nobody has dealt with and that came after a number, oldest first."""

    def backlog(self) -> int:
        """Return how many wait."""

    def silenced(self, limit: int, *, after: int = 0) -> Sequence[KeptAlert]:
        """Return those that a silence kept from opening anything and that fire still, oldest first.

        Of those that came after a number.
        """

    def dealt(self, results: Sequence[Dealt]) -> None:
        """Remember what became of alerts."""

    def had_ended(self, kept: KeptAlert) -> bool:
        """Tell whether the end of this episode of an alert came before this one."""

    def incident_of(
        self, environment: str, fingerprint: Fingerprint, *, before: datetime | None = None
    ) -> IncidentId | None:
        """Return the newest incident that this alert opened or was folded into.

        With `before`, of its episodes that began before then.
        """

    def firing(self, incident: IncidentId, *, beside: KeptAlert) -> int:
        """Return how many other alerts of an incident fired still when this one came."""

    def list(self, environments: Sequence[str], *, before: int | None, limit: int) -> AlertPage:
        """List newest first."""

    def counts(self) -> Mapping[Result, int]:
        """Return how many there are of each result."""

    def forget(self, received_before: datetime) -> int:
        """Drop what was dealt with and came before then; return how many."""
