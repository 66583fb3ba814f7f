"""Errors as RFC 9457 problem+json, and the one place where ours become HTTP.

Called by controlplane.api. `Rejected` is the caller's to mend, `Unavailable` asks to come again,
`Broken` says that people have to look.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sentienguard.model import errors
from sentienguard.ports.approval_store import AlreadyDecided
from sentienguard.ports.incident_care import AlreadySettled

MEDIA_TYPE = "application/problem+json"
URN = "urn:sentienguard:problem:"
_SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "An error as RFC 9457 problem+json.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "title": "Type"},
        "title": {"type": "string", "title": "Title"},
        "status": {"type": "integer", "title": "Status"},
        "detail": {"type": "string", "title": "Detail"},
        "instance": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Instance"},
    },
}
_PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ERRORS: Final = 400  # statuses from here on
_COME_AGAIN: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass
class ProblemError(Exception):
    """A refusal with its HTTP status and its type."""

    status: HTTPStatus
    kind: str  # short name, the end of the problem's type
    detail: str


def not_found(detail: str) -> ProblemError:
    """Return the refusal for a thing that does not exist."""
    return ProblemError(HTTPStatus.NOT_FOUND, "not-found", detail)


def body_of(status: HTTPStatus, kind: str, detail: str, path: str) -> bytes:
    """Return one problem as JSON, for who answers without the framework."""
    return json.dumps(_problem_of(status, kind, detail, path)).encode()


def _problem_of(status: HTTPStatus, kind: str, detail: str, path: str) -> dict[str, str | int]:
    return {
        "type": URN + kind,
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": path,
    }


def response(status: HTTPStatus, kind: str, detail: str, request: Request) -> JSONResponse:
    """Return one problem."""
    body = _problem_of(status, kind, detail, request.url.path)
    headers = {"Retry-After": "5"} if status in _COME_AGAIN else None
    return JSONResponse(body, status.value, headers=headers, media_type=MEDIA_TYPE)


def describe(schema: dict[str, Any]) -> None:
    """Say in the description of an API that every error of every operation is a problem.

    FastAPI describes its own form of a refused request, which `install` never sends.
    """
    known = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        known.pop(name, None)
    known["Problem"] = _SCHEMA
    for path in schema["paths"].values():
        for operation in path.values():
            _describe(operation["responses"])


def _describe(responses: dict[str, Any]) -> None:
    responses.setdefault("default", {"description": "A problem; its type says which."})
    for status, answer in responses.items():
        told = answer.get("content", {})
        ours = not told or MEDIA_TYPE in told or "$ref" in str(told.get("application/json"))
        if status == "default" or (int(status) >= _ERRORS and ours):
            answer["content"] = _PROBLEM


def install(app: FastAPI) -> None:
    """Answer every error of this application as a problem."""

    @app.exception_handler(ProblemError)
    def _problem(request: Request, problem: ProblemError) -> JSONResponse:
        return response(problem.status, problem.kind, problem.detail, request)

    @app.exception_handler(errors.Rejected)
    def _rejected(request: Request, error: errors.Rejected) -> JSONResponse:
        missing = type(error).__name__.startswith("NoSuch")
        status = HTTPStatus.NOT_FOUND if missing else HTTPStatus.UNPROCESSABLE_ENTITY
        return response(status, "not-found" if missing else "rejected", str(error), request)

    @app.exception_handler(AlreadyDecided)
    def _decided(request: Request, error: AlreadyDecided) -> JSONResponse:
        return response(HTTPStatus.CONFLICT, "already-decided", str(error), request)

    @app.exception_handler(AlreadySettled)
    def _settled(request: Request, error: AlreadySettled) -> JSONResponse:
        return response(HTTPStatus.CONFLICT, "already-settled", str(error), request)

    @app.exception_handler(errors.Unavailable)
    def _unavailable(request: Request, error: errors.Unavailable) -> JSONResponse:
        return response(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", str(error), request)

    @app.exception_handler(errors.TooMany)
    def _too_many(request: Request, error: errors.TooMany) -> JSONResponse:
        return response(HTTPStatus.TOO_MANY_REQUESTS, "too-many", str(error), request)

    @app.exception_handler(errors.Broken)
    def _broken(request: Request, error: errors.Broken) -> JSONResponse:
        return response(HTTPStatus.SERVICE_UNAVAILABLE, "broken", str(error), request)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        return response(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", found, request)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        return response(status, status.name.lower().replace("_", "-"), str(error.detail), request)
