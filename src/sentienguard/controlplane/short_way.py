"""The requests that come from every host all the time, past the framework.

Called by controlplane.api.agents. A thousand hosts ask for orders in one moment; what a framework
adds to a request costs as much of the processor as an answer. Rules:

1. What is asked otherwise (another path, another method) is the application's.
2. What a handler raises is answered by the application's own handlers, as it would answer it. What
   none of them knows goes on to the server, which logs it and answers 500.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class ShortWay:
    """Stands before an application."""

    def __init__(self, app: FastAPI, posted: Mapping[str, Handler]) -> None:
        """Answer what is posted to these paths; all else is for `app`."""
        self._app = app
        self._posted = posted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        handler = self._posted.get(scope["path"]) if is_post else None
        if handler is None:  # rule 1
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await handler(request)
        except Exception as problem:
            told = self._told(problem)
            if told is None:
                raise
            answer = told(request, problem)
            response = await answer if inspect.isawaitable(answer) else answer
        await response(scope, receive, send)

    def _told(self, problem: Exception) -> Callable[..., Any] | None:
        """Return who answers a problem of this kind (rule 2)."""
        known = self._app.exception_handlers
        return next((known[kind] for kind in type(problem).__mro__ if kind in known), None)
