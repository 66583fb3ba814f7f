"""Which questions there are, and which one somebody asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sentienguard.model.ids import IncidentId

LONGEST: Final = 500  # characters of a question
_INCIDENT: Final = re.compile(r"inc_[0-9]{8}_[0-9]{6}_[0-9a-f]{8}")


class Kind(StrEnum):
    """What somebody wants to know."""

    CHANGED = "what changed before"
    WHY_NOT_ALONE = "why did it not run alone"
    WHY_PLAYBOOK = "why this playbook"
    SURE = "how sure was it"
    TRIED = "what was tried"
    SIMILAR = "did this happen before"
    APPROVED = "who approved it"
    SAFE = "is it safe now"
    WHO = "who has it in hand"
    HAPPENED = "what happened"


# Looked at in this order; every word of one alternative has to stand in the question.
_WORDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.CHANGED: ("changed", "change before", "changes", "deployed", "deployment", "deployments"),
    Kind.WHY_NOT_ALONE: (
        "why not alone", "why not run", "why not automatic", "why not automatically", "why ask",
        "why asked", "why escalated", "why escalate", "why approval", "need a person",
        "needs a person", "why wait", "why waiting", "not autonomous", "why nothing",
    ),
    Kind.WHY_PLAYBOOK: (
        "why playbook", "which playbook", "why this remedy", "why remedy", "why that playbook",
        "why chosen", "why choose", "other playbooks", "candidates", "alternatives",
    ),
    Kind.SURE: ("how sure", "confidence", "how confident", "certain"),
    Kind.TRIED: (
        "tried", "what did it do", "what was done", "what ran", "which steps", "steps", "executed",
        "commands", "undone", "rolled back", "rollback",
    ),
    Kind.SIMILAR: ("similar", "before happened", "happen before", "earlier", "again", "how often",
                   "recurring", "last time"),
    Kind.APPROVED: ("who approved", "who said yes", "who denied", "who answered", "approved by",
                    "who decided", "approver"),
    Kind.SAFE: ("safe now", "safe", "is it over", "fixed", "resolved", "still broken", "is it ok",
                "over now", "state", "status"),
    Kind.WHO: ("who has", "who owns", "who is on", "whose", "in hand", "assigned", "acknowledged"),
    Kind.HAPPENED: ("what happened", "happened", "summary", "summarise", "summarize", "tell me",
                    "explain", "what is wrong", "what was wrong", "why opened", "going on"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was understood."""

    text: str
    kind: Kind | None  # None: it was not
    incident: IncidentId | None  # None: none was named


def understand(text: str) -> Asked:
    """Return what a question asks for; a text that is no question of ours has no kind."""
    shown = text[:LONGEST]
    named = _INCIDENT.search(shown)
    words = re.sub(r"[^a-z0-9_' ]", " ", _INCIDENT.sub(" ", shown.lower()))
    spoken = words.split()
    kind = next(
        (
            kind
            for kind, alternatives in _WORDS.items()
            if any(set(one.split()) <= set(spoken) for one in alternatives)
        ),
        None,
    )
    return Asked(shown, kind, IncidentId(named[0]) if named else None)


def known() -> list[str]:
    """Return the questions that can be answered, as somebody would ask them."""
    return [f"{kind.value} INCIDENT?" for kind in Kind]
