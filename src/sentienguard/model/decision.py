"""What was decided about an incident, with every reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import reduce
from typing import Self

from sentienguard.model.advice import Opinion
from sentienguard.model.evidence import Evidence
from sentienguard.model.ids import Digest, IncidentId, PlaybookName


class Route(IntEnum):
    """What may happen, from the most restrictive to the most permissive."""

    ESCALATE = 0  # hand to people
    DRY_RUN = 1  # show what it would do, then hand to people
    ASK = 2  # a person approves first
    RUN_AND_VERIFY = 3  # run, centre confirms before the incident closes
    RUN = 4  # run; the host's own verification is enough

    def meet(self, other: Self) -> Self:
        """Return the more restrictive of the two."""
        return type(self)(min(self.value, other.value))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The most permissive route that one rule would allow, and why."""

    rule: str
    route: Route
    reason: str


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """One part of a score, so that a person can see what it is made of."""

    name: str
    value: float
    because: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A playbook that might help."""

    playbook: PlaybookName
    version: str
    digest: Digest
    score: float  # for ranking only; not a probability
    items: tuple[ScoreItem, ...]


@dataclass(frozen=True, slots=True)
class Confidence:
    """Probability that this playbook resolves this incident, with its 90 % interval."""

    value: float
    low: float
    high: float
    items: tuple[ScoreItem, ...]

    def text(self) -> str:
        """Say it to people with two decimals; an interval that was cut to a point says nothing."""
        low, high = f"{self.low:.2f}", f"{self.high:.2f}"
        interval = "" if low == high else f", 90 % interval {low} to {high}"
        return f"{self.value:.2f}{interval}"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one incident, complete: nothing is left to choose after it."""

    incident: IncidentId
    at: datetime
    route: Route
    playbook: PlaybookName | None
    version: str | None
    digest: Digest | None
    parameters: Mapping[str, str]
    confidence: Confidence | None
    candidates: tuple[Candidate, ...]  # best first, at most five
    verdicts: tuple[Verdict, ...]  # every rule, in the order of the policy
    evidence: Evidence
    embedding_model: str = ""  # that compared meanings; empty: words alone
    library_index: str = ""  # digest of the texts, the model and the features that were compared
    opinion: Opinion | None = None  # of an adviser, where it was heard before the decision

    @property
    def deciding(self) -> tuple[Verdict, ...]:
        """The verdicts that hold the route down."""
        return tuple(verdict for verdict in self.verdicts if verdict.route == self.route)


def strictest(verdicts: tuple[Verdict, ...]) -> Route:
    """Return the meet of all verdicts; no verdict at all permits nothing."""
    if not verdicts:
        return Route.ESCALATE
    return reduce(Route.meet, (verdict.route for verdict in verdicts), Route.RUN)
