"""Approvals: questions to people and their answers."""

import base64
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from sentienguard.controlplane import earlier_yeses, findings, signed_answers
from sentienguard.controlplane.api import access_schemas, incident_schemas, schemas, views
from sentienguard.controlplane.api.auth import party_of
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.api.figures import seen_by
from sentienguard.controlplane.problems import ProblemError
from sentienguard.flow import answers
from sentienguard.model.access import Permission
from sentienguard.model.approval import Agreement, Approval, ApprovalStatus
from sentienguard.model.ids import ApprovalId
from sentienguard.ports.approval_store import NoSuchApproval
from sentienguard.trust import encoding, ssh_approvals, webauthn
from sentienguard.trust import order as orders

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
# Observers reach the handler, so that the denial is recorded with the environment it was tried in.
Decider = Annotated[Caller, Depends(needs(Permission.VIEW))]


ONCE: Final[dict[int | str, dict[str, Any]]] = {
    409: {
        "model": schemas.Problem,
        "description": "already-decided: it was answered before, has expired or was withdrawn",
    }
}


REASONED: Final[dict[int | str, dict[str, Any]]] = {
    422: {
        "model": schemas.Problem,
        "description": "reason-needed: it says no without saying why; nothing was decided",
    }
}


class ApprovalList(BaseModel):
    """Questions, newest first."""

    items: list[incident_schemas.ApprovalView]


@router.get("")
def list_approvals(caller: Viewer, status: ApprovalStatus | None = None) -> ApprovalList:
    """List questions of the environments that the caller may see."""
    found = caller.centre.approvals.list(status, within=seen_by(caller))
    yeses = caller.centre.approvals.agreements_of(
        [one.id for one in found if _kept_one_by_one(one)]
    )
    return ApprovalList(items=[_shown(caller, one, yeses.get(one.id, ())) for one in found])


@router.get("/{approval_id}")
def get_approval(approval_id: str, caller: Viewer) -> incident_schemas.ApprovalView:
    """Return one question, of any age, as the list shows it."""
    asked = caller.centre.approvals.get(ApprovalId(approval_id))
    if not caller.may(Permission.VIEW, asked.environment):
        raise NoSuchApproval.called(approval_id)
    return shown(caller, asked)


@router.post("/{approval_id}/approve", responses=ONCE)
def approve(
    approval_id: str, answer: schemas.ApproveNote, caller: Decider
) -> incident_schemas.ApprovalView:
    """Say yes: the remedy is released, once as many people as are needed did."""
    return _decide(caller, approval_id, ApprovalStatus.APPROVED, answer.note, answer.signature)


@router.get("/{approval_id}/to-sign")
def to_sign(approval_id: str, caller: Decider, request: Request) -> access_schemas.ToSign:
    """Return what one signs to say yes, and with which of one's passkeys."""
    asked = caller.centre.approvals.get(ApprovalId(approval_id))
    caller.require(
        Permission.DECIDE_APPROVAL,
        asked.environment,
        f"sign {asked.playbook}",
        unseen=NoSuchApproval.called(approval_id),
    )
    if caller.login is None:
        raise ProblemError(HTTPStatus.FORBIDDEN, "people-only", "a machine signs no approval")
    found = signed_answers.to_sign(
        caller.centre, asked, caller.user.name, party_of(request), caller.at
    )
    return access_schemas.ToSign(
        needed=asked.signed,
        payload=base64.b64encode(found.payload).decode(),
        challenge=encoding.base64url(found.challenge),
        party=found.party,
        credentials=[encoding.base64url(one) for one in found.credentials],
    )


@router.post("/{approval_id}/deny", responses=ONCE | REASONED)
def deny(
    approval_id: str, answer: schemas.DenyNote, caller: Decider
) -> incident_schemas.ApprovalView:
    """Say no, and why: the incident ends as rejected and goes to people."""
    return _decide(caller, approval_id, ApprovalStatus.DENIED, answer.note)


def _decide(
    caller: Caller,
    approval_id: str,
    status: ApprovalStatus,
    note: str,
    given: access_schemas.SignedYes | None = None,
) -> incident_schemas.ApprovalView:
    centre = caller.centre
    asked = centre.approvals.get(ApprovalId(approval_id))
    caller.require(
        Permission.DECIDE_APPROVAL,
        asked.environment,
        f"{status.value} {asked.playbook} for {asked.incident}",
        unseen=NoSuchApproval.called(approval_id),
    )
    if status is ApprovalStatus.DENIED and not note.strip():
        detail = f"{approval_id}: a denial needs a reason; say in `note` why not"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "reason-needed", detail)
    signature, about = None, {"role": caller.title_in(asked.environment)}
    if status is ApprovalStatus.APPROVED:
        caller.require_fresh()  # a no is never made harder
        signature = None if given is None else _envelope(caller, given)
        if asked.status is ApprovalStatus.PENDING:
            by_key = signed_answers.require(centre, asked, caller.user.name, signature, caller.at)
            about |= {"signed_with": by_key} if by_key else {}
    try:
        decided = answers.answer(
            centre,
            asked,
            status,
            by=caller.user.name,
            note=note,
            about={**about, "ip_address": caller.address},
            judge=earlier_yeses.judge(centre, asked),
            signature=signature,
        )
    except answers.RequesterCannotApprove as cause:
        what = f"{status.value} {asked.playbook} for {asked.incident}, asked for by themselves"
        caller.denied(Permission.DECIDE_APPROVAL, asked.environment, what)  # for the record
        raise ProblemError(HTTPStatus.FORBIDDEN, "own-request", str(cause)) from cause
    if status is ApprovalStatus.APPROVED:
        findings.after_yes(centre, asked, caller.user.name, caller.address)
    centre.live.changed("approval", asked.id, centre.clock.now())
    return shown(caller, decided)


def shown(caller: Caller, asked: Approval) -> incident_schemas.ApprovalView:
    """Show a question with who said yes so far and, while it waits, who asked for it by name.

    While it waits, a yes that counts no more is shown as lapsed: its giver is asked again.
    """
    kept = _kept_one_by_one(asked)
    return _shown(caller, asked, caller.centre.approvals.agreements(asked.id) if kept else ())


def _shown(
    caller: Caller, asked: Approval, agreed: Sequence[Agreement]
) -> incident_schemas.ApprovalView:
    if asked.status is not ApprovalStatus.PENDING:
        return views.approval(asked, agreed, None)
    request = caller.centre.incidents.get(asked.incident).anomaly.request
    judge = earlier_yeses.judge(caller.centre, asked)
    judged = [(one, judge(one)) for one in agreed]
    counting = [one for one, why in judged if not why]
    lapsed = [f"{one.by}: {why}" for one, why in judged if why]
    return views.approval(asked, counting, request.by if request else None, lapsed)


def _kept_one_by_one(asked: Approval) -> bool:
    """Tell whether each yes is kept, with who gave it."""
    return asked.needed > 1 or asked.signed


def _envelope(caller: Caller, given: access_schemas.SignedYes) -> dict[str, Any]:
    """Return what came as hosts judge it. Raises ProblemError, NotBase64Url."""
    if given.passkey is None and not given.ssh:
        return {
            "payloadType": orders.APPROVAL_TYPE,
            "payload": given.payload,
            "signatures": [{"keyid": given.keyid, "sig": given.sig}],
        }
    try:
        payload = base64.b64decode(given.payload, validate=True)
    except ValueError as cause:
        detail = "payload: expected base64"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "signature-wrong", detail) from cause
    if given.passkey is None:
        return ssh_approvals.envelope(orders.APPROVAL_TYPE, payload, given.ssh)
    one = given.passkey
    answer = webauthn.Assertion(
        encoding.from_base64url(one.client_data),
        encoding.from_base64url(one.authenticator_data),
        encoding.from_base64url(one.signature),
    )
    credential = encoding.from_base64url(one.credential)
    return signed_answers.by_passkey(caller.centre, caller.user.name, payload, credential, answer)
