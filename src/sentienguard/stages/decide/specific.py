"""Of two remedies that do the same, the one that was written for this system goes first.

Called by `matching`. Starting a service and starting PostgreSQL is one deed, and the second knows
what has to hold before it and what to ask afterwards. Rules (docs/adr/0019-specific-first.md):

1. They do the same: the same kinds of step with the same operations, for one resource and symptom.
2. Both declare the metric. One is for a system that measured facts name, the other for any.
3. Both match, and their scores are alike: this settles a tie and lifts nobody over a line.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sentienguard.model.decision import Candidate, ScoreItem
from sentienguard.model.playbook import Playbook
from sentienguard.stages.decide import meaning
from sentienguard.stages.decide.meaning import Query


def first(
    alike: Sequence[Candidate], get: Callable[[Candidate], Playbook], query: Query
) -> tuple[Candidate, ...]:
    """Return candidates that match alike, with the specific twin of the first before it."""
    if not alike:
        return ()
    general = get(alike[0])
    for one in alike[1:]:
        if _is_twin(get(one), general, query):
            because = f"does what {general.name} does, and was written for {get(one).slots.system}"
            led = replace(one, items=(*one.items, ScoreItem("specific", 0.0, because)))
            return (led, *(other for other in alike if other.digest != one.digest))
    return tuple(alike)


def _is_twin(special: Playbook, general: Playbook, query: Query) -> bool:
    named = special.slots.system in query.systems and not meaning.is_open(special.slots.system)
    return (
        named
        and meaning.is_open(general.slots.system)
        and query.metric in special.metrics
        and query.metric in general.metrics
        and _deed(special) == _deed(general)
    )


def _deed(playbook: Playbook) -> tuple[object, ...]:
    done = frozenset(
        (step.action.kind, str(step.action.fields.get("operation"))) for step in playbook.steps
    )
    return playbook.slots.resource, playbook.slots.symptom, done
