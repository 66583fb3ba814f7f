"""Know how old the keys of secrets at rest are, and put a new one in their place in time.

Called by controlplane.key_care. Offered by adapters.sql_store. A *data key* seals values of the
database and is kept there, wrapped; see ports.sealing and ports.key_keeper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key, without what it is."""

    number: int
    keeper: str  # name of the key that wrapped it
    made_at: datetime
    whole_at: datetime | None  # since when all rows are under it or a later one


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did."""

    number: int  # of the new data key
    rewrapped: int  # data keys that another key had wrapped
    resealed: int  # values that were in the clear or under another data key


class DataKeyRing(Protocol):
    """The data keys of one database; safe beside other processes that use it."""

    def all(self) -> Sequence[DataKey]:
        """Return all data keys, oldest first."""

    def rotate_after(self, newest: int) -> Rotation | None:
        """Make the data key that follows this one and put every value under it.

        None where there is one already: another process was faster. Raises KeeperAway, KeyRefused.
        """

    def finish(self) -> int:
        """Put under the newest data key what a rotation that was cut off left; return how many."""
