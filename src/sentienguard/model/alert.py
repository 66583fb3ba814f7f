"""What another monitoring system says is wrong.

An alert is text that somebody outside wrote. It can raise an incident; what may be done about that
is decided by facts that the host measures itself.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sentienguard.model.ids import Fingerprint


class AlertStatus(StrEnum):
    """Whether it stands."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as its sender described it."""

    status: AlertStatus
    labels: Mapping[str, str]  # say what it is; two alerts with the same labels are one
    starts_at: datetime  # when it began to fire, UTC; a later time is a new episode of it
    annotations: Mapping[str, str] = field(default_factory=dict)  # for people
    heard_at: datetime | None = None  # when its sender said this, UTC, if that is how the episode
    # is found: `starts_at` is then our best guess. None: `starts_at` names the episode exactly

    @property
    def name(self) -> str:
        """Return how its rule is called."""
        return self.labels.get("alertname", "unnamed")

    @property
    def fingerprint(self) -> Fingerprint:
        """Name the alert by its labels, whatever name its sender gave it."""
        said = "\n".join(f"{name}\0{value}" for name, value in sorted(self.labels.items()))
        return Fingerprint(hashlib.sha256(said.encode()).hexdigest()[:16])
