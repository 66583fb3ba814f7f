"""The kill switch."""

from typing import Annotated

from fastapi import APIRouter, Depends

from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.flow import dispatch
from sentienguard.model.access import Permission
from sentienguard.ports.switches import Freeze

router = APIRouter(prefix="/api/v1", tags=["switches"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
Freezer = Annotated[Caller, Depends(needs(Permission.FREEZE))]
# Thawing lets everything run again everywhere, so it takes the right everywhere, and a second
# factor that was shown minutes ago: a stolen token does not lift the kill switch. Freezing asks
# for neither.
Thawer = Annotated[Caller, Depends(needs(Permission.FREEZE, everywhere=True, fresh=True))]


@router.get("/freeze")
def freeze(caller: Viewer) -> schemas.FreezeView:
    """Tell whether the kill switch is on."""
    return _freeze_view(caller.centre.switches.freeze())


@router.put("/freeze")
def set_freeze(wanted: schemas.FreezeRequest, caller: Freezer) -> schemas.FreezeView:
    """Stop everything: nothing is released until somebody clears it."""
    standing = Freeze(caller.user.name, caller.centre.clock.now(), wanted.reason)
    caller.centre.switches.set_freeze(standing)
    try:
        for agent in dispatch.stop_all(caller.centre, standing):
            caller.centre.bells.ring(agent)
    finally:
        _record(caller, "freeze.set", wanted.reason)
    return _freeze_view(standing)


@router.delete("/freeze")
def clear_freeze(caller: Thawer) -> schemas.FreezeView:
    """Let remedies run again."""
    caller.centre.switches.set_freeze(None)
    _record(caller, "freeze.cleared", "")
    return _freeze_view(None)


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
