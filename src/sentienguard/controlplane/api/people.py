"""The people's application: routers, the dashboard's files, and the headers that bind a browser.

Deny by default: a route that is not in `PUBLIC` and whose handler depends on no login keeps the
application from starting.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentienguard import __version__
from sentienguard.controlplane import (
    alert_door,
    draft_desk,
    problems,
    refusals,
    shipped,
    telemetry_description,
)
from sentienguard.controlplane.alert_door import AlertDoor
from sentienguard.controlplane.api import (
    account,
    alerts,
    approvals,
    asking,
    audit,
    auth,
    backtests,
    break_glass,
    command_line,
    drills,
    erasure,
    evidence,
    figures,
    findings,
    history,
    hosts,
    incident_advice,
    incident_care,
    incident_diagnosis,
    incidents,
    keys,
    live,
    notices,
    outside,
    playbook_drafts,
    playbook_history,
    playbook_runs,
    playbooks,
    queries,
    read_tokens,
    roles,
    settings_view,
    single_sign_on,
    status_page,
    switches,
    system,
    topology,
    users,
    webhook_tokens,
    windows,
)
from sentienguard.controlplane.api.caller import authenticated
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.notice_desk import Telling
from sentienguard.controlplane.queries import Queries
from sentienguard.controlplane.single_sign_on import SignOn
from sentienguard.controlplane.telemetry_door import TelemetryDoor
from sentienguard.model import errors

PUBLIC = frozenset({
    "/healthz", "/readyz", "/metrics",
    "/api/v1/auth/login", "/api/v1/auth/login/second", "/api/v1/auth/refresh",
    "/api/v1/auth/ways", "/api/v1/auth/provider", "/api/v1/auth/provider/callback",
    "/api/v1/auth/command-line", "/api/v1/auth/command-line/confirm",
    "/api/v1/auth/command-line/session",
})  # fmt: skip
MAX_BODY_BYTES = 1024 * 1024
# Trust files hold every playbook. Their route reads them itself, after it knows who asks.
MAX_SIGNED_BYTES = draft_desk.MOST_SIGNED_BYTES
SIGNED = re.compile(r"/api/v1/playbook-drafts/[0-9a-z_]{1,64}/signed")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    f"style-src 'self' {status_page.STYLE_HASH}; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class UnguardedRoute(errors.Broken):
    """A route names no permission, so nobody may use it and nothing may start."""


class BodyTooLarge(errors.Rejected):
    """The body of a request is larger than anything that the API takes."""


def application(
    centre: Centre,
    door: AlertDoor | None = None,
    telemetry: TelemetryDoor | None = None,
    ui: Path = shipped.DASHBOARD,
    *,
    told: Telling | None = None,
    sign_on: SignOn | None = None,
) -> FastAPI:
    """Return the people's application, with the doors of alerts and of telemetry before it."""
    app = FastAPI(
        title="SentienGuard",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.centre = centre
    app.state.queries = Queries(centre)
    app.state.sign_on = sign_on
    problems.install(app)
    refusals.install(app, centre)
    for module in (
        auth, system, incidents, approvals, playbooks, hosts, audit, switches, users, live,
        alerts, webhook_tokens, topology, queries, history, evidence,
        windows, incident_care, playbook_runs, account, roles, read_tokens, asking, notices,
        findings, incident_advice, incident_diagnosis, figures, settings_view, playbook_history,
        outside, single_sign_on, command_line, break_glass,
        backtests, drills, keys, playbook_drafts, erasure,
    ):  # fmt: skip
        app.include_router(module.router)
    _require_guards(app.routes)
    _serve_dashboard(app, ui)

    @app.middleware("http")
    async def headers(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.url.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.add_middleware(BodyLimit)
    _describe_webhooks(app)
    if door is not None:
        app.state.alert_door = door
        app.add_middleware(door.before)
    if told is not None:
        app.state.told = told
        if told.slack is not None:
            app.add_middleware(told.slack.before)
    if telemetry is not None:
        app.state.telemetry_door = telemetry
        app.add_middleware(telemetry.before)
    return app


class BodyLimit:
    """Refuses bodies above the limit: at once where they say so, else while they arrive."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes of each request's body."""
        most = _most(scope)
        if scope["type"] == "http" and _announced(scope) > most:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            detail = f"body: expected at most {most} bytes"
            await _too_large(scope, detail)
            refusal = problems.response(status, "too-large", detail, Request(scope))
            await refusal(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                text = f"body: expected at most {most} bytes"
                await _too_large(scope, text)
                raise BodyTooLarge(text)
            return message

        await self._app(scope, counted, send)


async def _too_large(scope: Scope, detail: str) -> None:
    """Count and record a body that nothing of ours takes; nobody has said yet who sends it."""
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    refusal = refusals.DoorRefusal(status, "too-large", detail, label="too_large")
    await refusals.heard(scope["app"].state.centre, refusal, scope)


def _most(scope: Scope) -> int:
    return MAX_SIGNED_BYTES if SIGNED.fullmatch(scope.get("path", "")) else MAX_BODY_BYTES


def _announced(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


def _describe_webhooks(app: FastAPI) -> None:
    """Publish with the routes what is answered before they are looked at."""
    generate = app.openapi

    def described() -> dict[str, Any]:
        schema = generate()
        alert_door.describe(schema)
        telemetry_description.describe(schema)
        problems.describe(schema)
        return schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way of extending it


def _require_guards(routes: Iterable[Any]) -> None:
    for route in routes:
        if isinstance(route, APIRoute) and route.path not in PUBLIC and not _guarded(route):
            message = f"route {route.path}: expected a handler that depends on caller.needs(...)"
            raise UnguardedRoute(message)


def _guarded(route: APIRoute) -> bool:
    return _depends_on_login(route.dependant)


def _depends_on_login(dependant: Dependant) -> bool:
    return dependant.call is authenticated or any(
        _depends_on_login(inner) for inner in dependant.dependencies
    )


def _serve_dashboard(app: FastAPI, ui: Path) -> None:
    """Serve the built dashboard, or a plain status page where it was not built."""
    index = ui / "index.html"
    files = {path.relative_to(ui).as_posix(): path for path in ui.rglob("*") if path.is_file()}

    @app.get("/{path:path}", include_in_schema=False)
    def page(path: str) -> Response:
        if path.startswith(("api/", "v1/")):
            raise problems.not_found(f"no resource has the path /{path}")
        if path in files and path != "index.html":
            immutable = "public, max-age=31536000, immutable"
            cached = {"Cache-Control": immutable} if path.startswith("assets/") else None
            return FileResponse(files[path], headers=cached)
        if index.exists():
            return FileResponse(index, headers={"Cache-Control": "no-cache"})
        return HTMLResponse(status_page.render())
