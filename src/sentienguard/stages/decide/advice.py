"""What an adviser's opinion may do to a decision. It never permits more, whatever it says.

Called by `decide` with an opinion that `advice_answer` read. Rules:

1. An opinion that agrees changes nothing. Without an opinion nothing changes either.
2. One that names another playbook, or none, lowers the route to asking a person, where the policy's
   setting `advice_may` says so. It never raises one.
3. Where several playbooks match alike, and the setting says so, it may name the one that is meant.
   That one is judged by every rule as if it had ranked first, and permits no more than the first
   one did. Both must be permitted at all.
4. Parameters, the order and its target come from measured facts; an opinion has no place for them.
5. Where a person asked for a playbook by its name, no opinion is heard.

The type `Opinion` is all that is known of a language model here, and none can be reached by
imports.
"""

from collections.abc import Sequence

from sentienguard.model.advice import May, Opinion
from sentienguard.model.decision import Candidate, Decision, Route, Verdict
from sentienguard.stages.decide import matching, routing

RULE = "advice"


def meant(opinion: Opinion, candidates: Sequence[Candidate], may: May) -> Candidate | None:
    """Return the other playbook that the opinion may put first (rule 3); None: the order stays."""
    if may is not May.CHOOSE:
        return None
    alike = candidates[: matching.alike(candidates)]
    return next((one for one in alike[1:] if one.playbook == opinion.choice), None)


def verdict(opinion: Opinion, first: Candidate, may: May) -> Verdict:
    """Return the most that the opinion allows of the first candidate (rules 1 and 2)."""
    if opinion.choice == first.playbook:
        return Verdict(RULE, Route.RUN, "the adviser names the same one")
    named = opinion.choice or "none of them"
    if may is May.SHOWN:
        return Verdict(RULE, Route.RUN, f"the adviser names {named}; its opinion is only shown")
    return Verdict(RULE, Route.ASK, f"the adviser names {named}: a person decides")


def no_more_than(before: Decision) -> Verdict:
    """Return the bound of rule 3: what was permitted before the opinion was heard."""
    reason = (
        f"named by the adviser among those that match alike, instead of {before.playbook}: no more "
        f"than {before.route.name}"
    )
    return Verdict(RULE, before.route, reason)


def may_replace(before: Decision, verdicts: Sequence[Verdict]) -> bool:
    """Tell whether both are permitted at all (rule 3)."""
    return Route.ESCALATE not in {before.route, routing.route(verdicts)}
