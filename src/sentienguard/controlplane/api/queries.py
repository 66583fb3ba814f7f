"""PromQL as Prometheus serves it, so that Grafana and other clients of Prometheus can ask here.

Answers have Prometheus's envelope: `status`, `data`, and on failure `errorType` and `error`. Who is
not logged in or may not see anything gets a problem document like everywhere. Clients send a token
as `Authorization: Bearer`.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, cast
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from sentienguard import __version__
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.queries import BUDGET_S, Asked, Queries, Scope
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.stages.observe.promql import parse
from sentienguard.stages.observe.promql.faults import QueryFailed, QueryTooSlow, QueryWrong

router = APIRouter(prefix="/api/v1", tags=["queries"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
SPOKEN = "2.42.0"  # the Prometheus whose semantics ours are; clients choose their requests by it
MOST_LISTED = 100_000  # series, names or values in one answer
_FORM = "application/x-www-form-urlencoded"
_MOST_S = 1e11  # seconds from 1970 that a time may be away
_REFUSED: dict[int | str, dict[str, Any]] = {
    status: {
        "description": sentence,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["status", "errorType", "error"],
                    "properties": {
                        "status": {"const": "error"},
                        "errorType": {"type": "string"},
                        "error": {"type": "string"},
                    },
                }
            }
        },
    }
    for status, sentence in (
        (400, "A parameter is missing, or the query cannot be read."),
        (422, "The query cannot be answered."),
        (503, "The query took too long."),
    )
}
_ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["status", "data"],
                    "properties": {"status": {"const": "success"}, "data": {}},
                }
            }
        }
    }
}
_PARAMETERS = {  # what each path takes, in its address or as a form; true: there must be one
    "query": {"query": True, "time": False, "timeout": False},
    "query_range": {"query": True, "start": True, "end": True, "step": True, "timeout": False},
    "series": {"match[]": True, "start": False, "end": False, "limit": False},
    "labels": {"match[]": False, "start": False, "end": False, "limit": False},
}


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters of one request, out of its address and its form."""

    values: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        """Return a parameter that there must be. Raises QueryWrong."""
        found = self.values.get(name)
        if not found:
            raise QueryWrong(f'invalid parameter "{name}": it is missing')
        return found[0]

    def moment_ms(self, name: str, default_ms: int | None = None) -> int:
        """Return a time: seconds since 1970 or RFC 3339. Raises QueryWrong."""
        if default_ms is not None and not self.values.get(name):
            return default_ms
        text = self.text(name)
        try:
            seconds = float(text)
        except ValueError:
            try:
                seconds = datetime.fromisoformat(text).timestamp()
            except (ValueError, OverflowError):
                seconds = math.nan
        if not abs(seconds) <= _MOST_S:
            raise QueryWrong(f'invalid parameter "{name}": cannot parse "{text}" to a timestamp')
        return round(seconds * 1000)

    def duration_ms(self, name: str, default_ms: int | None = None) -> int:
        """Return a duration: seconds, or such as 5m. Raises QueryWrong."""
        if default_ms is not None and not self.values.get(name):
            return default_ms
        return parse.duration_ms(self.text(name))

    def limit(self) -> int:
        """Return how many things are asked for at most. Raises QueryWrong."""
        text = next(iter(self.values.get("limit", ())), "0")
        if not text.isdecimal():
            raise QueryWrong(f'invalid parameter "limit": expected a number, found "{text}"')
        return min(int(text) or MOST_LISTED, MOST_LISTED)


def _query(queries: Queries, asked: Asked, given: Given, now_ms: int) -> Any:
    return queries.instant(asked, given.text("query"), given.moment_ms("time", now_ms))


def _query_range(queries: Queries, asked: Asked, given: Given, _: int) -> Any:
    span = (given.moment_ms("start"), given.moment_ms("end"))
    if span[1] < span[0]:
        raise QueryWrong('invalid parameter "end": end timestamp must not be before start time')
    return queries.ranged(asked, given.text("query"), span, given.duration_ms("step"))


def _series(queries: Queries, asked: Asked, given: Given, _: int) -> Any:
    given.text("match[]")
    return queries.series(asked, given.values["match[]"], given.limit())


def _labels(queries: Queries, asked: Asked, given: Given, _: int) -> Any:
    return queries.label_names(asked, given.values.get("match[]", ()), given.limit())


def _served(
    ask: Callable[[Queries, Asked, Given, int], Any],
) -> Callable[[Request, Caller], Awaitable[Response]]:
    """Return the handler that answers with what `ask` returns."""

    async def handler(request: Request, caller: Viewer) -> Response:
        given = Given(await _parameters(request))
        return await run_in_threadpool(_answered, request, caller, given, ask)

    handler.__doc__ = (
        "Answer as Prometheus's HTTP API does; docs/reference/promql.md has the subset."
    )
    return handler


def _taken(method: str, names: Mapping[str, bool]) -> dict[str, Any]:
    """Describe what a path takes: in the address of a GET, in the form of a POST."""
    if method == "GET":
        text = {"type": "string"}
        return {
            "parameters": [
                {"name": name, "in": "query", "required": needed, "schema": text}
                for name, needed in names.items()
            ]
        }
    form = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": [name for name, needed in names.items() if needed],
    }
    return {"requestBody": {"required": True, "content": {_FORM: {"schema": form}}}}


for _path, _ask in (
    ("query", _query),
    ("query_range", _query_range),
    ("series", _series),
    ("labels", _labels),
):
    for _method in ("GET", "POST"):
        router.add_api_route(
            f"/{_path}",
            _served(_ask),
            methods=[_method],
            operation_id=f"{_path}_{_method.lower()}",
            name=_path,
            response_class=Response,
            responses={**_ANSWERED, **_REFUSED},
            openapi_extra=_taken(_method, _PARAMETERS[_path]),
        )


@router.get("/label/{name}/values", response_class=Response, responses={**_ANSWERED, **_REFUSED})
async def label_values(name: str, request: Request, caller: Viewer) -> Response:
    """Return the values of a label of the series that the caller may see."""
    given = Given(await _parameters(request))

    def ask(queries: Queries, asked: Asked, given: Given, _: int) -> Any:
        return queries.label_values(asked, name, given.values.get("match[]", ()), given.limit())

    return await run_in_threadpool(_answered, request, caller, given, ask)


@router.get("/status/buildinfo", response_class=Response)
def build_info(caller: Viewer) -> Response:
    """Say which Prometheus is spoken here, and by what."""
    del caller
    return _success(
        {
            "version": SPOKEN,
            "application": "SentienGuard",
            "revision": __version__,
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
            "features": {},
        }
    )


async def _parameters(request: Request) -> dict[str, list[str]]:
    found = parse_qs(request.url.query, keep_blank_values=True)
    if request.method == "POST" and _FORM in request.headers.get("content-type", ""):
        try:
            body = (await request.body()).decode()
        except UnicodeDecodeError:
            body = ""
        for name, values in parse_qs(body, keep_blank_values=True).items():
            found[name] = [*values, *found.get(name, [])]
    return found


def _answered(
    request: Request,
    caller: Caller,
    given: Given,
    ask: Callable[[Queries, Asked, Given, int], Any],
) -> Response:
    queries = cast(Queries, request.app.state.queries)
    now_ms = round(caller.centre.clock.now().timestamp() * 1000)
    try:
        asked = Asked(_scope(caller), given.duration_ms("timeout", round(BUDGET_S * 1000)) / 1000)
        return _success(ask(queries, asked, given, now_ms))
    except QueryTooSlow as error:
        return _failure(HTTPStatus.SERVICE_UNAVAILABLE, "timeout", error)
    except QueryFailed as error:
        return _failure(HTTPStatus.UNPROCESSABLE_ENTITY, "execution", error)
    except errors.Rejected as error:
        return _failure(HTTPStatus.BAD_REQUEST, "bad_data", error)
    except errors.Unavailable as error:
        return _failure(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", error)
    except errors.Broken as error:
        return _failure(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", error)


def _scope(caller: Caller) -> Scope:
    environments = caller.centre.environments
    return Scope(
        frozenset(one for one in environments if caller.may(Permission.VIEW, one)),
        everything=caller.may_everywhere(Permission.VIEW),
    )


def _success(data: Any) -> Response:
    body = msgspec.json.encode({"status": "success", "data": data})
    return Response(body, media_type="application/json")


def _failure(status: HTTPStatus, kind: str, error: Exception) -> Response:
    body = {"status": "error", "errorType": kind, "error": str(error)}
    return Response(msgspec.json.encode(body), status.value, media_type="application/json")
