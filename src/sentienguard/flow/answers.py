"""A person's answer to a question: decided once, recorded, and told to its incident.

Called by the API of the control plane and by simulations. Rules:

 1. The first answer in time counts; the store decides which that is.
 2. Who asked for a playbook by name does not approve it; they may withdraw it with a no.
 3. Where several people have to say yes, each counts once and the last one approves. One no ends
    it.
 4. An answer that was decided is recorded and told, though the process dies in between or the log
    cannot be written: `finish` does at the next start what is left, and an incident whose wait is
    over looks for an answer that nobody told it (incident_work.silence).
"""

from collections.abc import Mapping
from typing import Any

from sentienguard.flow import incident as flow
from sentienguard.flow.centre import Centre
from sentienguard.model import errors
from sentienguard.model.approval import Agreement, Approval, ApprovalStatus
from sentienguard.model.ids import IncidentId, approval_id
from sentienguard.model.incident import Status
from sentienguard.ports.approval_store import NoSuchApproval

TOLD = "answered"  # begins the key of the message: an incident hears one answer to each question
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
    signature: Mapping[str, Any] | None = None,
) -> Approval:
    """Decide a question and let its incident know; `about` is what else the record says.

    Returns the question still pending where more people have to say yes. `signature` is the
    envelope that hosts judge.

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
    several = status is ApprovalStatus.APPROVED and (asked.needed > 1 or signature is not None)
    if several:  # rule 3
        agreed = _agreed(centre, Agreement(asked.id, by, now, note, signature))
        about = {**about, "approvers": ", ".join(agreed)[:500]}
        if len(agreed) < asked.needed:
            _record_agreement(centre, asked, by, note, {**about, "needed": asked.needed})
            return centre.approvals.get(asked.id)
    decided = centre.approvals.decide(asked.id, status, by=by, at=now, note=note)
    centre.tell(asked.incident, follow(centre, decided, about), key=f"{TOLD}/{asked.id}")
    return decided


def _agreed(centre: Centre, agreement: Agreement) -> list[str]:
    """Keep a yes and return who said yes so far, each person once."""
    centre.approvals.agree(agreement)
    # Read after the write is durable: of two who say yes at once, the later one sees both.
    names = [one.by for one in centre.approvals.agreements(agreement.approval)]
    return list({name.casefold(): name for name in names}.values())


def _record_agreement(
    centre: Centre, asked: Approval, by: str, note: str, about: Mapping[str, str | int]
) -> None:
    centre.audit.once(
        "approval.agreed",
        asked,
        f"agreed/{by}",
        {"approval_id": asked.id, **about, "playbook": asked.playbook, "note": note},
        actor=by,
    )


def finish(centre: Centre) -> None:
    """Record and tell what was decided a moment before a crash; the rest is left as it is."""
    for incident in centre.incidents.unfinished():
        if incident.status is not Status.AWAITING_APPROVAL:
            continue
        decided = present(centre, incident.id)
        if decided is not None and decided.status in OF_PEOPLE:
            centre.tell(incident.id, follow(centre, decided), key=f"{TOLD}/{decided.id}")


def present(centre: Centre, incident: IncidentId) -> Approval | None:
    """Return the question of the incident's present decision.

    An incident that was decided again may have had another one, and by a clock that was set back
    that one may be the newer.
    """
    made = centre.incidents.decision(incident)
    if made is None or made.digest is None:
        return centre.approvals.of(incident)
    try:
        return centre.approvals.get(approval_id(incident, made.digest))
    except NoSuchApproval:
        return None


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
    approved = decided.status is ApprovalStatus.APPROVED
    return flow.Answered(approved, by, decided.note, decided.id)
