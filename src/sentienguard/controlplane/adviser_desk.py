"""Threads beside the decision loop in which an adviser is asked, and a breaker before them.

Called by flow.advising through its `Desk`; made by app.py where a model is set. Rules:

1. An incident that waits for an opinion waits for this one alone: where all threads are busy it
   goes on without at once. What is only shown may queue, up to a bound.
2. After `FAILURES` questions in a row that brought no opinion nobody is asked for a while, twice as
   long each time, up to `LONGEST_REST_S`; then one question tries again.
3. The threads are daemons: stopping never waits for a model.
"""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

from sentienguard.flow.advising import AdviserBusy, Consulted
from sentienguard.ports.clock import Clock

log = logging.getLogger(__name__)

AT_ONCE = 2  # questions under way
WAITING = 64  # that are only shown, and may come late
FAILURES = 5  # in a row
FIRST_REST_S, LONGEST_REST_S = 30.0, 900.0
_GRACE_S = 0.5  # for what a worker still has to do after its own limit


class Breaker:
    """Counts failures in a row. Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        """Start closed: everybody may ask."""
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._until: float | None = None  # monotonic; None: nobody rests

    def resting_s(self, now: float) -> float:
        """Return how long nobody is asked any more; 0: somebody may be."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def heard(self, now: float, *, opinion: bool) -> None:
        """Count what came of a question."""
        if opinion:
            self._failures, self._rest_s, self._until = 0, FIRST_REST_S, None
            return
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = now + self._rest_s
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
            self._failures = FAILURES - 1  # the next one tries, and its failure rests again


class AdviserDesk:
    """Asks for whoever comes, in threads of its own."""

    def __init__(self, clock: Clock, *, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        """Start the threads."""
        self._clock = clock
        self._at_once = at_once
        self._most = at_once + waiting
        self._under_way = 0  # running and waiting
        self._breaker = Breaker()
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        for number in range(at_once):
            threading.Thread(target=self._serve, name=f"adviser-{number}", daemon=True).start()

    def ask(self, work: Callable[[], Consulted], *, wait_s: float) -> Consulted:
        """Return what comes of the work. Raises AdviserBusy (rules 1 and 2), also if it is late."""
        self._take(self._at_once)
        found: Future[Consulted] = Future()
        self._work.put(lambda: self._do(work, found))
        try:
            return found.result(timeout=wait_s + _GRACE_S)
        except FutureTimeout as cause:
            raise AdviserBusy(f"no opinion within {wait_s:g} s") from cause

    def later(self, work: Callable[[], Consulted], then: Callable[[Consulted], None]) -> None:
        """Do the work in its turn and hand over what comes of it. Raises AdviserBusy at once."""
        self._take(self._most)
        found: Future[Consulted] = Future()
        found.add_done_callback(lambda done: then(done.result()) if not done.exception() else None)
        self._work.put(lambda: self._do(work, found))

    def _take(self, most: int) -> None:
        with self._lock:
            rest = self._breaker.resting_s(self._clock.monotonic())
            if rest:
                raise AdviserBusy(f"the last questions failed; nobody is asked for {rest:.0f} s")
            if self._under_way >= most:
                raise AdviserBusy(f"{self._under_way} questions are under way already")
            self._under_way += 1

    def _do(self, work: Callable[[], Consulted], found: "Future[Consulted]") -> None:
        opinion = False
        try:
            consulted = work()
            opinion = consulted.advice.opinion is not None
        except Exception as cause:  # noqa: BLE001 - one question must not end the thread
            self._done(opinion=False)
            found.set_exception(AdviserBusy(f"asking failed: {cause}"))
            return
        self._done(opinion=opinion)
        found.set_result(consulted)

    def _done(self, *, opinion: bool) -> None:
        with self._lock:
            self._under_way -= 1
            self._breaker.heard(self._clock.monotonic(), opinion=opinion)

    def _serve(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except Exception:
                log.exception("an opinion was not recorded; its incident goes on")
