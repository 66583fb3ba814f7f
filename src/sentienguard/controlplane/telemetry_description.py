"""The paths of telemetry in the description of the API, which FastAPI makes of its own routes.

Called by controlplane.api.people. These paths are answered by `telemetry_door`, before FastAPI.
"""

from collections.abc import Mapping
from typing import Any, Final

from sentienguard.controlplane import changes, otlp, problems, remote_write

_PROBLEM: Final[dict[str, Any]] = {"content": {problems.MEDIA_TYPE: {}}}
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_REFUSALS: Final[Mapping[str, Any]] = {
    "401": {"description": "No token, or none for this kind of sender.", **_PROBLEM},
    "413": {"description": "More than 8 MiB as sent, or 16 MiB unpacked.", **_PROBLEM},
    "415": {"description": "Another message, encoding or compression.", **_PROBLEM},
    "503": {"description": "Not now; send it again.", **_PROBLEM},
}
_SIGNALS: Final = {otlp.METRICS: "metrics", otlp.LOGS: "logs", otlp.TRACES: "traces"}


def describe(schema: dict[str, Any]) -> None:
    """Add the paths."""
    schema["paths"][remote_write.PATH] = {"post": _remote_write()}
    for path, signal in _SIGNALS.items():
        schema["paths"][path] = {"post": _otlp(signal)}
    changes.describe(schema)


def _remote_write() -> dict[str, Any]:
    return {
        "tags": ["telemetry"],
        "summary": "Take samples of Prometheus remote write",
        "description": "Version 1 (prometheus.WriteRequest) or 2 (io.prometheus.write.v2.Request), "
        "as the content type says, compressed as a snappy block. Answers once everything that was "
        "not refused is durable. Needs a bearer token that was made for prometheus.",
        "operationId": "remote_write_api_v1_write_post",
        "requestBody": {"required": True, "content": {"application/x-protobuf": _BINARY}},
        "responses": {
            "204": {"description": "Durable. Version 2: X-Prometheus-Remote-Write-*-Written."},
            "400": {
                "description": "Malformed, or partly refused; the rest is durable.",
                **_PROBLEM,
            },
            **_REFUSALS,
        },
    }


def _otlp(signal: str) -> dict[str, Any]:
    return {
        "tags": ["telemetry"],
        "summary": f"Take {signal} of OpenTelemetry",
        "description": "OTLP/HTTP, protobuf or JSON, plain or gzip. Answers once everything that "
        "was not refused is durable; what was refused is told as a partial success. Needs a bearer "
        "token that was made for otlp.",
        "operationId": f"otlp_v1_{signal}_post",
        "requestBody": {
            "required": True,
            "content": {
                "application/x-protobuf": _BINARY,
                "application/json": {"schema": {"type": "object"}},
            },
        },
        "responses": {
            "200": {
                "description": "Durable, in whole or as the partial success tells.",
                "content": {
                    "application/x-protobuf": _BINARY,
                    "application/json": {"schema": {"type": "object"}},
                },
            },
            "400": {"description": "No message of this signal.", **_PROBLEM},
            **_REFUSALS,
        },
    }
