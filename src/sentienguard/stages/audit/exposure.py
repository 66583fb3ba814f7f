"""How much of the log nobody else holds yet, by the owner's witness policy.

Called by `controlplane.anchoring`. Whoever holds both the log's key and its disk can rewrite what
no outsider has seen; the rest they can only break visibly. A policy says how many outsiders count:
`3 agents and 1 external`. Agents cosign checkpoints in their polls; external are anchors outside
the owner's machines. A witness of a bigger size has seen every smaller one too, so `k` agents cover
what the k-th largest of their sizes covers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sentienguard.model import errors

MOST: Final = 1000  # witnesses of one sort
_TERM: Final = re.compile(r"(0|[1-9][0-9]{0,3}) (agents?|externals?)\Z")


class PolicyWrong(errors.Rejected):
    """The text is no witness policy."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How many have to have seen an entry."""

    agents: int
    external: int

    @property
    def text(self) -> str:
        """The policy as people write it."""
        plural = "" if self.agents == 1 else "s"
        return f"{self.agents} agent{plural} and {self.external} external"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one outsider holds."""

    name: str
    size: int  # entries that its newest checkpoint covers
    at: datetime


@dataclass(frozen=True, slots=True)
class Exposure:
    """What is covered, and what is not."""

    policy: Policy
    size: int  # of the log
    covered: int  # entries that the policy's witnesses have all seen
    covered_at: datetime | None  # since when, by the last of those witnesses; None: nothing is
    lacking: str  # what the policy still wants before anything is covered; empty: nothing

    @property
    def exposed(self) -> int:
        """Return how many entries are not covered."""
        return self.size - self.covered


def read_policy(text: str) -> Policy:
    """Read `3 agents and 1 external`, or one of its halves. Raises PolicyWrong."""
    counts: dict[str, int] = {}
    for term in text.strip().split(" and "):
        found = _TERM.match(term)
        sort = found[2].rstrip("s") if found else ""
        if found is None or sort in counts or int(found[1]) > MOST:
            raise PolicyWrong(
                "witness policy: expected such as `3 agents and 1 external`, found"
                f" {text.strip()[:80]!r}"
            )
        counts[sort] = int(found[1])
    return Policy(counts.get("agent", 0), counts.get("external", 0))


def judge(policy: Policy, size: int, agents: Sequence[Seen], external: Sequence[Seen]) -> Exposure:
    """Return what is covered. Nobody counts twice: the newest of each name does."""
    needed = (("agent", policy.agents, agents), ("external", policy.external, external))
    counting: list[Seen] = []
    lacking = []
    for sort, wanted, seen in needed:
        found = _largest(seen, wanted)
        if len(found) < wanted:
            lacking.append(f"{wanted - len(found)} more {sort}{_plural(sort, wanted - len(found))}")
        counting += found
    covered = min((one.size for one in counting), default=size)
    if lacking:
        return Exposure(policy, size, 0, None, " and ".join(lacking))
    at = max((one.at for one in counting), default=None)
    return Exposure(policy, size, min(covered, size), at, "")


def _largest(seen: Sequence[Seen], wanted: int) -> list[Seen]:
    newest: dict[str, Seen] = {}
    for one in seen:
        if one.name not in newest or newest[one.name].size <= one.size:
            newest[one.name] = one
    return sorted(newest.values(), key=lambda one: one.size, reverse=True)[:wanted]


def _plural(sort: str, count: int) -> str:
    return "s" if sort == "agent" and count != 1 else ""
