"""Playbooks of the signed catalogue, with their record."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.api.figures import seen_by
from sentienguard.controlplane.library import Shelved
from sentienguard.controlplane.problems import not_found
from sentienguard.model.access import Permission
from sentienguard.ports.incident_figures import Record

router = APIRouter(prefix="/api/v1/playbooks", tags=["playbooks"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]


class PlaybookList(BaseModel):
    """Playbooks, by name."""

    items: list[schemas.PlaybookView]


@router.get("")
def list_playbooks(caller: Viewer) -> PlaybookList:
    """List the playbooks that the catalogue holds."""
    records = caller.centre.figures.records(seen_by(caller))
    return PlaybookList(
        items=[_view(shelved, records, whole=False) for shelved in caller.centre.library.all()]
    )


@router.get("/{name}")
def playbook(name: str, caller: Viewer) -> schemas.PlaybookView:
    """Return one playbook with its YAML as it was signed."""
    shelved = caller.centre.library.named(name)
    if shelved is None:
        raise not_found(f"the catalogue has no playbook called {name}")
    records = caller.centre.figures.records(seen_by(caller))
    return _view(shelved, records, whole=True)


def _view(shelved: Shelved, records: Mapping[str, Record], *, whole: bool) -> schemas.PlaybookView:
    playbook = shelved.playbook
    record = records.get(playbook.name, Record(0, 0))
    return schemas.PlaybookView(
        name=playbook.name,
        version=playbook.version,
        digest=playbook.digest,
        description=playbook.description,
        risk=playbook.risk.value,
        risk_reason=playbook.risk_reason,
        system=playbook.slots.system,
        resource=playbook.slots.resource,
        symptom=playbook.slots.symptom,
        approval_required=playbook.approval_required,
        steps=[step.name for step in playbook.steps],
        runs=record.closed,
        resolved=record.resolved,
        parameters=[
            schemas.ParameterView(
                name=one.name, type=one.type, description=one.description, default=one.default
            )
            for one in playbook.parameters
        ],
        yaml=shelved.stored.decode() if whole else None,
    )
