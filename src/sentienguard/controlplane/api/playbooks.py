"""Playbooks of the signed catalogue, with their record."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.library import Shelved
from sentienguard.controlplane.problems import not_found
from sentienguard.model.access import Permission
from sentienguard.model.incident import Outcome

router = APIRouter(prefix="/api/v1/playbooks", tags=["playbooks"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]


class PlaybookList(BaseModel):
    """Playbooks, by name."""

    items: list[schemas.PlaybookView]


@router.get("")
def list_playbooks(caller: Viewer) -> PlaybookList:
    """List the playbooks that the catalogue holds."""
    return PlaybookList(
        items=[_view(caller, shelved, whole=False) for shelved in caller.centre.library.all()]
    )


@router.get("/{name}")
def playbook(name: str, caller: Viewer) -> schemas.PlaybookView:
    """Return one playbook with its YAML as it was signed."""
    shelved = caller.centre.library.named(name)
    if shelved is None:
        raise not_found(f"the catalogue has no playbook called {name}")
    return _view(caller, shelved, whole=True)


def _view(caller: Caller, shelved: Shelved, *, whole: bool) -> schemas.PlaybookView:
    playbook = shelved.playbook
    outcomes = [
        outcome
        for environment in caller.centre.environments
        for _, outcome in caller.centre.incidents.outcomes(playbook.name, environment)
    ]
    return schemas.PlaybookView(
        name=playbook.name,
        version=playbook.version,
        digest=playbook.digest,
        description=playbook.description,
        risk=playbook.risk.value,
        system=playbook.slots.system,
        resource=playbook.slots.resource,
        symptom=playbook.slots.symptom,
        approval_required=playbook.approval_required,
        steps=[step.name for step in playbook.steps],
        runs=len(outcomes),
        resolved=outcomes.count(Outcome.RESOLVED),
        yaml=shelved.stored.decode() if whole else None,
    )
