"""Where pipelines tell what they changed: `POST /api/v1/changes`.

Called by controlplane.telemetry, before the application as all that is pushed. A token made for
`changes` says for which environment. Answers once everything is durable; the same change told again
is no second one.
"""

import json
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from sentienguard.controlplane import bodies, problems
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.problems import ProblemError
from sentienguard.controlplane.telemetry_door import Answer, Entrance, Request
from sentienguard.stages.observe import alert_batch, changes, cloudevents

PURPOSE: Final = "changes"
PATH: Final = "/api/v1/changes"


def entrances(centre: Centre) -> dict[str, Entrance]:
    """Return the path of changes; other methods than POST are answered behind the door."""

    async def take(request: Request) -> Answer:
        batch = await request.read(lambda one: _parsed(centre, one))
        request.spend(len(batch.changes) + batch.skipped)
        new = await run_in_threadpool(
            centre.changes.put,
            request.environment,
            batch.changes,
            received_at=centre.clock.now(),
        )
        centre.counters.add("changes_total", "new", new)
        centre.counters.add("changes_total", "skipped", batch.skipped)
        told = {"changes": len(batch.changes), "new": new, "skipped": batch.skipped}
        return Answer(HTTPStatus.ACCEPTED, json.dumps(told).encode())

    return {PATH: Entrance(PURPOSE, take, only_post=True)}


def _parsed(centre: Centre, request: Request) -> changes.Batch:
    prefix = cloudevents.PREFIX.encode()
    attributes = {
        name.removeprefix(prefix).decode("latin-1"): value.decode("latin-1")
        for name, value in request.headers.items()
        if name.startswith(prefix)
    }
    media = bodies.text(request.headers, b"content-type")
    try:
        return changes.parse(request.body, media, attributes, centre.clock.now())
    except alert_batch.Malformed as cause:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", str(cause)[:500]) from cause


def describe(schema: dict[str, Any]) -> None:
    """Add the path to the description of the API."""
    problem: dict[str, Any] = {"content": {problems.MEDIA_TYPE: {}}}
    text = {"type": "string"}
    one = {
        "type": "object",
        "required": ["service"],
        "properties": {
            "service": text,
            "kind": {"enum": ["deploy", "commit", "flag", "config", "scale", "event"]},
            "at": {"type": "string", "format": "date-time"},
            **dict.fromkeys(("id", "version", "by", "summary"), text),
        },
    }
    schema["paths"].setdefault(PATH, {})["post"] = {
        "tags": ["telemetry"],
        "summary": "Tell what was changed",
        "description": "One change, an object `changes` with many, or CDEvents in CloudEvents "
        "(structured, binary, batch). Answers once they are durable; told again they are the "
        "same. Needs a bearer token that was made for changes.",
        "operationId": "tell_changes_api_v1_changes_post",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": one},
                changes.STRUCTURED: {"schema": {"type": "object"}},
                changes.BATCHED: {"schema": {"type": "array", "items": {"type": "object"}}},
            },
        },
        "responses": {
            "202": {
                "description": "Durable.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "400": {"description": "No change that can be read.", **problem},
            "401": {"description": "No token, or none for changes.", **problem},
            "413": {"description": "More than 8 MiB.", **problem},
            "503": {"description": "Not now; send it again.", **problem},
        },
    }
