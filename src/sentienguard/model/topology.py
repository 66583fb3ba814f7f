"""Who calls whom among services, as their traces tell."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CallKind(StrEnum):
    """How one service reaches another."""

    REQUEST = "request"  # it waits for the answer
    MESSAGE = "message"  # through a queue
    DATABASE = "database"  # the other has no spans of its own


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """That one service calls another."""

    caller: str
    callee: str
    kind: CallKind


@dataclass(frozen=True, slots=True)
class SeenEdge:
    """A call that was seen, in one environment."""

    environment: str
    edge: Edge
    first_seen: datetime
    last_seen: datetime
    calls: int  # spans that told of it; less than there were, where traces are sampled
