"""The short way answers as the application would, whatever comes of a request."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from sentienguard.controlplane import problems
from sentienguard.controlplane.problems import ProblemError
from sentienguard.controlplane.short_way import ShortWay
from sentienguard.model import errors
from sentienguard.ports.agent_store import NoSuchAgent


class RefusedHere(ProblemError):
    """Has a handler of its own, which takes its time."""


class Centre:
    """An application with one path that is asked often, by both ways."""

    def __init__(self) -> None:
        self.raises: Exception | None = None
        self.app = FastAPI()
        problems.install(self.app)

        @self.app.exception_handler(RefusedHere)
        async def _slow(_request: Request, refusal: RefusedHere) -> JSONResponse:
            await asyncio.sleep(0)
            return JSONResponse({"said": refusal.detail}, refusal.status)

        self.app.add_route("/often", self._often, methods=["POST"])
        self.app.add_route("/rarely", self._rarely, methods=["POST"])
        self.short = ShortWay(self.app, {"/often": self._often})

    async def _often(self, request: Request) -> Response:
        if self.raises is not None:
            raise self.raises
        body = b"".join([chunk async for chunk in request.stream()])
        who = str(request.state.who)
        return Response(
            body + who.encode(), 202, headers={"X-Short": str("app" not in request.scope)}
        )

    async def _rarely(self, _request: Request) -> Response:
        return Response(b"rarely")

    def both(self, method: str, path: str, body: bytes = b"") -> list[httpx.Response]:
        return [self._ask(way, method, path, body) for way in (self.short, self.app)]

    def _ask(self, app: Any, method: str, path: str, body: bytes) -> httpx.Response:
        async def shown(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = {"who": "web-1"}
            await app(scope, receive, send)

        async def ask() -> httpx.Response:
            way = httpx.ASGITransport(shown)
            async with httpx.AsyncClient(transport=way, base_url="https://centre") as client:
                return await client.request(method, path, content=body)

        return asyncio.run(ask())


@pytest.fixture
def centre() -> Centre:
    return Centre()


def test_what_is_asked_often_takes_the_short_way(centre: Centre) -> None:
    short, framed = centre.both("POST", "/often", b"hello ")
    assert [one.headers.pop("X-Short") for one in (short, framed)] == ["True", "False"]
    assert (short.status_code, short.content) == (202, b"hello web-1")
    assert (short.content, short.headers) == (framed.content, framed.headers)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/often", 405), ("PUT", "/often", 405), ("POST", "/rarely", 200),
     ("POST", "/often/", 307), ("POST", "/nowhere", 404)],
)  # fmt: skip
def test_what_is_asked_otherwise_is_the_applications(
    centre: Centre, method: str, path: str, status: int
) -> None:
    short, framed = centre.both(method, path)
    assert short.status_code == framed.status_code == status
    assert (short.content, short.headers) == (framed.content, framed.headers)


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (ProblemError(problems.HTTPStatus.FORBIDDEN, "no", "not you"), 403),
        (RefusedHere(problems.HTTPStatus.UNAUTHORIZED, "no", "nor you"), 401),
        (NoSuchAgent("nobody"), 404),
        (errors.Rejected("not so"), 422),
        (errors.Unavailable("later"), 503),
        (errors.Broken("look"), 503),
    ],
)
def test_what_goes_wrong_is_told_as_the_application_tells_it(
    centre: Centre, problem: Exception, status: int
) -> None:
    centre.raises = problem
    short, framed = centre.both("POST", "/often")
    assert short.status_code == framed.status_code == status
    assert (short.content, short.headers) == (framed.content, framed.headers)


def test_what_nobody_foresaw_is_left_to_the_server(centre: Centre) -> None:
    centre.raises = KeyError("x")
    with pytest.raises(KeyError):
        centre._ask(centre.short, "POST", "/often", b"")
