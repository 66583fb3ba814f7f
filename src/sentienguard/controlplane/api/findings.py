"""What was odd about who approved and who logged in, out of the audit log."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends

from sentienguard.controlplane import findings
from sentienguard.controlplane.api import access_schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1/findings", tags=["users"])
# A finding names people and addresses, and those of a login belong to no environment.
Looker = Annotated[Caller, Depends(needs(Permission.VIEW_USERS, everywhere=True))]
LOOKED_THROUGH: Final = 5000  # newest entries of the log; older findings are in its exports
MOST: Final = 100


@router.get("")
def list_findings(caller: Looker) -> access_schemas.FindingList:
    """List findings about approvals and logins, newest first."""
    log = caller.centre.log
    size = log.size()
    found = [
        one
        for one in log.entries(max(0, size - LOOKED_THROUGH), size)
        if one.fields["kind"] == findings.KIND
    ]
    return access_schemas.FindingList(
        items=[
            access_schemas.FindingView(
                index=one.index,
                at=datetime.fromtimestamp(one.fields["ts_ms"] / 1000, UTC),
                user=one.fields["data"]["user"],
                finding=one.fields["data"]["finding"],
                detail=one.fields["data"]["detail"],
                address=one.fields["data"]["ip_address"],
                incident=one.fields["incident"],
            )
            for one in found[::-1][:MOST]
        ]
    )
