"""Server-sent events: something changed, ask again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1", tags=["live"])
HEARTBEAT_S = 15.0  # proxies close silent connections after 30 to 60 s


@router.get("/live")
async def live(
    request: Request, caller: Annotated[Caller, Depends(needs(Permission.VIEW))]
) -> StreamingResponse:
    """Stream change signals: `event: change`, data {"kind", "id", "at"}."""
    return StreamingResponse(
        _signals(request, caller),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _signals(request: Request, caller: Caller) -> AsyncIterator[str]:
    queue = caller.centre.live.subscribe()
    try:
        yield ": hello\n\n"
        while not await request.is_disconnected():
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    text = await queue.get()
            except TimeoutError:
                if not await asyncio.to_thread(caller.still_stands):
                    return  # logged out, revoked or over: what reads it has to ask again
                yield ": still here\n\n"
            else:
                yield f"event: change\ndata: {text}\n\n"
    finally:
        caller.centre.live.unsubscribe(queue)
