"""A snapshot to a verdict: all ways of looking, weighed against one another.

Which way decides follows from what there is to look at, the most telling first:

1. a cluster's own objects, where they say what is broken (`kubernetes`);
2. how the symptom's excess divides along a call graph with traffic (`flow`);
3. which origin's predicted effects are those that are there (`cascade`);
4. who did something by itself (`behaviour`, `resources`).

What an object did by itself also counts a little where 2 or 3 decides. In 4 only what the symptom
can come from is a candidate: what moved on a host that has nothing to do with it is a coincidence,
or the trouble of another service of the same name.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import (
    behaviour,
    cascade,
    changes,
    claims,
    flow,
    kubernetes,
    readings,
    resources,
    topology,
    triage,
)

_OWN: Final = 0.1  # weight of what an object did by itself, where propagation decides
_LEAST: Final = 0.02  # score that the first has to have, or nobody is blamed
_TEXT: Final = 0.019  # weight of a claim of text alone: always below that, so it never comes first
_RANKED: Final = 10  # suspects that a verdict lists
_CERTAIN: Final = 0.5  # of its certainty a first loses to a second that is as likely

_Claims = Mapping[str, tuple[claims.Claim, ...]]


def diagnose(
    snapshot: diagnosis.Snapshot, moved: Sequence[readings.Movement] | None = None
) -> diagnosis.Verdict:
    """Say who is to blame, which changes to look at, and which alerts to page.

    The same snapshot gives the same verdict, whatever the order of its parts. `moved` is what
    `movements` found of the same series, where that is known.
    """
    snapshot = in_order(snapshot)
    found = readings.by_object(readings.movements(snapshot) if moved is None else moved)
    verdict = _blame(snapshot, found)
    return dataclasses.replace(
        verdict,
        changes=changes.shortlist(snapshot, found),
        triage=triage.triage(snapshot),
    )


def movements(snapshot: diagnosis.Snapshot) -> tuple[readings.Movement, ...]:
    """Measure every series of a snapshot, whatever their order."""
    return readings.movements(in_order(snapshot))


def in_order(snapshot: diagnosis.Snapshot) -> diagnosis.Snapshot:
    """Sort what has no order of its own, so that sums are summed the same way each time."""
    return dataclasses.replace(
        snapshot,
        objects=tuple(sorted(snapshot.objects, key=lambda one: one.name)),
        edges=tuple(sorted(snapshot.edges, key=lambda one: (one.source, one.target, one.kind))),
        series=tuple(sorted(snapshot.series, key=_series_order)),
        logs=tuple(sorted(snapshot.logs, key=repr)),
        traces=tuple(sorted(snapshot.traces, key=repr)),
        changes=tuple(sorted(snapshot.changes, key=repr)),
        alerts=tuple(sorted(snapshot.alerts, key=repr)),
        known=tuple(sorted(snapshot.known, key=repr)),
    )


def _series_order(one: diagnosis.MetricSeries) -> tuple[object, ...]:
    return one.object, one.kind, one.name, one.times_ms, one.values


def _blame(
    snapshot: diagnosis.Snapshot, found: Mapping[str, tuple[readings.Movement, ...]]
) -> diagnosis.Verdict:
    if snapshot.kubernetes is not None:
        verdict = kubernetes.diagnose(snapshot)
        known = tuple(one for one in verdict.ranked if one.object in _inventory(snapshot))
        if known:
            return dataclasses.replace(verdict, ranked=known)
    moved = [one for movements in found.values() for one in movements]
    own = claims.strongest([*behaviour.claims_of(snapshot), *resources.claims_of(snapshot, moved)])
    attribution = flow.attribute(snapshot)
    if attribution is not None:
        return _by_flow(snapshot, attribution, own)
    if _quiet(snapshot, found):
        name = snapshot.symptom.object if snapshot.symptom else ""
        return _abstain(snapshot, f"{name} is as usual: there is no symptom to explain")
    tried = cascade.hypotheses(snapshot, found)
    if tried:
        return _verdict(snapshot, _of_cascade(tried, own), tried[0].edges)
    return _by_claims(snapshot, own)


def _by_claims(snapshot: diagnosis.Snapshot, claimed: _Claims) -> diagnosis.Verdict:
    """Rank who did something by itself, of those that the symptom can come from."""
    own = _concerned(claimed, snapshot)
    if claimed and not own:
        name = snapshot.symptom.object if snapshot.symptom else ""
        return _abstain(snapshot, f"nothing moved that {name} has to do with")
    verdict = _verdict(snapshot, _of_claims(own, snapshot), ())
    if not verdict.ranked and any(found[0].text_alone for found in own.values()):
        return _abstain(snapshot, "nothing but log lines speaks against anybody")
    return verdict


def _by_flow(
    snapshot: diagnosis.Snapshot, attribution: flow.Attribution, own: _Claims
) -> diagnosis.Verdict:
    """Rank by shares of the excess; the surer the rarer such a symptom is."""
    if not attribution.shares:
        return _abstain(snapshot, "the symptom is nothing unusual: there is nothing to explain")
    verdict = _verdict(snapshot, _of_flow(attribution, own, snapshot), ())
    uncommon = 1 - attribution.common / flow.COMMON
    return dataclasses.replace(verdict, confidence=verdict.confidence * uncommon)


def _quiet(
    snapshot: diagnosis.Snapshot, found: Mapping[str, tuple[readings.Movement, ...]]
) -> bool:
    """Tell whether the object with the symptom is observed and did nothing unusual."""
    symptom = snapshot.symptom
    if symptom is None or symptom.object not in found:
        return False
    watched = [one for one in found[symptom.object] if one.kind is symptom.kind]
    return all(one.onset_ms is None for one in watched or found[symptom.object])


def _of_flow(
    attribution: flow.Attribution, own: _Claims, snapshot: diagnosis.Snapshot
) -> Iterable[diagnosis.Suspect]:
    kind = str(snapshot.symptom.kind) if snapshot.symptom else ""
    for name, share in attribution.shares.items():
        excess = attribution.excess[name]
        spared = sum(
            one.deviations < readings.MOVED
            for other, one in attribution.excess.items()
            if other in attribution.paths and other != name
        )
        yield diagnosis.Suspect(
            object=name,
            cause=kind,
            score=(1 - _OWN) * share + _OWN * _strength(own, name),
            share=share,
            path=attribution.paths[name],
            evidence=(
                f"{share:.0%} of the excess {kind} is its own",
                f"{kind}: {excess.deviations:.1f} deviations above usual",
                *(text for claim in own.get(name, ())[:1] for text in claim.evidence[:1]),
            ),
            against=(f"{spared} objects on the way hardly moved",) if spared else (),
        )


def _of_cascade(tried: Sequence[cascade.Hypothesis], own: _Claims) -> Iterable[diagnosis.Suspect]:
    for one in tried:
        yield diagnosis.Suspect(
            object=one.name,
            cause=one.cause,
            score=(1 - _OWN) * one.score + _OWN * _strength(own, one.name),
            share=one.share,
            path=one.path,
            evidence=one.evidence,
            against=one.against,
        )


def _concerned(own: _Claims, snapshot: diagnosis.Snapshot) -> _Claims:
    """Keep what the symptom can come from; everything where nobody knows what that is."""
    if snapshot.symptom is None or not snapshot.symptom.object:
        return own
    graph = topology.Graph.of(behaviour.edges(snapshot))
    near = graph.concerned(snapshot.symptom.object)
    return {name: own[name] for name in own if name in near} if near else own


def _of_claims(own: _Claims, snapshot: diagnosis.Snapshot) -> Iterable[diagnosis.Suspect]:
    measured = [found[0].strength for found in own.values() if not found[0].text_alone]
    whole = sum(measured)
    graph = topology.Graph.of(snapshot.edges)
    for name, found in own.items():
        first = found[0]
        yield diagnosis.Suspect(
            object=name,
            cause=first.cause,
            score=first.strength * (_TEXT if first.text_alone else 1.0),
            share=0.0 if first.text_alone or not whole else first.strength / whole,
            path=_way(name, snapshot, graph),
            evidence=first.evidence,
            against=first.against,
        )


def _way(name: str, snapshot: diagnosis.Snapshot, graph: topology.Graph) -> tuple[str, ...]:
    """Give the shortest way from an object up to the symptom; the object alone if none is known."""
    goal = snapshot.symptom.object if snapshot.symptom else ""
    everything = {thing.name for thing in snapshot.objects}
    before = graph.reach_up(name, everything)
    if not goal or goal not in before:
        return (name,)
    way = [goal]
    while way[-1] != name:
        way.append(before[way[-1]])
    return tuple(reversed(way))


def _strength(own: _Claims, name: str) -> float:
    return own[name][0].strength if name in own and not own[name][0].text_alone else 0.0


def _verdict(
    snapshot: diagnosis.Snapshot,
    suspects: Iterable[diagnosis.Suspect],
    edges: tuple[tuple[str, str], ...],
) -> diagnosis.Verdict:
    """Rank those that are in the inventory; nobody is blamed if none of them is worth it."""
    inventory = _inventory(snapshot)
    ranked = tuple(
        sorted(
            (one for one in suspects if one.object in inventory and one.score > 0),
            key=lambda one: (-one.score, one.object),
        )
    )[:_RANKED]
    if not ranked or ranked[0].score < _LEAST:
        return _abstain(snapshot, "nothing moved that would explain anything")
    second = ranked[1].score if len(ranked) > 1 else 0.0
    return diagnosis.Verdict(
        snapshot=snapshot.id,
        ranked=ranked,
        edges=edges or tuple(zip(ranked[0].path, ranked[0].path[1:], strict=False)),
        confidence=ranked[0].score * (1 - _CERTAIN * second / ranked[0].score),
    )


def _inventory(snapshot: diagnosis.Snapshot) -> frozenset[str]:
    return frozenset(thing.name for thing in snapshot.objects)


def _abstain(snapshot: diagnosis.Snapshot, why: str) -> diagnosis.Verdict:
    return diagnosis.Verdict(snapshot=snapshot.id, ranked=(), abstained=why)
