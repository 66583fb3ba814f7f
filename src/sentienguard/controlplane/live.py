"""Tell open browsers and terminals that something changed, and wake agents' long polls.

Called from any thread; the waiting side lives on the event loop. Nothing here is durable: whoever
misses a signal asks again and finds the truth in the stores.
"""

import asyncio
import json
from collections import defaultdict
from datetime import datetime

QUEUE_LENGTH = 256  # signals a slow reader may lag behind before it is told to reload everything


class Live:
    """Fan-out of change signals to server-sent-event streams."""

    def __init__(self) -> None:
        """Start without readers."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: set[asyncio.Queue[str]] = set()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the readers live on."""
        self._loop = loop

    def changed(self, kind: str, name: str, at: datetime) -> None:
        """Signal that something changed; from any thread."""
        text = json.dumps({"kind": kind, "id": name, "at": at.isoformat()})
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, text)

    def subscribe(self) -> asyncio.Queue[str]:
        """Return a queue of signals for one reader."""
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_LENGTH)
        self._readers.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[str]) -> None:
        """Forget a reader."""
        self._readers.discard(queue)

    def _publish(self, text: str) -> None:
        for queue in self._readers:
            if queue.full():  # it will reload when it sees the gap: drop the oldest
                queue.get_nowait()
            queue.put_nowait(text)


class Bells:
    """One bell for each agent: rung when there is something for its long poll."""

    def __init__(self) -> None:
        """Start silent."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the polls wait on."""
        self._loop = loop

    def ring(self, agent: str) -> None:
        """Wake the agent's poll; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._events[agent].set)

    async def wait(self, agent: str, seconds: float) -> None:
        """Return when rung or when the time is over, whichever comes first."""
        event = self._events[agent]
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
        finally:
            event.clear()
