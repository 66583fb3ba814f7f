"""A snapshot to what stands in the evidence: the verdict, and whom measurements alone blame.

The engine looks twice. What people are shown comes from the whole snapshot. What policy looks at
comes from the snapshot without text, so that it is the same whatever anybody wrote.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.model.evidence import Blame, Diagnosis
from sentienguard.model.ids import digest
from sentienguard.stages.decide.diagnosis import engine, readings, writing
from sentienguard.stages.decide.diagnosis.surroundings import building, naming

SUSPECTS: Final = 3  # that are kept: the first, the runner-up, and one more
CHANGES: Final = 3
_EDGES: Final = 40
_TEXTS: Final = 5  # for and against one suspect
_LONGEST: Final = 300  # characters of one of them
_DIGITS: Final = 4


def of(stored: bytes, host: str, left_out: Iterable[str] = ()) -> Diagnosis:
    """Diagnose the snapshot that `writing.write` wrote, for an incident of `host`.

    Raises NotASnapshot.
    """
    found = writing.read(stored)
    moved = engine.movements(found)  # readings are no text: both looks have them
    return Diagnosis(
        snapshot=digest(stored),
        verdict=_kept(engine.diagnose(found, moved)),
        blame=_blame(building.measured(found), host, moved),
        left_out=tuple(left_out),
    )


def _blame(
    found: diagnosis.Snapshot, host: str, moved: Sequence[readings.Movement]
) -> Blame | None:
    verdict = engine.diagnose(found, moved)
    if not verdict.ranked:
        return None
    thing = verdict.ranked[0].object
    return Blame(
        object=thing,
        hosts=naming.hosts_of(thing, found),
        confidence=round(verdict.confidence, _DIGITS),
        is_here=_is_here(thing, host, found),
    )


def _is_here(thing: str, host: str, found: diagnosis.Snapshot) -> bool:
    """Tell whether a remedy for this symptom on this host can reach the object.

    The host itself can be reached, and so can the service that shows the symptom. Another service
    of the same host can where the symptom is the host's own.
    """
    places = {one.casefold() for one in naming.hosts_of(thing, found)}
    if host.casefold() not in places:
        return found.symptom is not None and thing == found.symptom.object
    if naming.host_of(thing) is not None or found.symptom is None:
        return True
    shown = found.symptom.object
    return thing == shown or naming.host_of(shown) is not None


def _kept(verdict: diagnosis.Verdict) -> diagnosis.Verdict:
    """Return what is worth keeping of a verdict, rounded so that it reads as well as it is."""
    return dataclasses.replace(
        verdict,
        ranked=tuple(_suspect(one) for one in verdict.ranked[:SUSPECTS]),
        edges=verdict.edges[:_EDGES],
        changes=tuple(_suspect(one) for one in verdict.changes[:CHANGES]),
        triage=(),
        confidence=round(verdict.confidence, _DIGITS),
    )


def _suspect(one: diagnosis.Suspect) -> diagnosis.Suspect:
    return dataclasses.replace(
        one,
        score=round(one.score, _DIGITS),
        share=round(one.share, _DIGITS),
        evidence=tuple(text[:_LONGEST] for text in one.evidence[:_TEXTS]),
        against=tuple(text[:_LONGEST] for text in one.against[:_TEXTS]),
    )
