"""The kill switch and the silences."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import status as http
from pydantic import BaseModel

from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission
from sentienguard.ports.switches import Freeze, Silence

router = APIRouter(prefix="/api/v1", tags=["switches"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
Freezer = Annotated[Caller, Depends(needs(Permission.FREEZE))]
# Thawing lets everything run again everywhere, so it takes the right everywhere.
Thawer = Annotated[Caller, Depends(needs(Permission.FREEZE, everywhere=True))]


class SilenceList(BaseModel):
    """Silences that stand or are still to come."""

    items: list[schemas.SilenceView]


@router.get("/freeze")
def freeze(caller: Viewer) -> schemas.FreezeView:
    """Tell whether the kill switch is on."""
    return _freeze_view(caller.centre.switches.freeze())


@router.put("/freeze")
def set_freeze(wanted: schemas.FreezeRequest, caller: Freezer) -> schemas.FreezeView:
    """Stop everything: nothing is released until somebody clears it."""
    standing = Freeze(caller.user.name, caller.centre.clock.now(), wanted.reason)
    caller.centre.switches.set_freeze(standing)
    _record(caller, "freeze.set", wanted.reason)
    return _freeze_view(standing)


@router.delete("/freeze")
def clear_freeze(caller: Thawer) -> schemas.FreezeView:
    """Let remedies run again."""
    caller.centre.switches.set_freeze(None)
    _record(caller, "freeze.cleared", "")
    return _freeze_view(None)


@router.get("/silences")
def list_silences(caller: Viewer) -> SilenceList:
    """List silences."""
    standing = caller.centre.switches.silences(at=caller.centre.clock.now())
    return SilenceList(items=[_silence_view(silence) for silence in standing])


@router.post("/silences", status_code=http.HTTP_201_CREATED)
def add_silence(wanted: schemas.SilenceRequest, caller: Freezer) -> schemas.SilenceView:
    """Leave something alone for a while: it is still watched, nothing is done about it."""
    now = caller.centre.clock.now()
    silence = Silence(
        id=f"sil_{caller.centre.entropy.bytes(8).hex()}",
        host_pattern=wanted.host_pattern,
        metric_pattern=wanted.metric_pattern,
        starts_at=now,
        ends_at=now + timedelta(minutes=wanted.minutes),
        by=caller.user.name,
        reason=wanted.reason,
    )
    caller.centre.switches.add_silence(silence)
    _record(caller, "silence.added", f"{silence.id} {silence.host_pattern}: {silence.reason}")
    return _silence_view(silence)


def _record(caller: Caller, kind: str, reason: str) -> None:
    caller.centre.audit.append(
        kind=kind,
        env="",
        actor=caller.user.name,
        data={"reason": reason, "ip_address": caller.address},
    )
    caller.centre.live.changed("freeze", kind, caller.centre.clock.now())


def _freeze_view(standing: Freeze | None) -> schemas.FreezeView:
    if standing is None:
        return schemas.FreezeView(frozen=False)
    return schemas.FreezeView(frozen=True, by=standing.by, at=standing.at, reason=standing.reason)


def _silence_view(silence: Silence) -> schemas.SilenceView:
    return schemas.SilenceView(
        id=silence.id,
        host_pattern=silence.host_pattern,
        metric_pattern=silence.metric_pattern,
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        by=silence.by,
        reason=silence.reason,
    )
