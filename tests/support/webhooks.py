"""Bodies as Alertmanager sends them, and a sender with a token, for tests and benchmarks.

sender = webhooks.sender(centre, "drill")
sender.send(webhooks.body(webhooks.alert("DiskFull", instance="web-1:9100")))
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.support.centre_process import Centre

PATH = "/api/v1/webhooks/alertmanager"
BEGAN = datetime(2026, 11, 20, 21, 25, 22, 724220, tzinfo=UTC)


@dataclass
class Sender:
    """Somebody with a token for the webhook."""

    client: httpx.Client
    token: str
    token_id: str
    path: str = PATH

    def send(self, body: Any, **headers: str) -> httpx.Response:
        """Send a body; bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return self.client.post(self.path, content=content, headers={**said, **headers})


def sender(centre: Centre, environment: str = "drill", *, purpose: str = "alertmanager") -> Sender:
    """Make a token and return who holds it."""
    made = centre.login("admin@local").post(
        "/api/v1/webhook-tokens", json={"purpose": purpose, "environment": environment}
    )
    assert made.status_code == 201, made.text
    return Sender(centre.anonymous(), made.json()["token"], made.json()["id"], made.json()["path"])


def alert(
    name: str = "DiskFull",
    *,
    status: str = "firing",
    began_s: float = 0.0,
    annotations: Mapping[str, str] | None = None,
    **labels: str,
) -> dict[str, Any]:
    """Return one alert, as Alertmanager 0.25 writes it."""
    return {
        "status": status,
        "labels": {"alertname": name, "job": "node", "severity": "critical", **labels},
        "annotations": {"summary": "the disk is full", **(annotations or {})},
        "startsAt": (BEGAN + timedelta(seconds=began_s)).isoformat().replace("+00:00", "464Z"),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://p/graph",
        "fingerprint": "8c77d5865e910658",
    }


def body(*alerts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a webhook with these alerts."""
    return {
        "receiver": "sentienguard",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"alertname": "DiskFull"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://vm:9093",
        "version": "4",
        "groupKey": '{}:{alertname="DiskFull"}',
        "truncatedAlerts": 0,
        **fields,
    }
