"""What people do about an incident besides deciding on a remedy."""

from dataclasses import dataclass
from datetime import datetime

from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident, Outcome, Status

HANDED_TO_PEOPLE = frozenset(
    {Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.REJECTED, Outcome.ESCALATED, Outcome.EXPIRED}
)


@dataclass(frozen=True, slots=True)
class Signed:
    """Somebody did something at a time."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Care:
    """Who looks after an incident, and what they said in the end."""

    incident: IncidentId
    acknowledged: Signed | None = None  # somebody has seen it and is at it
    assigned_to: str | None = None  # whose it is
    assigned: Signed | None = None  # who said so
    settled: Signed | None = None  # who closed it by hand
    settled_because: str = ""
    reopened_as: IncidentId | None = None  # the incident that goes on with this one

    @property
    def stops_reminders(self) -> bool:
        """Tell whether somebody has it in hand, so that nobody needs to be reminded of it."""
        return bool(self.acknowledged or self.settled or self.reopened_as)


def needs_people(incident: Incident, care: Care) -> bool:
    """Tell whether an incident is in people's hands and none of them has said that it is fixed."""
    if care.settled or care.reopened_as:
        return False
    return incident.status is Status.AWAITING_APPROVAL or incident.outcome in HANDED_TO_PEOPLE
