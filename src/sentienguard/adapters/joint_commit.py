"""Many threads that each have something to write, one commit.

Called by `metric_blocks` and `sql_store`. A commit costs about the same for one row as for a
hundred: nearly all of it is waiting for the disk. So what came while a commit was under way is
committed together, by one of the threads that wait for it.

    together = JointCommit(put, most=64)
    together.write(item)                    # returns when it is durable

Rules:

1. `write` returns after the commit that holds its item, and raises what that commit raised.
2. A thread commits for others once, its own item among theirs; the next one takes its turn.
3. Nobody waits for a timer: who comes first writes at once.
4. Where a batch is refused or names what is not there, each of its members is put by itself, so
   that one that cannot be kept takes no other with it.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sentienguard.model import errors

T = TypeVar("T")


class _Waiting(Generic[T]):
    """One item, and the thread that waits for it."""

    __slots__ = ("item", "leads", "problem", "turn")

    def __init__(self, item: T) -> None:
        self.item = item
        self.problem: BaseException | None = None
        self.leads = False  # it is this thread's turn to commit
        self.turn = threading.Lock()  # held until there is something to hear
        self.turn.acquire()


class JointCommit(Generic[T]):
    """What several threads write at the same moment, in one go."""

    def __init__(self, put: Callable[[Sequence[T]], object], *, most: int) -> None:
        """Prepare; at most `most` items share one commit."""
        self._put = put
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[_Waiting[T]] = []
        self._busy = False  # somebody commits, and will call the next one

    def write(self, item: T) -> None:
        """Return once the item is durable. Raises what `put` raised for it."""
        mine = _Waiting(item)
        with self._lock:
            self._waiting.append(mine)
            if not self._busy:  # rule 3
                self._busy = mine.leads = True
        if not mine.leads:
            mine.turn.acquire()
        if mine.leads:
            self._lead()
        if mine.problem is not None:
            raise mine.problem

    def _lead(self) -> None:
        """Commit what waits, oldest first, which is the caller's own; then call the next one."""
        with self._lock:
            batch = self._waiting[: self._most]
            del self._waiting[: self._most]
        try:
            self._commit(batch)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            if following is not None:  # rule 2
                following.leads = True
                following.turn.release()
            for one in batch[1:]:
                one.turn.release()

    def _commit(self, batch: Sequence[_Waiting[T]]) -> None:
        try:
            self._put([one.item for one in batch])
        except errors.Rejected as refusal:
            if len(batch) == 1:
                batch[0].problem = refusal
                return
            for one in batch:  # rule 4
                self._commit([one])
        except BaseException as failure:  # noqa: BLE001  whatever it is, nobody may be told "durable"
            for one in batch:
                one.problem = failure
