"""The most that policy would permit of a playbook on a host, before anything is found there.

Called by flow.outlook. The rules are those of `policy`; only what is known without an incident is
asked. `OPEN` names the others: each of them can restrict further, none can permit more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.model.decision import Route, Verdict
from sentienguard.model.playbook import Playbook
from sentienguard.stages.decide import policy, routing
from sentienguard.stages.decide.facts import PolicyFacts

# What the incident decides: whether it matches, how sure that is, and what is measured of it.
OPEN: Final[Sequence[policy.Rule]] = (
    policy.match,
    policy.confidence,
    policy.silence,
    policy.forecast,
    policy.once,
    policy.parameters,
    policy.diagnosis,
)
HELD: Final[Sequence[policy.Rule]] = tuple(one for one in policy.RULES if one not in OPEN)


@dataclass(frozen=True, slots=True)
class Outlook:
    """One playbook on one host."""

    playbook: Playbook
    route: Route  # at most
    verdicts: tuple[Verdict, ...]  # of every rule that is known without an incident

    @property
    def deciding(self) -> tuple[Verdict, ...]:
        """Return the verdicts that nothing else is stricter than."""
        return tuple(one for one in self.verdicts if one.route is self.route)


def best(known: Sequence[PolicyFacts]) -> Outlook:
    """Judge one playbook with its record on each kind of target, and return the most permissive.

    Raises ValueError where nothing is known or no playbook is named.
    """
    found = [_judged(one) for one in known]
    return max(found, key=lambda one: one.route)


def _judged(known: PolicyFacts) -> Outlook:
    if known.playbook is None:
        raise ValueError("an outlook is that of a playbook, found none")
    verdicts = policy.judge(known, HELD)
    return Outlook(known.playbook, routing.route(verdicts), verdicts)
