"""Ask a database of this host, and have it do one thing.

Called by stages.execute (step `sql_query`, checks `sql` and `sql_query`, facts of a database).
Offered by adapters.databases.access, over loopback or a Unix socket, as the role that the host's
owner declared for the service; and by simulated hosts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sentienguard.model import errors
from sentienguard.ports import facts

MOST_ROWS = 200  # of one answer; more is an error, never a shorter answer


class NoDatabase(errors.Rejected):
    """The host's owner declared no database for this service."""


class StatementFailed(errors.Rejected):
    """The server refused the statement or it failed; nothing of it stays."""


class DatabaseUnreachable(errors.Unavailable):
    """The server does not answer, does not let us in, or went away; what it did is unknown."""


class DatabaseAway(DatabaseUnreachable):
    """No session came about, so nothing was sent and nothing was done."""


class StatementCutOff(errors.Unavailable):
    """The server ended the statement at its limit; nothing of it stays but what acts at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    rows: tuple[tuple[str | None, ...], ...]  # texts as the server writes them; None: NULL
    changed: int = 0  # rows that it says were changed


class Databases(Protocol):
    """The databases of one host, by the name of the service that each belongs to."""

    def names(self) -> frozenset[str]:
        """Return the services that have one."""

    def ask(self, name: str, statement: str, values: Sequence[str] = (), *, limit: float) -> Answer:
        """Run one statement in a session that may only read, within `limit` seconds.

        Raises NoDatabase, StatementFailed, StatementCutOff, DatabaseUnreachable.
        """

    def act(
        self, name: str, statement: str, values: Sequence[Sequence[str]] = ((),), *, limit: float
    ) -> tuple[Answer, ...]:
        """Run one statement once for each tuple of values, in one session, within `limit` seconds.

        A session that somebody else ended meanwhile counts as ended. Raises like `ask`.
        """

    def measure(self, name: str, fact: str) -> facts.Fact:
        """Measure a fact of a database.

        Raises NoDatabase, facts.UnknownFact, facts.FactNotMeasured.
        """
