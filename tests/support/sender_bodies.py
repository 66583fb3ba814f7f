"""Bodies as other systems send them, after the examples of their public documentation."""

import hashlib
import hmac
import json
from typing import Any

BEGAN = "2026-11-20T21:25:22.724220+01:00"


def grafana_alert(name: str = "High memory usage", **changes: Any) -> dict[str, Any]:
    """Return one alert, as Grafana 12 writes it; changes are of its members."""
    return {
        "status": "firing",
        "labels": {"alertname": name, "team": "blue", "zone": "us-1"},
        "annotations": {
            "description": "The system has high memory usage",
            "runbook_url": "https://myrunbook.example/runbook/1234",
            "summary": "This alert was triggered for zone us-1",
        },
        "startsAt": BEGAN,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://play.grafana.example/alerting/1afz29v7z/edit",
        "fingerprint": "c6eadffa33fcdf37",
        "silenceURL": "https://play.grafana.example/alerting/silence/new?alertmanager=grafana",
        "dashboardURL": "",
        "panelURL": "",
        "values": {"B": 44.23943737541908, "C": 1},
        "valueString": "[ var='B' labels={} value=44.2 ]",
        "orgId": 1,
        **changes,
    }


def grafana(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a notification of Grafana's own alerting."""
    return {
        "receiver": "My Super Webhook",
        "status": "firing",
        "orgId": 1,
        "alerts": list(alerts) or [grafana_alert()],
        "groupLabels": {},
        "commonLabels": {"team": "blue"},
        "commonAnnotations": {},
        "externalURL": "https://play.grafana.example/",
        "version": "1",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "title": "[FIRING:2]  (blue)",
        "state": "alerting",
        "message": "**Firing**\n\nLabels:\n - alertname = High memory usage",
        **changes,
    }


def datadog(**changes: Any) -> dict[str, Any]:
    """Return the payload of docs/how-to/connect-datadog.md, filled in."""
    return {
        "id": "7890123456789012345",
        "monitor_id": "1234",
        "cycle_key": "9bd4ac313a4d1e8fae2482df7b77628",
        "title": "[Triggered on {host:web-1}] Disk is filling",
        "body": "%%%\n@webhook-sentienguard\n/srv is at 91 %\n%%%",
        "transition": "Triggered",
        "priority": "P2",
        "scope": "host:web-1,device:/dev/sda1",
        "tags": "monitor,sentienguard_metric:system.disk_usage_percent,sentienguard_subject:/srv",
        "hostname": "web-1",
        "date": "1700000000000",
        "link": "https://app.datadoghq.example/event/jump_to?event_id=1",
        **changes,
    }


def pagerduty(
    event_type: str = "incident.triggered",
    *,
    by: str = "user_reference",
    event: str = "5ac64822-4adc-4fda-ade0-410becf0de4f",
    **changes: Any,
) -> dict[str, Any]:
    """Return an event about an incident; `by` is what did it, changes are of the incident."""
    return {
        "event": {
            "id": event,
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": "2020-10-02T18:45:22.169Z",
            "agent": {
                "html_url": "https://acme.pagerduty.example/users/PLH1HKV",
                "id": "PLH1HKV",
                "summary": "Tenex Engineer",
                "type": by,
            },
            "client": None,
            "data": {
                "id": "PGR0VU2",
                "type": "incident",
                "self": "https://api.pagerduty.example/incidents/PGR0VU2",
                "html_url": "https://acme.pagerduty.example/incidents/PGR0VU2",
                "number": 2,
                "status": "triggered",
                "incident_key": "d3640fbd41094207a1c11e58e46b1662",
                "created_at": "2020-04-09T15:16:27Z",
                "title": "A little bump in the road",
                "service": {
                    "id": "PF9KMXH",
                    "summary": "API Service",
                    "type": "service_reference",
                },
                "assignees": [],
                "teams": [],
                "priority": {"id": "PSO75BM", "summary": "P1", "type": "priority_reference"},
                "urgency": "high",
                "conference_bridge": None,
                "resolve_reason": None,
                **changes,
            },
        }
    }


def pagerduty_service() -> dict[str, Any]:
    """Return an event that is about no incident."""
    return {
        "event": {
            "id": "01BRB6ZP4M6T8ZG4X6BP63ZB9O",
            "event_type": "service.updated",
            "resource_type": "service",
            "occurred_at": "2021-03-02T13:35:11.682Z",
            "agent": None,
            "client": None,
            "data": {"id": "PF9KMXH", "summary": "testing service updates", "type": "service"},
        }
    }


def cloudevent(**changes: Any) -> dict[str, Any]:
    """Return an event in the JSON format."""
    return {
        "specversion": "1.0",
        "type": "com.example.disk.full",
        "source": "/monitoring/eu",
        "subject": "web-1",
        "id": "C234-1234-1234",
        "time": "2018-04-05T17:31:00Z",
        "comexampleextension1": "value",
        "datacontenttype": "application/json",
        "data": {
            "labels": {"alertname": "DiskFull", "host": "web-1"},
            "summary": "/srv is full",
            "appinfoA": "abc",
        },
        **changes,
    }


def signed(body: Any, secret: str, *, timestamp: str = "") -> tuple[bytes, str]:
    """Return a body and its hex HMAC-SHA256, over the timestamp too where there is one."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    message = timestamp.encode() + b":" + content if timestamp else content
    return content, hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
