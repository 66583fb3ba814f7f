"""Server-sent events: something changed, ask again.

Whether the login behind a stream still stands is asked when any login has ended, and every
HEARTBEAT_S, however busy the stream is. A signal names no environment, so that who may not see all
of them is told what kind of thing changed, and not which.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from sentienguard.controlplane import live as signals
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1", tags=["live"])
HEARTBEAT_S = 15.0  # proxies close silent connections after 30 to 60 s


@router.get("/live")
async def live(
    request: Request, caller: Annotated[Caller, Depends(needs(Permission.VIEW))]
) -> StreamingResponse:
    """Stream change signals: `event: change`, data {"kind", "id", "at"}.

    The id is empty for who may not see every environment.
    """
    return StreamingResponse(
        _signals(request, caller),
        media_type="text/event-stream",
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
