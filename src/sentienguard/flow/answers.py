"""A person's answer to a question: decided once, recorded, and told to its incident.

Called by the API of the control plane and by simulations. Rules:

 1. The first answer in time counts; the store decides which that is.
 2. Who asked for a playbook by name does not approve it; they may withdraw it with a no.
 3. Where several people have to say yes, each counts once and the last one approves. One no ends
    it. Earlier ones are judged again at the moment of the last: a yes of somebody whose role was
    taken, or whose signature is over, has lapsed, and is asked for again.
 4. An answer that was decided is recorded and told, though the process dies in between or the log
    cannot be written: `finish` does at the next start what is left, and an incident whose wait is
    over looks for an answer that nobody told it (incident_work.silence).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from sentienguard.flow import incident as flow
from sentienguard.flow.centre import Centre
from sentienguard.model import errors
from sentienguard.model.approval import Agreement, Approval, ApprovalStatus
from sentienguard.model.ids import IncidentId, approval_id
from sentienguard.model.incident import Status
from sentienguard.ports.approval_store import NoSuchApproval

TOLD = "answered"  # begins the key of the message: an incident hears one answer to each question
OF_PEOPLE = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.DENIED})

# Why a yes that was given before counts no more; empty: it does. What a person may do, and what
# was signed until when, is known to whoever takes the answers.
Judge: TypeAlias = Callable[[Agreement], str]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
    judge: Judge,
    signature: Mapping[str, Any] | None = None,
) -> Approval:
    """Decide a question and let its incident know; `about` is what else the record says.

    Returns the question still pending where more people have to say yes. `signature` is the
    envelope that hosts judge; `judge` says what became of earlier yeses.

    Raises RequesterCannotApprove, approval_store.AlreadyDecided, and what the stores raise when
    they cannot keep it.
    """
    request = centre.incidents.get(asked.incident).anomaly.request
    requester = request.by if request is not None else ""
    if is_same(requester, by) and status is ApprovalStatus.APPROVED:  # rule 2
        raise RequesterCannotApprove(
            f"{by} asked for {asked.playbook}; somebody else has to approve it"
        )
    now = centre.clock.now()
    several = status is ApprovalStatus.APPROVED and (asked.needed > 1 or signature is not None)
    if several:  # rule 3
        given = Agreement(asked.id, by, now, note, signature)
        again = _keep(centre, given, judge)
        agreed, lapsed = _agreed(centre, given, requester, judge)
        about = {**about, "approvers": ", ".join(agreed)[:500]}
        if lapsed:
            about = {**about, "lapsed": "; ".join(lapsed)[:500]}
        if len(agreed) < asked.needed:
            _record_agreement(centre, asked, given, {**about, "needed": asked.needed}, again=again)
            return centre.approvals.get(asked.id)
    decided = centre.approvals.decide(asked.id, status, by=by, at=now, note=note)
    centre.tell(asked.incident, follow(centre, decided, about), key=f"{TOLD}/{asked.id}")
    return decided


def is_same(one: str, other: str) -> bool:
    """Tell whether two names are one person's."""
    return one.casefold() == other.casefold()


def _keep(centre: Centre, given: Agreement, judge: Judge) -> bool:
    """Keep a yes, unless one of the same person stands; tell whether it is one given again."""
    kept = centre.approvals.agreements(given.approval)
    mine = [one for one in kept if is_same(one.by, given.by)]
    if any(not judge(one) for one in mine):
        return False
    centre.approvals.agree(given)
    return bool(mine)


def _agreed(
    centre: Centre, given: Agreement, requester: str, judge: Judge
) -> tuple[list[str], list[str]]:
    """Return whose yes counts now, each person once, and which count no more, with the reason."""
    names, lapsed = {given.by.casefold(): given.by}, []
    # Read after the write is durable: of two who say yes at once, the later one sees both.
    for one in centre.approvals.agreements(given.approval):
        if is_same(one.by, given.by):
            continue
        why = "they asked for it" if is_same(one.by, requester) else judge(one)
        if why:
            lapsed.append(f"{one.by}: {why}")
        else:
            names.setdefault(one.by.casefold(), one.by)
    return list(names.values()), lapsed


def _record_agreement(
    centre: Centre,
    asked: Approval,
    given: Agreement,
    about: Mapping[str, str | int],
    *,
    again: bool,
) -> None:
    at = f"/{(given.at - _EPOCH) // timedelta(milliseconds=1)}" if again else ""
    centre.audit.once(
        "approval.agreed",
        asked,
        f"agreed/{given.by}{at}",
        {"approval_id": asked.id, **about, "playbook": asked.playbook, "note": given.note},
        actor=given.by,
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
