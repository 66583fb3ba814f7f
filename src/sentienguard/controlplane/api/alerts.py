"""Alerts from outside, and what became of them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission
from sentienguard.model.alert import Alert
from sentienguard.ports.alert_inbox import KeptAlert
from sentienguard.stages.detect import alert_rules
from sentienguard.stages.observe import alert_batch

router = APIRouter(prefix="/api/v1/alerts", tags=["webhooks"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]


class AlertList(BaseModel):
    """One page of alerts, newest first."""

    items: list[schemas.AlertView]
    before: int | None  # ask for the next page with it; null: this was the last


@router.get("")
def list_alerts(
    caller: Viewer,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> AlertList:
    """List alerts of the environments that the caller may see."""
    centre = caller.centre
    seen = [place for place in centre.environments if caller.may(Permission.VIEW, place)]
    page = centre.alerts.list(seen, before=before, limit=limit)
    return AlertList(items=[_view(one) for one in page.alerts], before=page.before)


def _readable(kept: KeptAlert) -> Alert:
    """Return the alert; of one that cannot be read back, what its row says, so that it shows."""
    try:
        return alert_batch.decode(kept.alert.text)
    except alert_batch.Malformed:
        return Alert(kept.alert.status, {"alertname": "unreadable"}, kept.alert.starts_at)


def _view(kept: KeptAlert) -> schemas.AlertView:
    alert = _readable(kept)
    return schemas.AlertView(
        number=kept.number,
        name=alert.name,
        sender=kept.alert.sender,
        status=alert.status.value,
        environment=kept.alert.environment,
        labels=dict(alert.labels),
        reason=alert_rules.reason(alert),
        starts_at=kept.alert.starts_at,
        received_at=kept.alert.received_at,
        result=kept.result.value if kept.result else None,
        incident=kept.incident,
    )
