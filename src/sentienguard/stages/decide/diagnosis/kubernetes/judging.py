"""Which of the findings is the cause: the causal gate, and the competition behind it.

1. A finding whose victims nobody sees suffer does not count, however odd its object looks.
2. What another finding explains steps back: pods that crash because their database is full.
3. Only objects of the inventory are blamed.
4. The same findings in another order give the same verdict.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis.kubernetes import finding, observation

_UNSEEN: Final = 0.8  # weight of a finding that fits the complaint while nothing measures it
_ELSEWHERE: Final = 0.3  # weight of a finding that does not reach where the complaint is from
_EXPLAINED: Final = 0.4  # weight of a finding that another one explains
_LEAST: Final = 0.2  # score below which nobody is blamed
_CLOSE: Final = 0.9  # share of the first's score that makes another object a rival
_NEAR: Final = 0.7


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding after the gate."""

    name: str  # in the inventory
    score: float
    share: float
    found: finding.Finding
    against: tuple[str, ...]


def judge(
    seen: observation.Observed, findings: Iterable[finding.Finding]
) -> tuple[tuple[diagnosis.Suspect, ...], float]:
    """Rank what rules found; return the suspects and how sure the first is, 0..1."""
    ordered = sorted(findings, key=_key)
    passed = [one for one in (_gate(seen, found) for found in ordered) if one is not None]
    weighed = [_weigh(one, passed) for one in passed]
    best: dict[tuple[str, str], Judged] = {}
    for one in weighed:
        key = (one.name, one.found.cause)
        if key not in best or one.score > best[key].score:
            best[key] = one
    ranked = sorted(best.values(), key=lambda one: (-one.score, one.name, one.found.cause))
    ranked = [one for one in ranked if one.score >= _LEAST]
    return tuple(_suspect(seen, one) for one in ranked), confidence(ranked)


def _key(found: finding.Finding) -> tuple[str, str, str, float, tuple[str, ...]]:
    return found.of, found.object, found.cause, -found.certainty, found.evidence


def _gate(seen: observation.Observed, found: finding.Finding) -> Judged | None:
    name = _inventory_name(seen, found)
    if not name:
        return None
    against = list(found.against)
    weight = 1.0
    reached = set(found.hurts)
    for one in found.hurts:
        reached |= seen.callers(one)
    symptom = seen.snapshot.symptom
    place = seen.bare.get(symptom.object, symptom.object) if symptom and symptom.object else ""
    if place and place not in reached and place != found.object:
        against.append(f"it does not reach {place}")
        weight *= _ELSEWHERE
    suffering = {one for one in found.hurts if seen.suffers(one)}
    complaining = seen.failing & reached
    if not suffering and not complaining and not seen.complains(reached):
        if symptom is None:
            return None
        against.append("nothing that is measured suffers from it")
        weight *= _UNSEEN
    known = seen.down | seen.unreachable | seen.failing
    share = len(known & (reached | suffering)) / len(known) if known else 1.0
    return Judged(name, found.certainty * weight, share, found, tuple(against))


def _inventory_name(seen: observation.Observed, found: finding.Finding) -> str:
    """Look a finding's object up among things of its kind (rule 3), "" if it is not there."""
    kind = found.of if found.of in {finding.Of.NODE, finding.Of.NAMESPACE} else finding.Of.WORKLOAD
    return seen.inventory.get((str(kind), found.object), "")


def _weigh(one: Judged, others: Sequence[Judged]) -> Judged:
    """Let a finding step back behind another that explains it (rule 2)."""
    for other in others:
        deeper = other.found.object != one.found.object and other.name != one.name
        wider = one.found.hurts < other.found.hurts and one.found.object in other.found.hurts
        if deeper and wider and other.score >= one.score:
            why = f"{other.name} ({other.found.cause}) would explain it"
            return Judged(
                one.name, one.score * _EXPLAINED, one.share, one.found, (*one.against, why)
            )
    return one


def confidence(ranked: Sequence[Judged]) -> float:
    """Say how sure the first is, given who comes next."""
    if not ranked:
        return 0.0
    first = ranked[0]
    rivals = [one.score for one in ranked[1:] if one.found.cause or one.name != first.name]
    nearest = max(rivals, default=0.0) / first.score
    if nearest >= _CLOSE:
        return first.score * 0.5
    return first.score * (0.75 if nearest >= _NEAR else 1.0)


def _suspect(seen: observation.Observed, one: Judged) -> diagnosis.Suspect:
    return diagnosis.Suspect(
        object=one.name,
        cause=one.found.cause,
        score=round(one.score, 4),
        share=round(one.share, 4),
        path=_path(seen, one),
        evidence=tuple(text for text in one.found.evidence if text),
        against=one.against,
    )


def _path(seen: observation.Observed, one: Judged) -> tuple[str, ...]:
    """Go from the cause over a victim to the nearest caller that complains."""
    names = {bare: name for name, bare in seen.bare.items()}
    victims = sorted(one.found.hurts & (seen.down | seen.unreachable)) or sorted(one.found.hurts)
    path = [one.name]
    if victims and names.get(victims[0]) not in {None, one.name}:
        path.append(names[victims[0]])
    if victims:
        above = sorted(seen.callers(victims[0]) & (seen.failing or seen.callers(victims[0])))
        path += [names[name] for name in above[:1] if name in names and names[name] not in path]
    return tuple(path)
