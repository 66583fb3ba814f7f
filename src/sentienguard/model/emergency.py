"""Break-glass: a right that somebody does not have, for minutes, because two people say so.

An emergency gives one person one permission in one environment, and sight of it, until its end. It
gives nothing on any host: what hosts ask for before they act, they ask for as ever.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from sentienguard.model.access import Permission

EmergencyId = NewType("EmergencyId", str)  # brk_ and 16 hex digits

# What an emergency can be for. Never accounts, settings, tokens or evidence: those outlive it.
PURPOSES: Final = (
    Permission.DECIDE_APPROVAL,
    Permission.RUN_PLAYBOOK,
    Permission.STOP_EXECUTION,
    Permission.FREEZE,
    Permission.SILENCE,
    Permission.HANDLE_INCIDENT,
)
LONGEST: Final = timedelta(minutes=60)
TO_AGREE: Final = timedelta(minutes=15)  # after which nobody can agree any more
LEAST_REASON: Final = 10  # characters: a word or two is no reason


class Phase(StrEnum):
    """Where an emergency stands at a moment."""

    ASKED = "asked"  # waits for the second person
    LAPSED = "lapsed"  # nobody agreed in time
    STANDING = "standing"
    ENDED = "ended"  # somebody ended it, or withdrew the request
    OVER = "over"  # its time is up


@dataclass(frozen=True, slots=True)
class Emergency:
    """One emergency, from the request on."""

    id: EmergencyId
    user: str  # who asked, and gets the right
    environment: str
    purpose: Permission  # one of PURPOSES
    reason: str
    minutes: int  # that it stands once somebody agreed
    asked_at: datetime
    expires_at: datetime  # of the request
    agreed_by: str | None = None
    agreed_at: datetime | None = None
    ends_at: datetime | None = None  # of the right; None: nobody has agreed
    ended_by: str | None = None  # empty: time did
    ended_at: datetime | None = None

    def phase(self, at: datetime) -> Phase:
        """Return where it stands at this moment."""
        if self.ended_by:
            return Phase.ENDED
        if self.ends_at is None:
            return Phase.ASKED if at < self.expires_at else Phase.LAPSED
        return Phase.STANDING if at < self.ends_at and self.ended_at is None else Phase.OVER

    def gives(self, permission: Permission, environment: str, at: datetime) -> bool:
        """Tell whether it gives its holder this permission there, now."""
        return (
            environment == self.environment
            and permission in {self.purpose, Permission.VIEW}
            and self.phase(at) is Phase.STANDING
        )
