"""What was odd about who approved and who logged in, and which keys are due; from the log."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from sentienguard.controlplane import findings, key_care
from sentienguard.controlplane.api import access_schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission
from sentienguard.ports.audit_log import StoredEntry

router = APIRouter(prefix="/api/v1/findings", tags=["users"])
# A finding names people and addresses, and those of a login belong to no environment.
Looker = Annotated[Caller, Depends(needs(Permission.VIEW_USERS, everywhere=True))]
LOOKED_THROUGH: Final = 5000  # newest entries of the log; older findings are in its exports
MOST: Final = 100


@router.get("")
def list_findings(caller: Looker) -> access_schemas.FindingList:
    """List findings about approvals and logins, and keys that are due, newest first."""
    log = caller.centre.log
    size = log.size()
    found = [
        one
        for one in log.entries(max(0, size - LOOKED_THROUGH), size)
        if one.fields["kind"] in {findings.KIND, key_care.DUE}
    ]
    return access_schemas.FindingList(items=[_view(one) for one in found[::-1][:MOST]])


def _view(entry: StoredEntry) -> access_schemas.FindingView:
    fields, data = entry.fields, entry.fields["data"]
    of_key = fields["kind"] == key_care.DUE
    finding: Any = f"key_{data['stage']}" if of_key else data["finding"]
    return access_schemas.FindingView(
        index=entry.index,
        at=datetime.fromtimestamp(fields["ts_ms"] / 1000, UTC),
        user=fields["actor"] if of_key else data["user"],
        finding=finding,
        detail=f"{data['name']}, due {data['due']}: {data['way']}" if of_key else data["detail"],
        address="" if of_key else data["ip_address"],
        incident=fields["incident"],
    )
