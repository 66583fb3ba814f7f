"""One incident to one decision with its reasons.

Free text never raises what is permitted. It may only choose among playbooks that measured facts
find equally good, names of files among those that are for a full volume. Then the decision permits
no more than it would have without that text (the `untrusted_text` verdict). The same holds for a
language model's opinion (`advice`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from sentienguard.model.advice import Opinion
from sentienguard.model.decision import Candidate, Confidence, Decision, Verdict
from sentienguard.model.evidence import Evidence
from sentienguard.model.playbook import Playbook
from sentienguard.stages.decide import (
    advice,
    confidence,
    further,
    matching,
    meaning,
    parameters,
    policy,
    requested,
    routing,
)
from sentienguard.stages.decide.facts import Circumstances, PolicyFacts, TrackRecord
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.parameters import Filled
from sentienguard.stages.decide.settings import DecideSettings

Records: TypeAlias = Callable[[Playbook], TrackRecord]


def decide(
    evidence: Evidence,
    library: Library,
    record: Records,
    circumstances: Circumstances,
    settings: DecideSettings,
    *,
    vector: Sequence[float] | None = None,
    opinion: Opinion | None = None,
) -> Decision:
    """Decide what may be done about an incident.

    `record` answers for a playbook in the evidence's environment and on its host; `vector` is the
    embedding of `meaning.spoken(evidence)` by the library's model; `opinion` is an adviser's on
    the candidates of the same decision without one. The decision carries every rule's verdict; it
    is made at the time the evidence was taken.
    """
    made = _unadvised(evidence, library, record, circumstances, settings, vector=vector)
    if opinion is None:
        return made
    made = replace(made, opinion=opinion)
    if made.playbook is None or evidence.anomaly.request is not None:
        return made
    may = settings.advice_may
    meant = advice.meant(opinion, made.candidates, may)
    if meant is not None:
        query = meaning.of_evidence(evidence)
        candidates = library.led_by(meant, made.candidates, query, vector)
        chosen, certainty, filled, verdicts = _judged(
            evidence,
            library,
            candidates,
            record=record,
            circumstances=circumstances,
            settings=settings,
        )
        if chosen is not None and advice.may_replace(made, verdicts):
            return _with_verdict(
                replace(
                    made,
                    playbook=chosen.name,
                    version=chosen.version,
                    digest=chosen.digest,
                    parameters=filled.parameters,
                    confidence=certainty,
                    candidates=candidates,
                    verdicts=verdicts,
                ),
                advice.no_more_than(made),
            )
    return _with_verdict(made, advice.verdict(opinion, made.candidates[0], may))


def _with_verdict(made: Decision, more: Verdict) -> Decision:
    verdicts = (*made.verdicts, more)
    return replace(made, verdicts=verdicts, route=routing.route(verdicts))


def _unadvised(
    evidence: Evidence,
    library: Library,
    record: Records,
    circumstances: Circumstances,
    settings: DecideSettings,
    *,
    vector: Sequence[float] | None,
) -> Decision:
    query = meaning.of_evidence(evidence)
    asked = evidence.anomaly.request
    before = circumstances.before
    ranked = library.rank(query, vector) if asked is None else requested.only(asked, library)
    candidates = further.remaining(ranked, before, library, query, vector)
    chosen, certainty, filled, verdicts = _judged(
        evidence,
        library,
        candidates,
        record=record,
        circumstances=circumstances,
        settings=settings,
    )
    if any(item.name == "hint" for one in candidates for item in one.items):
        plain_query = matching.without_hints(query)
        by_facts = library.rank(plain_query, vector)
        by_facts = further.remaining(by_facts, before, library, plain_query, vector)
        _, _, _, plain = _judged(
            evidence,
            library,
            by_facts,
            record=record,
            circumstances=circumstances,
            settings=settings,
        )
        verdicts = (*verdicts, _no_more_than(plain))
    if asked is not None:
        verdicts = (*verdicts, requested.at_most(asked))
    if before is not None:
        verdicts = (*verdicts, further.at_most(before))
    return Decision(
        incident=evidence.incident,
        at=evidence.taken_at,
        route=routing.route(verdicts),
        playbook=chosen.name if chosen else None,
        version=chosen.version if chosen else None,
        digest=chosen.digest if chosen else None,
        parameters=filled.parameters,
        confidence=certainty,
        candidates=candidates,
        verdicts=verdicts,
        evidence=evidence,
        embedding_model="" if vector is None else library.shelf.model,
        library_index=library.shelf.index,
    )


def _judged(
    evidence: Evidence,
    library: Library,
    candidates: tuple[Candidate, ...],
    *,
    record: Records,
    circumstances: Circumstances,
    settings: DecideSettings,
) -> tuple[Playbook | None, Confidence | None, Filled, tuple[Verdict, ...]]:
    """Judge the first candidate by every rule."""
    chosen = library.get(candidates[0]) if matching.matches(candidates) else None
    known = TrackRecord() if chosen is None else record(chosen)
    certainty = confidence.estimate(candidates, known, evidence.environment, settings, evidence)
    filled = Filled({}, ())
    if chosen is not None:
        asked = evidence.anomaly.request
        filled = (
            parameters.fill(chosen, evidence) if asked is None else requested.given(chosen, asked)
        )
    facts = PolicyFacts(
        host=evidence.host,
        environment=evidence.environment,
        tags=evidence.tags,
        playbook=chosen,
        confidence=certainty,
        missing=filled.missing,
        record=known,
        circumstances=circumstances,
        settings=settings,
        blame=evidence.diagnosis.blame if evidence.diagnosis is not None else None,
    )
    return chosen, certainty, filled, policy.judge(facts)


def _no_more_than(verdicts: tuple[Verdict, ...]) -> Verdict:
    route = routing.route(verdicts)
    reason = f"chosen among equals by text anybody can write: no more than {route.name}"
    return Verdict("untrusted_text", route, reason)
