"""The threads around the desk where orders and stops arrive: one runs, the others ask.

Called by the executor's socket, from several threads. What is judged and written down is
`stages.execute.desk`'s; here it is done one at a time and set to work.

Rules:
1. One order at a time; it runs in a thread of its own, so that tickets and stops are answered.
2. A thread starts only for what the desk says to start, which is durably intended by then.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sentienguard.adapters.local_host import interrupt as interrupts
from sentienguard.agent import settings, trust_store
from sentienguard.model import ids
from sentienguard.stages.execute import desk, engine
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers

_ENTROPY_BYTES = 16


@dataclass(slots=True)
class _Work:
    """The order that runs, and how to stop it."""

    order: ids.OrderId
    interrupt: interrupts.LocalInterrupt = field(default_factory=interrupts.LocalInterrupt)
    thread: threading.Thread | None = None


class Intake:
    """Takes orders in; safe to use from every thread."""

    def __init__(
        self,
        settings: settings.Settings,
        host: hosts.Host,
        ledger: ledgers.Ledger,
        trust: trust_store.TrustStore,
        failed: Callable[[BaseException], None],
    ) -> None:
        """Take what is judged on. `failed` hears of an execution that could not be finished."""
        self._host = host
        self._ledger = ledger
        self._failed = failed
        self._turn = threading.Lock()
        self._desk = desk.Desk(settings.agent_id, settings.environment, host, ledger, trust)
        self._work: _Work | None = None

    @property
    def busy(self) -> ids.OrderId | None:
        """Return the order that runs."""
        return self._desk.busy

    def ticket(self) -> str:
        """Give out a nonce for the next poll."""
        with self._turn:
            return self._desk.ticket(os.urandom(_ENTROPY_BYTES))

    def order(self, envelope: Any) -> desk.Answer:
        """Judge an order and, if it is admitted, start it."""
        with self._turn:
            answer = self._desk.order(envelope)
            if answer.start is not None:  # rule 2
                self._start(answer.start)
        return answer

    def stop(self, envelope: Any) -> str | None:
        """Stop the running order; return why not, or None."""
        with self._turn:
            judged = self._desk.stop(envelope)
        if isinstance(judged, str):
            return judged
        work = self._work
        if work is None or work.order != judged.order:
            return f"order {judged.order} does not run"
        work.interrupt.request(judged.by)
        return None

    def heed(self) -> None:
        """Stop what runs if this host forbids execution by now, as a person's stop would."""
        work = self._work
        if work is None or work.thread is None or not work.thread.is_alive():
            return
        if (why := self._host.forbidden()) is not None:
            work.interrupt.request(hosts.stopped_by(why))

    def run(self, order: ids.OrderId, work: Callable[[], object]) -> None:
        """Run something in the one worker thread: an order, or the recovery of one."""
        current = _Work(order)
        self._work = current
        self._launch(current, lambda _: work())

    def end(self, by: str, wait_s: float) -> bool:
        """Stop what runs and wait for it; tell whether nothing runs any more."""
        work = self._work
        if work is None or work.thread is None:
            return True
        work.interrupt.request(by)
        work.thread.join(wait_s)
        return not work.thread.is_alive()

    def _start(self, start: desk.Start) -> None:
        current = _Work(start.order.id)
        self._work = current
        self._launch(
            current,
            lambda interrupt: engine.execute(
                start.order,
                start.remedy,
                start.bound,
                self._host,
                ledger=self._ledger,
                interrupt=interrupt,
            ),
        )

    def _launch(self, current: _Work, work: Callable[[interrupts.LocalInterrupt], object]) -> None:
        def guarded() -> None:
            try:
                work(current.interrupt)
            except BaseException as error:  # noqa: BLE001 - the executor ends and recovers the order
                self._failed(error)

        current.thread = threading.Thread(target=guarded, name=f"order {current.order}")
        current.thread.daemon = True
        current.thread.start()
