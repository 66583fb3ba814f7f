"""What each role may do, from the table that is enforced."""

from typing import Annotated

from fastapi import APIRouter, Depends

from sentienguard.controlplane.api import access_schemas
from sentienguard.controlplane.api.caller import Caller, authenticated
from sentienguard.model.access import AUDITOR_FOR_AT_MOST, GRANTS, MEANING, Permission, Role

router = APIRouter(prefix="/api/v1/roles", tags=["users"])


@router.get("")
def list_roles(_caller: Annotated[Caller, Depends(authenticated)]) -> access_schemas.RoleList:
    """List the roles; anybody with a login may know what there is to ask for."""
    return access_schemas.RoleList(
        items=[
            access_schemas.RoleView(
                role=role.value,
                meaning=MEANING[role],
                permissions=[one.value for one in Permission if one in GRANTS[role]],
                most_days=AUDITOR_FOR_AT_MOST.days if role is Role.AUDITOR else None,
            )
            for role in Role
        ],
        permissions=[one.value for one in Permission],
    )
