"""A person's answer to a question: decided once, recorded, and told to its incident.

Called by the API of the control plane and by simulations. Rules:

 1. The first answer in time counts; the store decides which that is.
 2. Who asked for a playbook by name does not approve it; they may withdraw it with a no.
 3. An answer that was decided is recorded and told, though the process dies in between or the log
    cannot be written: `finish` does at the next start what is left, and an incident whose wait is
    over looks for an answer that nobody told it (incident_work.silence).
"""

from collections.abc import Mapping

from sentienguard.flow import incident as flow
from sentienguard.flow.centre import Centre
from sentienguard.model import errors
from sentienguard.model.approval import Approval, ApprovalStatus
from sentienguard.model.incident import Status

TOLD = "answered"  # the key of the message: an incident hears one answer
OF_PEOPLE = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.DENIED})


class RequesterCannotApprove(errors.Rejected):
    """Who asked for a playbook by name does not approve it as well."""


def answer(
    centre: Centre,
    asked: Approval,
    status: ApprovalStatus,
    *,
    by: str,
    note: str,
    about: Mapping[str, str | int],
) -> Approval:
    """Decide a question and let its incident know; `about` is what else the record says.

    Raises RequesterCannotApprove, approval_store.AlreadyDecided, and what the stores raise when
    they cannot keep it.
    """
    request = centre.incidents.get(asked.incident).anomaly.request
    own = request is not None and request.by.casefold() == by.casefold()
    if own and status is ApprovalStatus.APPROVED:  # rule 2
        raise RequesterCannotApprove(
            f"{by} asked for {asked.playbook}; somebody else has to approve it"
        )
    now = centre.clock.now()
    decided = centre.approvals.decide(asked.id, status, by=by, at=now, note=note)
    centre.tell(asked.incident, follow(centre, decided, about), key=TOLD)
    return decided


def finish(centre: Centre) -> None:
    """Record and tell what was decided a moment before a crash; the rest is left as it is."""
    for incident in centre.incidents.unfinished():
        if incident.status is not Status.AWAITING_APPROVAL:
            continue
        decided = centre.approvals.of(incident.id)
        if decided is not None and decided.status in OF_PEOPLE:
            centre.tell(incident.id, follow(centre, decided), key=TOLD)


def follow(
    centre: Centre, decided: Approval, about: Mapping[str, str | int] | None = None
) -> flow.Answered:
    """Record an answer that was decided, once, and return what its incident has to hear."""
    at = decided.decided_at or centre.clock.now()
    by = decided.decided_by or ""
    centre.audit.once(
        "approval.decided",
        decided,
        "decided",
        {
            "approval_id": decided.id,
            "decision": decided.status.value,
            **(about or {}),
            "latency_seconds": round((at - decided.opened_at).total_seconds()),
            "playbook": decided.playbook,
            "note": decided.note,
        },
        actor=by,
    )
    return flow.Answered(decided.status is ApprovalStatus.APPROVED, by, decided.note)
