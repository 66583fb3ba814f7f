"""Print a report that somebody reads on paper or on a screen.

Called by stages.audit.evidence through the control plane and the CLI. Offered by
adapters.evidence_pdf. A report says what it says, not how it looks; the same report gives the same
bytes. Text may come from anywhere and is only ever text: what a font cannot show is shown escaped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a part; one of the first level begins a page and stands in the outline."""

    text: str
    level: int = 1  # 1 or 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences, broken where the line ends."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values, both broken where they are long."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    characters: int  # width; what is longer is cut, and the cut is shown


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one line each; the heading is repeated on each page."""

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[str]]


Part: TypeAlias = Heading | Paragraph | Facts | Table


@dataclass(frozen=True, slots=True)
class Report:
    """What is printed."""

    title: str
    subtitle: str
    footer: str  # at the foot of each page, beside its number
    parts: tuple[Part, ...]


class ReportPrinter(Protocol):
    """Prints reports."""

    def printed(self, report: Report, told: Callable[[int, int], None]) -> bytes:
        """Return the report as PDF; tells how many rows of tables are done, and of how many."""
