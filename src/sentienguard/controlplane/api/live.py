"""Server-sent events: something changed, ask again.

Whether the login behind a stream still stands is asked when any login has ended, and every
HEARTBEAT_S, however busy the stream is. A signal names no environment, so that who may not see all
of them is told what kind of thing changed, and not which.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from sentienguard.controlplane import live as signals
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.flow.centre import ChangeKind
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1", tags=["live"])
HEARTBEAT_S = 15.0  # proxies close silent connections after 30 to 60 s


class Change(BaseModel):
    """The data of one event."""

    kind: ChangeKind | Literal["all"] = Field(
        description="what changed; all: signals were lost, so anything may have"
    )
    id: str = Field(description="which one; empty for who may not see every environment")
    at: str = Field(description="when, ISO 8601; empty for all")


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


_EVENT: Final = {  # what one of the stream is, as OpenAPI 3.2 says it
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"const": "change"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": Change.model_json_schema(),
        },
    },
}


@router.get(
    "/live",
    response_class=EventStream,
    responses={200: {"content": {EventStream.media_type: {"itemSchema": _EVENT}}}},
)
async def live(
    request: Request, caller: Annotated[Caller, Depends(needs(Permission.VIEW))]
) -> EventStream:
    """Stream change signals: `event: change`, the data a Change as JSON."""
    return EventStream(
        _signals(request, caller),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _signals(request: Request, caller: Caller) -> AsyncIterator[str]:
    queue = caller.centre.live.subscribe()
    loop = asyncio.get_running_loop()
    due = loop.time() + HEARTBEAT_S
    try:
        yield ": hello\n\n"
        while not await request.is_disconnected():
            text = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    text = await queue.get()
            if text == signals.END:
                return
            if text is None or loop.time() >= due or signals.may_end_streams(text):
                now = await asyncio.to_thread(caller.again)
                if now is None:
                    return  # logged out, revoked or over: what reads it has to ask again
                caller = now
                due = loop.time() + HEARTBEAT_S
            yield ": still here\n\n" if text is None else _told(caller, text)
    finally:
        caller.centre.live.unsubscribe(queue)


def _told(caller: Caller, text: str) -> str:
    if not caller.may_everywhere(Permission.VIEW):
        text = json.dumps({**json.loads(text), "id": ""})
    return f"event: change\ndata: {text}\n\n"
