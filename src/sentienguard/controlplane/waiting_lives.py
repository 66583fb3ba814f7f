"""Which of the incidents that wait have a message that nobody woke them for, in one look.

Called by controlplane.engine, for a control plane that has its workflows for itself. A message
wakes whom it is for at once; DBOS looks besides, now and then, for what was lost between the two.
On SQLite it does so with a transaction for each incident that waits: 150 of them took a tenth of
the time in which Python ran anything, while orders were fetched. Rules:

1. Whoever has a message is found, and by DBOS's own look; who has none is not looked for.
2. The look is by the index of messages: what was said long ago does not make it slower.
3. It is made at each tenth asking, which is each second: DBOS asks more often, as a stop waits for
   it to ask once more.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy
from dbos._sys_db import KeySignal, SystemDatabase, ThreadSafeEventDict, WaiterComponents

_AT_ONCE: Final = 500  # incidents in one statement: SQLite's older releases bind a thousand values
_ASKED: Final = 10  # times, from one look to the next

_Waiter = tuple[str, WaiterComponents, KeySignal]


class WaitingLives(ThreadSafeEventDict):
    """DBOS's table of who waits, which lists only those that have a message."""

    def __init__(self, records: SystemDatabase) -> None:
        """Go on with the entries of the table that is there, and with its lock."""
        super().__init__()
        self._records = records
        self._dict = records.notifications_map._dict  # noqa: SLF001 - DBOS has no other door to it
        self._lock = records.notifications_map._lock  # noqa: SLF001 - the same
        self._asked = 0

    def snapshot(self) -> list[_Waiter]:
        """Return who waits and has a message, at each tenth asking; else nobody (rule 3)."""
        self._asked += 1
        return [] if self._asked % _ASKED else self.told()

    def told(self) -> list[_Waiter]:
        """Look now; return who waits and has a message."""
        waiting = super().snapshot()
        if not waiting:
            return []
        messages = self._records.tables.notifications
        with self._records.engine.begin() as connection:
            told = {
                (row.destination_uuid, row.topic)
                for some in _portions(waiting)
                for row in connection.execute(_unread(messages, some))
            }
        return [one for one in waiting if (one[1][0], one[1][1]) in told]


def _portions(waiting: Sequence[_Waiter]) -> Iterator[list[str]]:
    for first in range(0, len(waiting), _AT_ONCE):
        yield [components[0] for _, components, _ in waiting[first : first + _AT_ONCE]]


def _unread(messages: Any, some: Sequence[str]) -> sqlalchemy.Select[Any]:
    """Return the statement that finds what some have not read (rule 2)."""
    return (
        sqlalchemy.select(messages.c.destination_uuid, messages.c.topic)
        .where(messages.c.destination_uuid.in_(some), messages.c.consumed.is_(False))
        .distinct()
    )
