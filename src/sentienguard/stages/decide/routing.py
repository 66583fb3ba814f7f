"""The meet of the rules, and its words."""

from collections.abc import Sequence

from sentienguard.model.decision import Decision, Route, Verdict, strictest


def route(verdicts: Sequence[Verdict]) -> Route:
    """Return the most restrictive route of all verdicts; no verdict permits nothing."""
    return strictest(tuple(verdicts))


def reasons(decision: Decision) -> tuple[str, ...]:
    """Return why the route is no freer, each reason once; where nothing matched, that alone."""
    if decision.playbook is None:
        return (f"no playbook is for this: {_near_miss(decision)}",)
    # The one reason that begins with a number has to say of what.
    worded = (
        f"confidence {one.reason}" if one.rule == "confidence" else one.reason
        for one in decision.deciding
    )
    return tuple(dict.fromkeys(worded))


def _near_miss(decision: Decision) -> str:
    if not decision.candidates:
        return "the library is empty"
    nearest = decision.candidates[0]
    against = next(
        (item.because for item in nearest.items if item.name == "cap"), "too little fits"
    )
    return f"the nearest is {nearest.playbook} at {nearest.score:.2f}, {against}"
