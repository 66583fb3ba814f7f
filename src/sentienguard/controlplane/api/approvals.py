"""Approvals: questions to people and their answers."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from sentienguard.controlplane.api import incident_schemas, schemas, views
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.problems import ProblemError
from sentienguard.flow import answers
from sentienguard.model.access import Permission
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.ids import ApprovalId

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


class ApprovalList(BaseModel):
    """Questions, newest first."""

    items: list[incident_schemas.ApprovalView]


@router.get("")
def list_approvals(caller: Viewer, status: ApprovalStatus | None = None) -> ApprovalList:
    """List questions of the environments that the caller may see."""
    return ApprovalList(
        items=[
            views.approval(approval)
            for approval in caller.centre.approvals.list(status)
            if caller.may(Permission.VIEW, approval.environment)
        ]
    )


@router.post("/{approval_id}/approve", responses=ONCE)
def approve(
    approval_id: str, answer: schemas.AnswerNote, caller: Decider
) -> incident_schemas.ApprovalView:
    """Say yes: the remedy is released."""
    return _decide(caller, approval_id, ApprovalStatus.APPROVED, answer.note)


@router.post("/{approval_id}/deny", responses=ONCE)
def deny(
    approval_id: str, answer: schemas.AnswerNote, caller: Decider
) -> incident_schemas.ApprovalView:
    """Say no: the incident ends as rejected and goes to people."""
    return _decide(caller, approval_id, ApprovalStatus.DENIED, answer.note)


def _decide(
    caller: Caller, approval_id: str, status: ApprovalStatus, note: str
) -> incident_schemas.ApprovalView:
    centre = caller.centre
    asked = centre.approvals.get(ApprovalId(approval_id))
    caller.require(
        Permission.DECIDE_APPROVAL,
        asked.environment,
        f"{status.value} {asked.playbook} for {asked.incident}",
    )
    role = caller.role_in(asked.environment)
    try:
        decided = answers.answer(
            centre,
            asked,
            status,
            by=caller.user.name,
            note=note,
            about={"role": role.value if role else "none", "ip_address": caller.address},
        )
    except answers.RequesterCannotApprove as cause:
        what = f"{status.value} {asked.playbook} for {asked.incident}, asked for by themselves"
        caller.denied(Permission.DECIDE_APPROVAL, asked.environment, what)  # for the record
        raise ProblemError(HTTPStatus.FORBIDDEN, "own-request", str(cause)) from cause
    centre.live.changed("approval", asked.id, centre.clock.now())
    return views.approval(decided)
