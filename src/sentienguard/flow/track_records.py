"""What a playbook has done so far, read from how its orders ended.

Called by `deciding` for each candidate, and by `outlook` for each playbook of a host.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sentienguard.flow.centre import Centre
from sentienguard.model import target
from sentienguard.model.ids import AgentId
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionOutcome
from sentienguard.model.playbook import Playbook
from sentienguard.ports.order_store import ANY_KIND, Ended
from sentienguard.stages.decide.facts import TrackRecord

FAILED: Final = frozenset({ExecutionOutcome.ROLLED_BACK})
HARMFUL: Final = frozenset({ExecutionOutcome.PARTIALLY_ROLLED_BACK, ExecutionOutcome.UNKNOWN})


def record_in(
    centre: Centre,
    playbook: Playbook,
    ended: Sequence[Ended],
    *,
    agent: AgentId,
    kind: target.TargetKind,
) -> TrackRecord:
    """Return the record of a playbook, with what it proved in signed drills."""
    proving = centre.library.proving().get(playbook.digest)
    return record_of(
        ended,
        agent=agent,
        kind=kind,
        proven_runs=sum(one.runs for one in proving.proven) if proving else 0,
        proven_verified=sum(one.verified for one in proving.proven) if proving else 0,
    )


def record_of(
    ended: Sequence[Ended],
    *,
    agent: AgentId,
    kind: target.TargetKind,
    proven_runs: int = 0,
    proven_verified: int = 0,
) -> TrackRecord:
    """Return what a playbook has done on one kind of target, from how its orders ended there.

    Newest first, of one environment. Harm counts whatever the target, and so do the failures in a
    row that stop it: those are about the playbook, the rest is about what it works on.
    """
    alike = [one for one in ended if one.kind in {ANY_KIND, kind}]
    here = [one for one in ended if one.agent == agent]
    return TrackRecord(
        verified=sum(_verified(one) for one in alike),
        failed=sum(_failed(one) for one in alike),
        harmful=sum(one.execution in HARMFUL for one in ended),
        dry_runs=sum(one.execution is ExecutionOutcome.DRY_RUN for one in alike),
        proven_runs=proven_runs,
        proven_verified=proven_verified,
        failures_in_row=_failures_in_row(ended),
        failures_on_host=_failures_in_row(here),
        explained=sum(_recovered(one) and not _verified(one) for one in alike),
        since_failure=_since_failure(alike),
        elsewhere=sum(_verified(one) for one in ended) - sum(_verified(one) for one in alike),
    )


def _recovered(one: Ended) -> bool:
    """Tell whether host and centre both saw the symptom gone after the remedy ran."""
    return one.execution is ExecutionOutcome.SUCCESS and one.incident is Outcome.RESOLVED


def _verified(one: Ended) -> bool:
    """Tell whether that counts for the remedy; what no release judged, does."""
    return _recovered(one) and one.counts is not False


def _failed(one: Ended) -> bool:
    """Tell whether it ran and did not help: undone, or the centre still saw the symptom."""
    unseen = one.execution is ExecutionOutcome.SUCCESS and one.incident is Outcome.ESCALATED
    return one.execution in FAILED or unseen


def _since_failure(newest_first: Sequence[Ended]) -> int | None:
    """Return the successes since the last failure; None where there was none."""
    for place, one in enumerate(newest_first):
        if _failed(one) or one.execution in HARMFUL:
            return sum(_verified(later) for later in newest_first[:place])
    return None


def _failures_in_row(newest_first: Iterable[Ended]) -> int:
    count = 0
    for one in newest_first:
        if _verified(one):
            break
        count += _failed(one) or one.execution in HARMFUL
    return count
