"""How probable it is that the best playbook resolves the incident, with its 90 % interval.

    confidence = P(it is the right one) x P(it works where it is the right one)

*The right one*: a logistic of the match score, `1 / (1 + exp(-(SLOPE x (score - MIDDLE))))`, less
where several playbooks match alike. A full match of metric and slots with few words in common gives
0.99, the line of a match 0.67.

*It works*: the mean of a Beta distribution whose prior is worth four runs at 0.85 (the low end of
the success rates that the product's own library shows), updated by each verified success and each
failure of this playbook in this environment. In the drill environment the runs of its signed
proving record count as well. So an unknown playbook ends near 0.84: a person is asked. Three clean
runs reach 0.90, twelve 0.95. Without a verified run the value is at most the prior's mean, so the
line of unattended running, 0.90, is out of reach whatever else holds.

The figures are a documented starting point; a later measurement replaces them here, in one place.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

from sentienguard.model.decision import Candidate, Confidence, ScoreItem
from sentienguard.stages.decide import beta, matching
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings

_SLOPE, _MIDDLE = 14.0, 0.55
_AMBIGUITY = 0.7  # taken from the logit where several playbooks match alike: 0.99 becomes 0.98
_PRIOR_MEAN, _PRIOR_RUNS = 0.85, 4.0
_CAP = 0.89  # of a match by likeness that is not sure: under the line of unattended running
_TAIL = 0.05  # on each side of the 90 % interval


def estimate(
    candidates: Sequence[Candidate],
    record: TrackRecord,
    environment: str,
    settings: DecideSettings,
) -> Confidence | None:
    """Return the confidence in the first candidate; None where nothing matches."""
    if not matching.matches(candidates):
        return None
    best = candidates[0]
    rivals = matching.alike(candidates) - 1
    right = _logistic(_SLOPE * (best.score - _MIDDLE) - (_AMBIGUITY if rivals else 0.0))
    good, bad, because = _history(record, environment, settings)
    successes = _PRIOR_MEAN * _PRIOR_RUNS + good
    failures = (1 - _PRIOR_MEAN) * _PRIOR_RUNS + bad
    works = successes / (successes + failures)
    capped = next((one for one in best.items if one.name == matching.AUTONOMY_CAP), None)
    most = _CAP if capped else 1.0
    low, high = _interval(successes, failures)
    return Confidence(
        value=min(round(right * works, 6), most),
        low=min(round(right * low, 6), most),
        high=min(round(right * high, 6), most),
        items=(
            ScoreItem("right_one", round(right, 6), _why_right(best, rivals)),
            ScoreItem("works", round(works, 6), because),
            *((ScoreItem("at_most", _CAP, capped.because),) if capped else ()),
        ),
    )


def _history(
    record: TrackRecord, environment: str, settings: DecideSettings
) -> tuple[int, int, str]:
    """Return verified successes, failures, and what they are made of."""
    good, bad = record.verified, record.failed + record.harmful
    because = f"{good} verified successes and {bad} failures here"
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
