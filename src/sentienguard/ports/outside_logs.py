"""Keep log lines of other systems for a while.

Called by flow.diagnosing and controlplane (otlp, context, api.topology, housekeeping). Offered by
adapters.sql_store. Lines come redacted: nothing here looks at their text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NewLine:
    """One line on its way in."""

    environment: str  # of the sender's token
    host: str  # empty: it says of none
    service: str  # empty: it says of none
    at: datetime  # when it was written, UTC
    received_at: datetime
    severity: str  # trace, debug, info, warn, error, fatal; empty: it says none
    text: str  # redacted, printable


@dataclass(frozen=True, slots=True)
class KeptLine:
    """One line that is kept."""

    number: int  # counts up in the order of arrival
    line: NewLine


class OutsideLogs(Protocol):
    """Lines in the order in which they came."""

    def put(self, lines: Sequence[NewLine]) -> None:
        """Keep lines; durable when it returns."""

    def list(
        self, environments: Sequence[str], *, host: str | None, before: int | None, limit: int
    ) -> Sequence[KeptLine]:
        """Return the newest lines before a number, of one host or of all."""

    def between(
        self, environment: str, start: datetime, end: datetime, *, limit: int
    ) -> Sequence[NewLine]:
        """Return the newest lines with start <= at < end, newest first."""

    def forget(self, received_before: datetime, *, most: int) -> int:
        """Drop what came before then, and the oldest beyond so many; return how many lines."""
