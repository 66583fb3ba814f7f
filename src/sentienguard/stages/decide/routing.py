"""The meet of the rules, and its words."""

from collections.abc import Sequence

from sentienguard.model.decision import Decision, Route, Verdict, strictest

_DOES = {
    Route.RUN: "runs",
    Route.RUN_AND_VERIFY: "runs, and the centre confirms before the incident closes",
    Route.ASK: "waits for a person",
    Route.DRY_RUN: "shows what it would do, then goes to people",
    Route.ESCALATE: "is not run: the incident goes to people",
}


def route(verdicts: Sequence[Verdict]) -> Route:
    """Return the most restrictive route of all verdicts; no verdict permits nothing."""
    return strictest(tuple(verdicts))


def rationale(decision: Decision) -> str:
    """Return one sentence on what happens and why, for lists, records and notifications."""
    if decision.playbook is None:
        return f"No playbook is for this: {_near_miss(decision)}."
    said = f"{decision.playbook} {_DOES[decision.route]}"
    if decision.confidence is not None:
        said += f" (confidence {decision.confidence.value:.2f})"
    if decision.route is Route.RUN:
        return f"{said}."
    reasons = "; ".join(verdict.reason for verdict in decision.deciding)
    return f"{said}: {reasons}."


def _near_miss(decision: Decision) -> str:
    if not decision.candidates:
        return "the library is empty"
    nearest = decision.candidates[0]
    against = next(
        (item.because for item in nearest.items if item.name == "cap"), "too little fits"
    )
    return f"the nearest is {nearest.playbook} at {nearest.score:.2f}, {against}"
