"""Find log lines that somebody else keeps.

Called by controlplane.context and flow.lines_elsewhere. Offered by adapters.loki. Lines come as
they were kept there: the caller redacts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors


class LogSearchAway(errors.Unavailable):
    """The place where the lines are did not answer in time, or not as it should."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """One line. Untrusted text, not redacted."""

    at: datetime  # UTC
    where: str  # stream or file
    text: str


class LogSearch(Protocol):
    """Lines by service and time."""

    def lines(
        self,
        environment: str,
        service: str,
        start: datetime,
        end: datetime,
        *,
        limit: int,
        limit_s: float | None = None,
    ) -> Sequence[FoundLine]:
        """Return the newest lines of a service with start <= at < end, newest first.

        The answer takes at most `limit_s` seconds where that is less than what is set for every
        question. Raises LogSearchAway.
        """
