"""How old the keys of a control plane are, when each is due, and who puts a new one in its place.

Called by controlplane.key_care, which finds the keys and does what is due. Pure: keys and the time
are arguments. Rules:

1. A key is due when it is `rotate_keys_days` old, unless it has a life of its own; one with a
   certificate, which others pinned or trust by name, when that ends.
2. People hear of what needs them `NOTICE` before that, so that holders of root keys can meet.
3. A key from a time that has not come yet, by a clock that was set back, is new: nothing is due.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

NOTICE: Final = timedelta(days=14)  # as long as doctor gives signed documents


class Rotates(StrEnum):
    """Who puts a new key in its place."""

    ITSELF = "by itself"  # the control plane, when it is due
    ROOT = "with the root keys"  # people with offline keys sign the new one
    OWNER = "by hand"  # the owner, with a command


class Stage(StrEnum):
    """How a key stands."""

    GOOD = "good"
    SOON = "soon"  # due within NOTICE
    DUE = "due"


@dataclass(frozen=True, slots=True)
class OnlineKey:
    """One key that a running control plane, or a host, uses without anybody being asked."""

    name: str  # what it is for
    id: str  # which one: key id, fingerprint or number; never the key
    made_at: datetime
    rotates: Rotates
    way: str  # what puts a new one in its place, as a command where there is one
    ends_at: datetime | None = None  # when its certificate ends
    lives: timedelta | None = None  # its own life; None: that of all keys

    def due_at(self, lives: timedelta) -> datetime:
        """Return when it is due (rule 1)."""
        if self.ends_at is not None:  # who trusts it pinned it, so its own end counts
            return self.ends_at
        return self.made_at + (self.lives or lives)

    def stage(self, now: datetime, lives: timedelta) -> Stage:
        """Return how it stands."""
        due = self.due_at(lives)
        if now < self.made_at and self.ends_at is None:  # rule 3
            return Stage.GOOD
        if now >= due:
            return Stage.DUE
        return Stage.SOON if now >= due - NOTICE else Stage.GOOD

    def needs_people(self, now: datetime, lives: timedelta) -> bool:
        """Tell whether people have to be told (rule 2)."""
        by_people = self.rotates in {Rotates.ROOT, Rotates.OWNER}
        return by_people and self.stage(now, lives) is not Stage.GOOD
