"""What people set aside for a while, and when: silences and maintenance.

A silence keeps its symptoms from opening incidents and from being told to people; they are still
measured and judged. In maintenance no remedy starts on its hosts. When a window stands and what it
covers is judged in stages.detect (windows, silencing).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

WindowId = NewType("WindowId", str)  # "sil_..." or "mnt_..."


class Purpose(StrEnum):
    """What a window is for."""

    SILENCE = "silence"  # opens no incident, tells nobody
    MAINTENANCE = "maintenance"  # starts no remedy


class Comparison(StrEnum):
    """How a matcher compares, as Alertmanager writes it."""

    EQUAL = "="
    DIFFERS = "!="
    MATCHES = "=~"  # the whole value, as a regular expression
    MATCHES_NOT = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; a label that is not there has the value ""."""

    label: str  # host, environment, metric, subject, severity or tag.<name>
    comparison: Comparison
    value: str

    def __str__(self) -> str:
        """Write it as people do: host=~"web-.*"."""
        return f'{self.label}{self.comparison}"{self.value}"'


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When a window opens again and again, by the clock on the wall of one place."""

    cron: str  # minute, hour, day of month, month, day of week
    zone: str  # of the IANA database, such as Europe/Berlin
    lasts: timedelta  # in time that passes, whatever the clocks do meanwhile


@dataclass(frozen=True, slots=True)
class Window:
    """One silence or one maintenance."""

    id: WindowId
    purpose: Purpose
    matchers: tuple[Matcher, ...]  # all of them must hold
    starts_at: datetime  # UTC; from when it counts
    ends_at: datetime  # UTC; from when it does not any more, earlier than planned if people say so
    by: str  # who made it
    comment: str  # why
    recurrence: Recurrence | None = None  # None: it stands from starts_at to ends_at
