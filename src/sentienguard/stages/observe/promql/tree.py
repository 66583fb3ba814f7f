"""The nodes of a query. Times are milliseconds."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias


class Compare(StrEnum):
    """How a matcher compares a label."""

    EQUAL = "="
    DIFFERS = "!="
    MATCHES = "=~"
    NO_MATCH = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; a label that is absent is empty."""

    name: str
    how: Compare
    value: str


class Edge(Enum):
    """A moment of the whole query."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class When:
    """Where a selector looks, seen from a step."""

    offset_ms: int = 0  # so much earlier
    at: int | Edge | None = None  # from this moment instead of the step's


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by their labels, with the newest reading of each."""

    matchers: tuple[Matcher, ...]
    when: When


@dataclass(frozen=True, slots=True)
class Range:
    """Series by their labels, with all readings of a span."""

    selector: Selector
    span_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """A query, asked again at every multiple of `step_ms` in a span."""

    inner: "Node"
    span_ms: int
    step_ms: int | None  # None: the default of whoever evaluates
    when: When


@dataclass(frozen=True, slots=True)
class Call:
    """A function of arguments."""

    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Negative:
    """A sign before a value."""

    inner: "Node"


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Many series to few."""

    name: str
    inner: "Node"
    parameter: "Node | None"
    without: bool  # group by all labels but these
    labels: tuple[str, ...]


class Group(Enum):
    """Which side of an operator may have many series for one of the other."""

    NONE = "one-to-one"
    LEFT = "many-to-one"
    RIGHT = "one-to-many"


@dataclass(frozen=True, slots=True)
class Matching:
    """Which series of two sides meet."""

    on: bool  # by these labels; False: by all but these
    labels: tuple[str, ...]
    group: Group = Group.NONE
    include: tuple[str, ...] = ()  # labels that the many take over from the one


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two values."""

    operator: str
    left: "Node"
    right: "Node"
    as_bool: bool  # a comparison gives 1 or 0 and keeps everything
    matching: Matching


Node: TypeAlias = (
    Number | Text | Selector | Range | Subquery | Call | Negative | Aggregation | Binary
)
