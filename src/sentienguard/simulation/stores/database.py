"""What all pretended stores share: whether the database answers, and where a crash may fall.

Called by the other files of this package, `flows` and `spells`. Rules:

1. A method of a store is one transaction, durable when it returns.
2. A crash falls before the transaction or after it, never into it.
3. While the database is away, every method raises DatabaseAway.
"""

from collections.abc import Callable

from sentienguard.model import errors

Point = Callable[[str], None]


class DatabaseAway(errors.Unavailable):
    """The database cannot be reached just now; nothing was read or written."""


class Database:
    """What all stores share: whether it answers, and where a crash may fall."""

    def __init__(self, point: Point) -> None:
        """`point` may raise Crash."""
        self.away = False
        self._point = point

    def read(self) -> None:
        """Stand before every look. Raises DatabaseAway."""
        if self.away:
            raise DatabaseAway("the database is away")

    def write(self, what: str) -> None:
        """Stand before every change. Raises DatabaseAway, Crash."""
        self.read()
        self._point(f"centre stores {what}")

    def wrote(self, what: str) -> None:
        """Stand behind every change. Raises Crash."""
        self._point(f"centre stored {what}")


def unwatched(_: object) -> None:
    """Tell nobody."""
