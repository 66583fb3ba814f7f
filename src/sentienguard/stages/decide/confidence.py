"""How probable it is that the best playbook resolves the incident, with its 90 % interval.

    confidence = P(it is the right one) x P(it works where it is the right one) x P(it holds)

*The right one*: a logistic of the match score, `1 / (1 + exp(-(SLOPE x (score - MIDDLE))))`, less
where several playbooks match alike, and less the more the evidence disagrees: measurements put the
cause elsewhere, or the reading went back towards its baseline meanwhile. A full match of metric and
slots with few words in common gives 0.99, the line of a match 0.67.

*It works*: the mean of a Beta distribution whose prior is worth four runs at 0.85 (the low end of
the success rates that the product's own library shows), updated by each verified success and each
failure of this playbook on this kind of target in this environment; recoveries that something else
explains are neither (`crediting`). In the drill environment the runs of its signed proving record
count as well. So an unknown playbook ends near 0.84: a person is asked. Three clean runs reach
0.90, twelve 0.95. Without a verified run the value is at most the prior's mean, so the line of
unattended running, 0.90, is out of reach whatever else holds.

*It holds*: of the times that it resolved this symptom here in 30 days, how often the symptom was
back within the hour. Nothing known is 1; each return counts as one against sixty that held: a
repetition is acted on like the first time, and what comes back again and again ends with a person.
In the drill environment faults are put back on purpose, so nothing is taken off there.

Disagreement and returns only ever lower the value. No text that anybody can write has a part in
them. The figures are a documented starting point; a later measurement (`reliability`) replaces them
here, in one place.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from sentienguard.model.decision import Candidate, Confidence, ScoreItem
from sentienguard.model.evidence import Evidence
from sentienguard.model.incident import Outcome
from sentienguard.stages.decide import beta, matching, standing
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings

_SLOPE, _MIDDLE = 14.0, 0.55
_AMBIGUITY = 0.7  # taken from the logit where several playbooks match alike: 0.99 becomes 0.98
_ELSEWHERE = 1.5  # taken from the logit where the diagnosis is sure of a cause elsewhere
_RECEDED = 1.5  # taken from the logit where the reading is back at its baseline
_LEAST_RECEDED = 0.25  # of the way back; less is noise
_HELD = 60.0  # runs that held, as which nothing known counts
_RETURNS = timedelta(hours=1)  # a symptom that is back by then was not cured
_CAP = 0.89  # of a match by likeness that is not sure: under the line of unattended running
_TAIL = 0.05  # on each side of the 90 % interval


@dataclass(frozen=True, slots=True)
class Doubt:
    """One disagreement among the evidence."""

    severity: float  # 0..1
    logit: float  # what it takes from the logit at the most
    because: str


def estimate(
    candidates: Sequence[Candidate],
    record: TrackRecord,
    environment: str,
    settings: DecideSettings,
    known: Evidence | None = None,
) -> Confidence | None:
    """Return the confidence in the first candidate; None where nothing matches.

    Without evidence nothing disagrees and nothing came back.
    """
    if not matching.matches(candidates):
        return None
    best = candidates[0]
    rivals = matching.alike(candidates) - 1
    found = () if known is None else doubts(known)
    logit = _SLOPE * (best.score - _MIDDLE) - (_AMBIGUITY if rivals else 0.0)
    agreed = _logistic(logit)
    right = _logistic(logit - sum(one.severity * one.logit for one in found))
    good, bad, because = _history(record, environment, settings)
    successes = standing.PRIOR_MEAN * standing.PRIOR_RUNS + good
    failures = (1 - standing.PRIOR_MEAN) * standing.PRIOR_RUNS + bad
    works = successes / (successes + failures)
    on_purpose = environment == settings.drill_environment
    held, returned = (0, 0) if known is None or on_purpose else holding(known, best.playbook)
    holds = (held + _HELD) / (held + returned + _HELD)
    capped = next((one for one in best.items if one.name == matching.AUTONOMY_CAP), None)
    most = _CAP if capped else 1.0
    low, high = _interval(successes, failures)
    return Confidence(
        value=min(round(right * works * holds, 6), most),
        low=min(round(right * low * holds, 6), most),
        high=min(round(right * high * holds, 6), most),
        items=(
            ScoreItem("right_one", round(agreed, 6), _why_right(best, rivals)),
            *((ScoreItem("agreement", round(right / agreed, 6), _said(found)),) if found else ()),
            ScoreItem("works", round(works, 6), because),
            *(
                (ScoreItem("holds", round(holds, 6), _why_holds(held, returned)),)
                if returned
                else ()
            ),
            *((ScoreItem("at_most", _CAP, capped.because),) if capped else ()),
        ),
    )


def doubts(known: Evidence) -> tuple[Doubt, ...]:
    """Return where measurements disagree with the symptom being cured here, now."""
    found = []
    blame = known.diagnosis.blame if known.diagnosis is not None else None
    if blame is not None and not blame.is_here and blame.confidence > 0:
        because = f"measurements put the cause elsewhere, with confidence {blame.confidence:.2f}"
        found.append(Doubt(min(blame.confidence, 1.0), _ELSEWHERE, because))
    back = _receded(known)
    if back >= _LEAST_RECEDED:
        because = f"the reading has gone {back:.0%} of the way back to its baseline"
        found.append(Doubt(back, _RECEDED, because))
    return tuple(found)


def holding(known: Evidence, playbook: str) -> tuple[int, int]:
    """Return how often this playbook's cures of this symptom here held, and how often not.

    A cure did not hold where the next incident of the same symptom was opened within the hour.
    """
    held = returned = 0
    after = known.anomaly.at  # of the newer one: of this incident first
    for past in known.similar:  # newest first
        if past.playbook == playbook and past.outcome == Outcome.RESOLVED.value:
            back = after - past.opened_at <= _RETURNS
            held, returned = held + (not back), returned + back
        after = past.opened_at
    return held, returned


def _receded(known: Evidence) -> float:
    """Return how far the newest reading is back from the anomalous value to the baseline, 0..1."""
    anomaly = known.anomaly
    later = [value for at, value in known.recent if at > anomaly.at]
    if anomaly.baseline is None or not later:
        return 0.0
    away = anomaly.value - anomaly.baseline.mean
    if away == 0.0 or not math.isfinite(away) or not math.isfinite(later[-1]):
        return 0.0
    return min(max((anomaly.value - later[-1]) / away, 0.0), 1.0)


def _said(found: Sequence[Doubt]) -> str:
    return "; ".join(one.because for one in found)


def _why_holds(held: int, returned: int) -> str:
    return f"of {held + returned} cures here {returned} were followed by the same within an hour"


def _history(
    record: TrackRecord, environment: str, settings: DecideSettings
) -> tuple[int, int, str]:
    """Return verified successes, failures, and what they are made of."""
    good, bad = record.verified, record.failed + record.harmful
    because = f"{good} verified successes and {bad} failures here"
    if record.explained:
        because += (
            f", {record.explained} recoveries count for nothing: something else explains them"
        )
    if environment == settings.drill_environment and record.proven_runs:
        good += record.proven_verified
        bad += record.proven_runs - record.proven_verified
        because += f", {record.proven_verified} of {record.proven_runs} signed drill runs verified"
    return good, bad, because


def _why_right(best: Candidate, rivals: int) -> str:
    because = f"match score {best.score:.3f}"
    return f"{because}, {rivals} others match alike" if rivals else because


def _logistic(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


@lru_cache(maxsize=1024)  # few records occur, and each is asked for again and again
def _interval(successes: float, failures: float) -> tuple[float, float]:
    return (
        beta.quantile(_TAIL, successes, failures),
        beta.quantile(1 - _TAIL, successes, failures),
    )
