"""Whether a document is for the system that a question is about.

A relative (CockroachDB's alert, PostgreSQL's playbook; managed Redis, Redis) is worth showing to a
person and never more: it speaks the same protocol and is operated differently.
"""

from dataclasses import dataclass
from enum import StrEnum

from sentienguard.stages.decide.retrieval import lexicon


class Kind(StrEnum):
    """How the two systems stand to each other."""

    SAME = "same"
    UNKNOWN = "unknown"
    RELATIVE = "relative"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Relation:
    """The kind, and the words it rests on."""

    kind: Kind
    because: str


def between(
    wanted: frozenset[str], held: frozenset[str], names: frozenset[str], words: frozenset[str]
) -> Relation:
    """Compare the words of the question's service with a document's.

    `held` are those of its service, `names` those of service and title, `words` all of its words.
    """
    if not wanted:
        return Relation(Kind.UNKNOWN, "the service is not known")
    ours = lexicon.products(wanted)
    theirs = lexicon.products(held) or lexicon.products(names)
    if ours and theirs and not ours & theirs:
        related = lexicon.families(ours) & lexicon.families(theirs)
        said = f"{', '.join(sorted(theirs))}, not {', '.join(sorted(ours))}"
        if related:
            return Relation(Kind.RELATIVE, f"a relative: {said}")
        return Relation(Kind.FOREIGN, f"another system: {said}")
    if extra := (lexicon.editions(held) - wanted) | (lexicon.editions(wanted) - names):
        return Relation(Kind.RELATIVE, f"another edition: {', '.join(sorted(extra))}")
    if missing := wanted - words:
        return Relation(Kind.UNKNOWN, f"not known to be for {', '.join(sorted(missing))}")
    return Relation(Kind.SAME, f"for {', '.join(sorted(wanted))}")
