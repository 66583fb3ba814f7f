"""Tell open browsers and terminals that something changed, and wake agents' long polls.

Called from any thread; the waiting side lives on the event loop. Nothing here is durable: whoever
misses a signal asks again and finds the truth in the stores. Where several control planes share a
database, `across` carries signals between them.
"""

import asyncio
import json
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sentienguard.flow.centre import ChangeKind
from sentienguard.ports.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE_LENGTH = 256  # signals a slow reader may lag behind before it is told to reload everything
MISSED = json.dumps({"kind": "all", "id": "", "at": ""})  # signals were lost: reload everything
LOGINS: Final = "logins"  # kind of the signal that some login has ended; it names nobody
END = ""  # what a reader gets last: this process stops
_LIVE, _BELL = "live", "bell"  # first word of a signal between control planes


def may_end_streams(text: str) -> bool:
    """Tell whether after this signal each stream has to ask whether its login still stands."""
    return text == MISSED or json.loads(text)["kind"] == LOGINS


def across(signals: Signals, live: "Live", bells: "Bells") -> None:
    """Pass every signal of this process on, and let those of the others be heard here."""

    def heard(signal: str) -> None:
        kind, _, rest = signal.partition(" ")
        if kind == _LIVE:
            live.publish(rest)
        elif kind == _BELL:
            bells.wake(rest)

    def missed() -> None:
        live.publish(MISSED)
        bells.wake_all()

    live.relay = lambda text: signals.send(f"{_LIVE} {text}")
    bells.relay = lambda agent: signals.send(f"{_BELL} {agent}")
    signals.start(heard, missed)


class Live:
    """Fan-out of change signals to server-sent-event streams."""

    def __init__(self) -> None:
        """Start without readers."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: set[asyncio.Queue[str]] = set()
        self._ended = False
        self.relay: Callable[[str], None] = lambda _: None  # to other control planes

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the readers live on."""
        self._loop = loop

    def changed(self, kind: ChangeKind, name: str, at: datetime) -> None:
        """Signal that something changed; from any thread."""
        text = json.dumps({"kind": kind, "id": name, "at": at.isoformat()})
        self.publish(text)
        self.relay(text)

    def publish(self, text: str) -> None:
        """Hand a signal to the readers of this process; from any thread."""
        if self._readers and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, text)

    def subscribe(self) -> asyncio.Queue[str]:
        """Return a queue of signals for one reader; END is the last one."""
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_LENGTH)
        self._readers.add(queue)
        if self._ended:
            queue.put_nowait(END)
        return queue

    def end(self) -> None:
        """End every stream, also those that are yet to come; on the loop."""
        self._ended = True
        self._publish(END)

    def unsubscribe(self, queue: asyncio.Queue[str]) -> None:
        """Forget a reader."""
        self._readers.discard(queue)

    def _publish(self, text: str) -> None:
        for queue in self._readers:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(MISSED)  # stands for all that was dropped, and for this one
                if text != END:
                    continue
            queue.put_nowait(text)


class Bells:
    """One bell for each agent: rung when there is something for its long poll."""

    def __init__(self) -> None:
        """Start silent."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._ended = False
        self.relay: Callable[[str], None] = lambda _: None  # to other control planes

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the polls wait on."""
        self._loop = loop

    def ring(self, agent: str) -> None:
        """Wake the agent's poll, wherever it waits; from any thread."""
        self.wake(agent)
        self.relay(agent)

    def wake(self, agent: str) -> None:
        """Wake the agent's poll in this process; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._events[agent].set)

    def wake_all(self) -> None:
        """Wake every poll in this process; from any thread."""
        for agent in list(self._events):
            self.wake(agent)

    def end(self) -> None:
        """Let every poll go, also those that are yet to come; on the loop."""
        self._ended = True
        for event in self._events.values():
            event.set()

    async def wait(self, agent: str, seconds: float) -> bool:
        """Return when rung or when the time is over, whichever comes first; false for that."""
        if self._ended:
            return False
        event = self._events[agent]
        try:
            async with asyncio.timeout(seconds):
                return await event.wait()
        except TimeoutError:
            return False
        finally:
            event.clear()
