"""Which object's fault would look like this: competing hypotheses on the typed graph.

Each object that moved is tried as the origin. What its fault would reach is predicted: whatever
depends on it, by way of what moved, not before it. Rules, cited below:
1. A hypothesis that does not reach the symptom explains nothing.
2. An object below which something moved no later is a victim, unless what is below moved because
   it was asked more: then load came down, and what is below is the victim.
3. Who depends directly on the origin, is observed and did not move counts against it.
4. Something that many depend on can be the origin without being observed itself, if nearly all
   of them moved.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import claims, readings, topology

_HALF: Final = 6.0  # robust deviations with a strength of one half
_VICTIM: Final = 0.2  # of its score is left to an object whose movement something below explains
_ABSENT: Final = 0.6  # of its score is lost to an origin none of whose dependents moved
_UNSEEN: Final = 0.8  # strength of an origin that is not observed itself (rule 4)
_MOST: Final = 2 / 3  # of the observed dependents have to have moved for that
_LEAST: Final = 2  # dependents have to have moved for that
_GREW: Final = 0.5  # growth of requests from which on a callee is taken to be asked more
_PATIENCE_MS: Final = 120_000  # onsets this close cannot be told apart


@dataclass(frozen=True, slots=True)
class Moved:
    """One object that left its usual ways."""

    name: str
    onset_ms: int
    strength: float  # 0..1, of the strongest series
    kind: diagnosis.MetricKind  # of the series that moved first, effects of others last
    evidence: tuple[str, ...]
    asked_ms: int | None  # when it began to be asked more (None: it was not)
    own_ms: int  # when anything but its requests moved


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One object as the origin."""

    name: str
    score: float
    share: float  # of what moved around the symptom that it explains
    cause: str
    path: tuple[str, ...]  # from it to the symptom
    edges: tuple[tuple[str, str], ...]  # from cause to effect, all that it explains
    evidence: tuple[str, ...]
    against: tuple[str, ...]


def hypotheses(
    snapshot: diagnosis.Snapshot, found: Mapping[str, tuple[readings.Movement, ...]]
) -> tuple[Hypothesis, ...]:
    """Try every object as the origin of the symptom, the best first.

    Empty where the symptom has no object, or did not move itself.
    """
    symptom = snapshot.symptom
    if symptom is None or not symptom.object:
        return ()
    moved = {name: _moved(name, found[name]) for name in found if _has_moved(found[name])}
    court = _Court(symptom.object, topology.Graph.of(snapshot.edges), moved, frozenset(found))
    if symptom.object not in moved and symptom.object in found:
        return ()
    tried = [
        hypothesis
        for thing in sorted(snapshot.objects, key=lambda one: one.name)
        if (hypothesis := court.try_one(thing.name)) is not None
    ]
    return tuple(sorted(tried, key=lambda one: (-one.score, one.name)))


def _has_moved(found: tuple[readings.Movement, ...]) -> bool:
    return any(one.onset_ms is not None for one in found)


def _moved(name: str, found: tuple[readings.Movement, ...]) -> Moved:
    there = [one for one in found if one.onset_ms is not None]
    own = [one for one in there if one.kind is not diagnosis.MetricKind.TRAFFIC] or there
    asked = [
        one.onset_ms
        for one in there
        if one.kind is diagnosis.MetricKind.TRAFFIC and one.growth >= _GREW and one.peak > one.usual
    ]
    first = min(
        own, key=lambda one: (_onset(one), one.kind in readings.EFFECTS, -one.deviations, one.name)
    )
    return Moved(
        name=name,
        onset_ms=min(_onset(one) for one in there),
        strength=max(claims.strength(one.deviations, _HALF) for one in there),
        kind=first.kind,
        evidence=tuple(
            one.told()
            for one in sorted(there, key=lambda one: (_onset(one), -one.deviations, one.name))[:3]
        ),
        asked_ms=min((at for at in asked if at is not None), default=None),
        own_ms=min(_onset(one) for one in own),
    )


def _onset(one: readings.Movement) -> int:
    return one.onset_ms if one.onset_ms is not None else 1 << 62


@dataclass(frozen=True, slots=True)
class _Court:
    """What every hypothesis is tried against."""

    symptom: str
    graph: topology.Graph
    moved: Mapping[str, Moved]
    observed: frozenset[str]

    def try_one(self, name: str) -> Hypothesis | None:
        """Try one origin; None if it does not reach the symptom (rule 1)."""
        here = self.moved.get(name) or self._unseen(name)
        if here is None:
            return None
        before = self._reached(here)
        if name != self.symptom and self.symptom not in before:
            return None
        loaded = self._loaded(here)
        direct = [one for one in self.graph.dependents(name) if one in self.observed]
        spared = [one for one in direct if one not in self.moved]
        explained = {name, *before, *loaded} & set(self.moved)
        around = self._around()
        share = len(explained & around) / len(around) if around else 1.0
        absent = len(spared) / len(direct) if direct else 0.0
        worse = self._explains(here)
        score = here.strength * (1 - _ABSENT * absent) * (0.5 + 0.5 * share)  # rule 3
        if worse:
            score *= _VICTIM  # rule 2
        return Hypothesis(
            name=name,
            score=score,
            share=share,
            cause=str(here.kind),
            path=self._path(name, before),
            edges=tuple(
                sorted(
                    {(below, above) for above, below in before.items()}
                    | {(name, one) for one in loaded}
                )
            ),
            evidence=here.evidence,
            against=(
                *(f"{one} depends on it and is as usual" for one in spared),
                *(f"{one} moved no later and explains it" for one in worse),
            ),
        )

    def _reached(self, origin: Moved) -> dict[str, str]:
        """Give what its fault reached, each with the step before it."""
        before: dict[str, str] = {}
        line = [origin.name]
        while line:
            here = line.pop(0)
            since = self.moved[here].onset_ms if here in self.moved else origin.onset_ms
            for above in self.graph.dependents(here):
                there = self.moved.get(above)
                if above == origin.name or above in before or there is None:
                    continue
                if there.onset_ms + _PATIENCE_MS >= since:
                    before[above] = here
                    line.append(above)
        return before

    def _loaded(self, origin: Moved) -> list[str]:
        """Give what is asked more by the origin."""
        return [
            below
            for below in self.graph.dependencies(origin.name)
            if below in self.moved and self._asked_more(self.moved[below], origin)
        ]

    def _asked_more(self, below: Moved, above: Moved) -> bool:
        """Tell whether load came down: asked more before it got worse, not before the asker."""
        return (
            below.asked_ms is not None
            and below.asked_ms <= below.own_ms
            and below.onset_ms + _PATIENCE_MS >= above.onset_ms
            and below.name != above.name
        )

    def _explains(self, here: Moved) -> list[str]:
        """Give what explains it: faults of what is below, and load from above (rule 2)."""
        return [
            *(
                below
                for below in self.graph.dependencies(here.name)
                if below in self.moved
                and self.moved[below].onset_ms <= here.onset_ms
                and not self._asked_more(self.moved[below], here)
            ),
            *(
                above
                for above in self.graph.dependents(here.name)
                if above in self.moved
                and self.moved[above].own_ms <= here.onset_ms
                and self._asked_more(here, self.moved[above])
            ),
        ]

    def _unseen(self, name: str) -> Moved | None:
        """Take something unobserved for moved if nearly all that depend on it moved (rule 4)."""
        if name in self.observed:
            return None
        direct = [one for one in self.graph.dependents(name) if one in self.observed]
        there = [self.moved[one] for one in direct if one in self.moved]
        if len(there) < max(_LEAST, _MOST * len(direct)):
            return None
        onset = min(one.onset_ms for one in there)
        names = ", ".join(one.name for one in there)
        return Moved(
            name=name,
            onset_ms=onset,
            strength=_UNSEEN,
            kind=diagnosis.MetricKind.OTHER,
            evidence=(f"{names} depend on it and moved; it is not observed itself",),
            asked_ms=None,
            own_ms=onset,
        )

    def _around(self) -> set[str]:
        """Give what moved among all that the symptom depends on, and what depends on those."""
        below = {self.symptom}
        line = [self.symptom]
        while line:
            for one in self.graph.dependencies(line.pop(0)):
                if one not in below:
                    below.add(one)
                    line.append(one)
        near = {above for one in below for above in self.graph.dependents(one)} | below
        return near & set(self.moved)

    def _path(self, name: str, before: Mapping[str, str]) -> tuple[str, ...]:
        path = [self.symptom]
        while path[-1] != name:
            path.append(before[path[-1]])
        return tuple(reversed(path))
