"""Time that obeys: one queue of events, and threads of work that stop where they sleep.

Called by everything in this package. Everything happens on one line of true time, in seconds since
the world began. What happens next is the earliest event; two of the same moment keep the order in
which they were asked for. Nothing else decides an order, so a seed gives the same run everywhere.

A `Process` is one run of a program; when it dies, what it had asked for does not happen any more. A
`Fiber` is a thread of its own that runs only while the queue waits for it, for code that sleeps in
the middle (the executor's engine); it gives the turn back whenever it sleeps.
"""

import contextlib
import heapq
import threading
from collections.abc import Callable
from typing import Final

_STACK: Final = 512 * 1024  # bytes of a fiber's thread; the deepest call needs a tenth of it


def nothing() -> None:
    """Do nothing."""


class Crash(BaseException):
    """The process ends here, in the middle of whatever it does. No handler may keep it."""

    def __init__(self, die: Callable[[], None] = nothing) -> None:
        """`die` does to the world what this crash does."""
        super().__init__()
        self.die = die


class Process:
    """One run of a program on one machine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.fibers: list[Fiber] = []

    def die(self) -> None:
        """End it, and what it does."""
        self.alive = False
        for fiber in list(self.fibers):
            fiber.kill()


class Scheduler:
    """The queue."""

    def __init__(self, told: Callable[[float, str], None]) -> None:
        """Begin at 0; `told` hears of each event before it happens."""
        self.now = 0.0
        self.steps = 0
        self.current: Fiber | None = None
        self._told = told
        self._queue: list[tuple[float, int, str, Process | None, Callable[[], None]]] = []
        self._asked = 0

    def after(
        self, seconds: float, what: str, act: Callable[[], None], process: Process | None = None
    ) -> None:
        """Let something happen, unless `process` has died by then."""
        self._asked += 1
        heapq.heappush(self._queue, (self.now + max(0.0, seconds), self._asked, what, process, act))

    def next_at(self) -> float | None:
        """Return when the next event is; None where there is none."""
        return self._queue[0][0] if self._queue else None

    def step(self) -> bool:
        """Let the next event happen, and the crash that it may end in; tell whether it did."""
        at, _, what, process, act = heapq.heappop(self._queue)
        self.now = at
        if process is not None and not process.alive:
            return False
        self.steps += 1
        self._told(at, what)
        try:
            act()
        except Crash as crash:
            crash.die()
        return True


class Fiber:
    """Work that may sleep, in a thread that runs only when the queue lets it."""

    def __init__(
        self, scheduler: Scheduler, process: Process, name: str, work: Callable[[], None]
    ) -> None:
        """Prepare; `start` runs it up to its first sleep."""
        self.name = name
        self.over = False
        self._scheduler = scheduler
        self._process = process
        self._work = work
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._error: BaseException | None = None
        self._thrown: BaseException | None = None
        self._sleeps = 0
        process.fibers.append(self)

    def start(self) -> None:
        """Run until it sleeps or ends. Raises what it ended in."""
        before = threading.stack_size(_STACK)
        threading.Thread(target=self._run, name=self.name, daemon=True).start()
        threading.stack_size(before)
        self._turn()

    def sleep(self, seconds: float) -> None:
        """Give the turn back for a while; called by the work itself."""
        self._sleeps += 1
        mine = self._sleeps
        self._scheduler.after(
            seconds, f"{self.name} wakes", lambda: self._wake(mine), self._process
        )
        self._back.release()
        self._go.acquire()
        if self._error is not None:
            raise self._error

    def hurry(self) -> None:
        """Wake it now instead of later, because somebody asked it to stop."""
        mine = self._sleeps
        self._scheduler.after(0.0, f"{self.name} hurries", lambda: self._wake(mine), self._process)

    def kill(self) -> None:
        """End it where it sleeps."""
        if self.over or self._scheduler.current is self:
            return
        self._error = Crash()
        with contextlib.suppress(Crash):
            self._turn()

    def _wake(self, sleep: int) -> None:
        if sleep == self._sleeps and not self.over:
            self._turn()

    def _turn(self) -> None:
        outer, self._scheduler.current = self._scheduler.current, self
        self._go.release()
        self._back.acquire()
        self._scheduler.current = outer
        if self._thrown is not None:
            thrown, self._thrown = self._thrown, None
            raise thrown

    def _run(self) -> None:
        self._go.acquire()
        try:
            if self._error is None:
                self._work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever gave the turn
            self._thrown = error
        finally:
            self.over = True
            if self in self._process.fibers:
                self._process.fibers.remove(self)
            self._back.release()
