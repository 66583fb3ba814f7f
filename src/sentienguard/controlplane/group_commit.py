"""Many acknowledged things, one commit.

Called by controlplane (alert_door, telemetry_desk, otlp, sample_desk, poll_desk). A commit costs
about the same for one row as for a thousand (nearly all of it is waiting for the disk), so one
thread commits whatever came while the commit before it was under way. Who comes first finds the
thread idle and waits for no timer.

    keeper = GroupCommit(put, most=1000)
    await keeper.keep(alerts)               # returns when they are durable

Rules:

1. `keep` returns after the commit that holds its items, and raises what that commit raised.
2. A commit that failed is not tried again here: who was not acknowledged sends again.
3. Where a batch is refused as such, each of its members is put by itself, so that one that cannot
   be kept takes no other with it.
4. After a commit of several it rests for `rest_s`, unless `most` have come: where a commit costs
   the processor much, one for each of many that come would take all of it. Who comes while few do
   waits for nothing.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from sentienguard.model import errors

T = TypeVar("T")


class Stopped(errors.Unavailable):
    """Nothing is taken any more; the process is stopping."""


@dataclass(frozen=True, slots=True)
class _Request(Generic[T]):
    items: Sequence[T]
    loop: asyncio.AbstractEventLoop
    durable: "asyncio.Future[None]"


_Answer: TypeAlias = tuple["asyncio.Future[None]", Exception | None]


class GroupCommit(Generic[T]):
    """One thread that puts what has come together."""

    def __init__(
        self, put: Callable[[Sequence[T]], object], *, most: int, rest_s: float = 0.0
    ) -> None:
        """Prepare; `most` requests share one commit, and 1 gives each its own (rule 4)."""
        self._put = put
        self._most = most
        self._rest_s = rest_s
        self._waiting: list[_Request[T]] = []
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)

    def start(self) -> None:
        """Begin to take."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what was taken, and take nothing more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    async def keep(self, items: Sequence[T]) -> None:
        """Return once all of them are durable. Raises Stopped, and what the store raises."""
        loop = asyncio.get_running_loop()
        request = _Request(items, loop, loop.create_future())
        with self._changed:
            if self._stopping:
                raise Stopped("the control plane is stopping; send it again in a moment")
            self._waiting.append(request)
            if len(self._waiting) in {1, self._most}:
                self._changed.notify()
        await request.durable

    def _run(self) -> None:
        while requests := self._next():
            by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
            for request, problem in self._commit(requests):
                by_loop.setdefault(request.loop, []).append((request.durable, problem))
            for loop, answers in by_loop.items():  # one call for a whole commit
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_answer, answers)
            if self._rest_s and len(requests) > 1:  # rule 4
                with self._changed:
                    self._changed.wait_for(self._is_pressed, self._rest_s)

    def _is_pressed(self) -> bool:
        return self._stopping or len(self._waiting) >= self._most

    def _next(self) -> list[_Request[T]]:
        """Wait for requests; none means that there will be no more."""
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            taken = self._waiting[: self._most]
            del self._waiting[: self._most]
            return taken

    def _commit(
        self, requests: Sequence[_Request[T]]
    ) -> list[tuple[_Request[T], Exception | None]]:
        problem: Exception | None = None
        try:
            self._put([item for request in requests for item in request.items])
        except errors.Rejected as refusal:
            if len(requests) > 1:  # rule 3
                return [one for request in requests for one in self._commit([request])]
            problem = refusal
        except Exception as failure:  # noqa: BLE001  each sender gets it as its answer (rule 1)
            problem = failure
        return [(request, problem) for request in requests]


def _answer(answers: Sequence[_Answer]) -> None:
    """Tell the senders; runs on their loop."""
    for durable, problem in answers:
        if durable.done():  # the sender has hung up
            continue
        if problem is None:
            durable.set_result(None)
        else:
            durable.set_exception(problem)
