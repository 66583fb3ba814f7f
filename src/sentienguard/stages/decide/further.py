"""What may be tried after a host said that a remedy is not for what it sees.

Called by `decide` and by the flow. A host looks for itself before a remedy's first step: a guard, a
pre-check that measures, or that no file fits what would be removed. Where one of these says no,
nothing was done, and another candidate of the same decision may be looked at. Rules:

1. Only what the first decision listed and the host did not rule out is a candidate, and it has to
   match again, on evidence taken now. Every rule of policy judges it, as if it were the first.
2. It permits no more than the decision before, and at most RUN_AND_VERIFY: somebody was wrong about
   this incident once already, so the centre looks itself.
3. Where the symptom is gone, nothing more is tried.
4. Checks about circumstances are no reason to go on: a host in maintenance, busy, marked or without
   room means every remedy. A check that is not known to measure counts as one of those.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sentienguard.model.decision import Candidate, Decision, Route, Verdict
from sentienguard.model.order import NOTHING_TO_REMOVE
from sentienguard.model.playbook import Playbook
from sentienguard.stages.decide import matching
from sentienguard.stages.decide.facts import Before
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.meaning import Query

RULE: Final = "further"
GUARD: Final = "guard_holds"  # the rule of a host's admission that measures
MEASURING: Final = frozenset(  # kinds of pre-checks that say whether a remedy is for this (rule 4)
    {
        "command",
        "condition",
        "http",
        "log_check",
        "metric",
        "process",
        "setting_check",
        "sql",
        "sql_query",
    }
)


def is_left(decision: Decision) -> bool:
    """Tell whether a decision that was ruled out listed another playbook that matched."""
    return any(
        one.score >= matching.MATCH_FROM
        for one in decision.candidates
        if one.digest != decision.digest
    )


def measured(playbook: Playbook, failed: Iterable[str], reason: str) -> bool:
    """Tell whether an order that ended before its first step was ruled out by what was measured.

    `failed` names the pre-checks that failed; `reason` is what the host says of the end.
    """
    kinds = {one.name: one.kind for one in playbook.pre_checks}
    found = [kinds.get(name, "") for name in failed]
    if not found:
        return reason.startswith(NOTHING_TO_REMOVE)
    return all(kind in MEASURING for kind in found)


def remaining(
    candidates: Sequence[Candidate],
    before: Before | None,
    library: Library,
    query: Query,
    vector: Sequence[float] | None,
) -> tuple[Candidate, ...]:
    """Return the candidates that may be looked at, best first (rule 1)."""
    if before is None:
        return tuple(candidates)
    gone = {one.digest for one in before.ruled_out}
    rest = [one for one in candidates if one.digest in before.listed and one.digest not in gone]
    return library.led_by(rest[0], rest, query, vector) if rest else ()


def at_most(before: Before) -> Verdict:
    """Return the most that another try permits (rules 2 and 3)."""
    names = ", ".join(one.playbook for one in before.ruled_out)
    if not before.symptom_stands:
        reason = f"the symptom is gone since the host ruled out {names}"
        return Verdict(RULE, Route.ESCALATE, reason)
    route = Route.RUN_AND_VERIFY.meet(before.at_most)
    return Verdict(RULE, route, f"the host ruled out {names}: no more than {route.name}")
