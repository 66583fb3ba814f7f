"""Break-glass: who asked for which right, who agreed, until when."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi import status as http
from pydantic import BaseModel, Field

from sentienguard.controlplane import break_glass
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model.access import Permission
from sentienguard.model.emergency import PURPOSES, Emergency, EmergencyId, Phase
from sentienguard.ports import emergency_store

router = APIRouter(prefix="/api/v1/break-glass", tags=["users"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
Breaker = Annotated[Caller, Depends(needs(Permission.BREAK_GLASS, fresh=True))]
CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "it is over, or was agreed to before"}
}


class EmergencyRequest(BaseModel):
    """What somebody asks for."""

    environment: str = Field(max_length=64)
    purpose: str = Field(max_length=64, description="a permission; `purposes` lists them")
    reason: str = Field(min_length=1, max_length=500)
    minutes: int = Field(30, ge=1, le=60)


class EmergencyView(BaseModel):
    """One emergency."""

    id: str
    user: str = Field(description="who asked, and gets the right")
    environment: str
    purpose: str
    reason: str
    minutes: int
    phase: Phase
    asked_at: datetime
    expires_at: datetime = Field(description="after which nobody can agree any more")
    agreed_by: str | None
    agreed_at: datetime | None
    ends_at: datetime | None = Field(description="when the right ends by itself")
    ended_by: str | None
    ended_at: datetime | None


class EmergencyList(BaseModel):
    """The newest 200."""

    items: list[EmergencyView]
    purposes: list[str] = Field(description="what one can be for")


@router.get("")
def list_emergencies(caller: Viewer) -> EmergencyList:
    """List emergencies of the environments that the caller sees, and their own, newest first."""
    return EmergencyList(
        items=[
            _view(one, caller)
            for one in caller.centre.emergencies.list()
            if one.user == caller.user.name or caller.may(Permission.VIEW, one.environment)
        ],
        purposes=[one.value for one in PURPOSES],
    )


@router.post("", status_code=http.HTTP_201_CREATED)
def ask(wanted: EmergencyRequest, caller: Breaker) -> EmergencyView:
    """Ask for one permission in one environment; it stands once a second person agrees."""
    made = break_glass.ask(
        caller.centre,
        caller.user.name,
        caller.address,
        environment=wanted.environment,
        purpose=wanted.purpose,
        reason=wanted.reason,
        minutes=wanted.minutes,
    )
    return _view(made, caller)


@router.post("/{emergency_id}/agree", responses=CONFLICT)
def agree(emergency_id: str, caller: Breaker) -> EmergencyView:
    """Be the second person: the right stands from now on, for its minutes."""
    asked = caller.centre.emergencies.get(EmergencyId(emergency_id))
    what = f"agree to {asked.id} of {asked.user}"
    unseen = None if asked.user == caller.user.name else _unseen(emergency_id)
    caller.require(Permission.BREAK_GLASS, asked.environment, what, unseen=unseen)
    try:
        made = break_glass.agree(caller.centre, asked.id, caller.user.name, caller.address)
    except emergency_store.OwnRequest as cause:
        caller.denied(Permission.BREAK_GLASS, asked.environment, what)  # for the record
        raise ProblemError(HTTPStatus.FORBIDDEN, "own-request", str(cause)) from cause
    except emergency_store.EmergencyOver as cause:
        raise ProblemError(HTTPStatus.CONFLICT, "emergency-over", str(cause)) from cause
    return _view(made, caller)


@router.post("/{emergency_id}/end", responses=CONFLICT)
def end(emergency_id: str, caller: Viewer) -> EmergencyView:
    """End it early, or withdraw the request: its owner, or whoever may freeze there."""
    asked = caller.centre.emergencies.get(EmergencyId(emergency_id))
    if caller.login is None or asked.user != caller.user.name:
        what = f"end {asked.id} of {asked.user}"
        caller.require(Permission.FREEZE, asked.environment, what, unseen=_unseen(emergency_id))
    try:
        ended = break_glass.end(caller.centre, asked.id, caller.user.name, caller.address)
    except emergency_store.EmergencyOver as cause:
        raise ProblemError(HTTPStatus.CONFLICT, "emergency-over", str(cause)) from cause
    return _view(ended, caller)


def _unseen(emergency_id: str) -> emergency_store.NoSuchEmergency:
    return emergency_store.NoSuchEmergency.called(emergency_id)


def _view(one: Emergency, caller: Caller) -> EmergencyView:
    return EmergencyView(
        id=one.id,
        user=one.user,
        environment=one.environment,
        purpose=one.purpose.value,
        reason=one.reason,
        minutes=one.minutes,
        phase=one.phase(caller.centre.clock.now()),
        asked_at=one.asked_at,
        expires_at=one.expires_at,
        agreed_by=one.agreed_by,
        agreed_at=one.agreed_at,
        ends_at=one.ends_at,
        ended_by=one.ended_by,
        ended_at=one.ended_at,
    )
