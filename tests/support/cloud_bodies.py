"""Bodies as Azure Event Grid and Google Pub/Sub send them, after their documents."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from sentienguard.stages.observe import eventgrid

SAID = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
MACHINE = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/shop/providers"
    "/Microsoft.Compute/virtualMachines/web-1"
)
HEALTH = "Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged"


def health(state: str, resource: str = MACHINE) -> dict[str, Any]:
    return {
        "resourceInfo": {
            "id": f"{resource}/providers/Microsoft.ResourceHealth/availabilityStatuses/current",
            "name": "current",
            "type": "Microsoft.ResourceHealth/availabilityStatuses",
            "properties": {
                "targetResourceId": resource,
                "targetResourceType": "Microsoft.Compute/virtualMachines",
                "occurredTime": "2026-02-12T11:20:00Z",
                "previousAvailabilityState": "Available",
                "availabilityState": state,
            },
        },
        "operationalInfo": {"resourceEventTime": "2026-02-12T11:20:00Z"},
        "apiVersion": "2023-12-01",
    }


def monitored(condition: str, *targets: str) -> dict[str, Any]:
    return {
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": {
            "essentials": {
                "alertId": "/subscriptions/1/providers/Microsoft.AlertsManagement/alerts/1",
                "alertRule": "cpu too high",
                "severity": "Sev1",
                "signalType": "Metric",
                "monitorCondition": condition,
                "monitoringService": "Platform",
                "alertTargetIDs": list(targets),
                "firedDateTime": "2026-02-12T11:26:00Z",
                "resolvedDateTime": "2026-02-12T11:40:00Z",
                "description": "above 90 %",
                "essentialsVersion": "1.0",
            },
            "alertContext": {},
        },
    }


def event(kind: str, data: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": "831e1650-001e-001b-66ab-eeb76e069631",
        "topic": "/subscriptions/1/resourceGroups/shop/providers/Microsoft.KeyVault/vaults/v",
        "subject": "web",
        "eventType": kind,
        "eventTime": "2026-02-12T11:26:00Z",
        "data": data,
        "dataVersion": "1",
        "metadataVersion": "1",
        **more,
    }


def cloud(kind: str, data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "9aeb0fdf", "source": "/subscriptions/1", "type": kind,
        "subject": "web", "time": "2026-02-12T11:26:00Z", "data": data,
    }  # fmt: skip


def validation(**data: Any) -> bytes:
    told = {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", "validationUrl": "https://x"}
    return json.dumps([event(eventgrid.VALIDATION, {**told, **data})]).encode()


def incident(state: str = "open", **more: Any) -> dict[str, Any]:
    return {
        "version": "1.2",
        "incident": {
            "incident_id": "0.abc",
            "policy_name": "disk full",
            "condition_name": "VM Instance - disk",
            "state": state,
            "started_at": int(SAID.timestamp()),
            "ended_at": None if state == "open" else int(SAID.timestamp()) + 60,
            "severity": "CRITICAL",
            "summary": "disk of web-1 is above 90 %",
            "resource": {"type": "gce_instance", "labels": {"instance_id": "7", "zone": "b"}},
            "policy_user_labels": {"host": "web-1"},
            **more,
        },
    }


def push(data: Any, **more: Any) -> bytes:
    coded = base64.b64encode(data if isinstance(data, bytes) else json.dumps(data).encode())
    message = {"data": coded.decode(), "messageId": "1", "publishTime": "2026-02-12T11:26:00Z"}
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s", **more}
                      ).encode()  # fmt: skip
