"""Earlier incidents with the same symptom at the same place."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentienguard.model.ids import Fingerprint
from sentienguard.model.incident import Incident

WINDOW = timedelta(
    days=30
)  # a month shows what comes back weekly, and forgets last year's hardware
_PATTERN = 3  # the same thing for the third time is a pattern


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How often a symptom came before, and how regularly."""

    earlier: tuple[Incident, ...]  # newest first
    typical_gap: timedelta | None  # median time between beginnings; None: fewer than two gaps

    @property
    def is_pattern(self) -> bool:
        """Tell whether this is at least the third time within the window."""
        return len(self.earlier) + 1 >= _PATTERN


def earlier(
    symptom: Fingerprint,
    incidents: Iterable[Incident],
    at: datetime,
    *,
    window: timedelta = WINDOW,
) -> Recurrence:
    """Return the incidents with this symptom that began in the window before `at`."""
    found = sorted(
        (
            incident
            for incident in incidents
            if incident.fingerprint == symptom and at - window <= incident.opened_at < at
        ),
        key=lambda incident: (incident.opened_at, incident.id),
        reverse=True,
    )
    return Recurrence(tuple(found), _typical_gap([at, *(one.opened_at for one in found)]))


def _typical_gap(newest_first: list[datetime]) -> timedelta | None:
    gaps = sorted(newer - older for newer, older in itertools.pairwise(newest_first))
    return gaps[len(gaps) // 2] if len(gaps) > 1 else None
