"""Defects that the search by killing has to find, each planted in a process that is started for it.

Called by tests.support.kill_launcher and kill_writers, in the process that is to be wrong. A bug
replaces one method of the product from outside; nothing in the product knows of it.
"""

import dataclasses
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

LATE_S = 0.05  # between the premature answer and what should have come before it


def log_answers_before_it_writes() -> None:
    """Tell whoever appends that the entry is durable, and write it a moment later."""
    from sentienguard.adapters import audit_writer
    from sentienguard.adapters.audit_files import log

    right = log.AuditFiles._commit

    def commit(self: Any, batch: Any) -> None:
        append = self._store.append

        def late(records: Any) -> None:
            for ticket in batch:
                ticket.answer()
                ticket.answer = lambda failure=None: None
            time.sleep(LATE_S)
            append(records)

        self._store.append = late
        try:
            right(self, batch)
        finally:
            self._store.append = append

    log.AuditFiles._commit = commit
    # One that takes new attributes.
    audit_writer.Ticket = type("Ticket", (audit_writer.Ticket,), {})


def receipts_answer_before_they_append() -> None:
    """Tell the host that the log holds its events, and append them a moment later."""
    from sentienguard.controlplane.api import agents

    right = agents.Receipts.take

    def take(self: Any, agent: Any, events: Any) -> int:
        def later() -> None:
            time.sleep(LATE_S)
            right(self, agent, events)

        threading.Thread(target=later, daemon=True).start()
        numbers = [int(json.loads(event.leaf)["src_seq"]) for event in events]
        return max([agent.events_through, *numbers])

    agents.Receipts.take = take


def readings_are_buffered() -> None:
    """Acknowledge samples whose readings are still in memory."""
    from sentienguard.adapters.metric_blocks import store

    right, waiting = store.BlockStore.append_all, []

    def append_all(self: Any, moments: Any) -> None:
        waiting.extend(moments)
        if len(waiting) >= 16:
            right(self, waiting)
            waiting.clear()

    store.BlockStore.append_all = append_all


def orders_have_no_intent() -> None:
    """Release the order under an id that no intent in the log names."""
    from sentienguard.controlplane import app

    work = app.IncidentWork
    right = work.release

    def release(self: Any, question: Any) -> Any:
        order = dataclasses.replace(question.order, id=f"ord_{secrets.token_hex(8)}")
        return right(self, dataclasses.replace(question, order=order))

    work.release = release


def orders_are_delivered_once() -> None:
    """Never give an order a second time, whatever became of the first delivery."""
    from sentienguard.flow.dispatch import Dispatch
    from sentienguard.model.order import OrderStatus

    right = Dispatch._due

    def work(self: Any, order: Any) -> bool:
        kept = self._centre.orders.get(order)
        return kept.status is OrderStatus.RELEASED and right(self, order)

    Dispatch._due = work


def spool_is_emptied_at_the_start() -> None:
    """Forget what waited for its acknowledgement when the collector died."""
    from sentienguard.agent import spool

    right = spool.Spool.__init__

    def init(self: Any, directory: Any, **more: Any) -> None:
        for segment in directory.glob("*.seg"):
            segment.unlink()
        right(self, directory, **more)

    spool.Spool.__init__ = init


def executor_forgets_its_orders() -> None:
    """Start with the events that wait, and without the orders that ran."""
    from sentienguard.adapters.execution_journal_files import journal

    right = journal.JournalFile.records

    def records(self: Any) -> Any:
        about_orders = {"intent", "begin", "group", "end", "verify", "finish", "refused"}
        return (one for one in right(self) if one["t"] not in about_orders)

    journal.JournalFile.records = records


def journal_is_buffered() -> None:
    """Say that records are kept while they wait in memory for more of them."""
    from sentienguard.adapters.execution_journal_files import journal

    right, waiting = journal.JournalFile.append, []

    def append(self: Any, records: Any, *, durable: bool) -> None:
        waiting.extend(records)
        if len(waiting) >= 8:
            right(self, list(waiting), durable=durable)
            waiting.clear()

    journal.JournalFile.append = append


FULL_STACK: Mapping[str, tuple[str, Callable[[], None]]] = {
    "log-answers-early": ("centre", log_answers_before_it_writes),
    "receipts-answer-early": ("centre", receipts_answer_before_they_append),
    "readings-buffered": ("centre", readings_are_buffered),
    "order-without-intent": ("centre", orders_have_no_intent),
    "delivered-once": ("centre", orders_are_delivered_once),
    "spool-emptied": ("collector", spool_is_emptied_at_the_start),
    "orders-forgotten": ("executor", executor_forgets_its_orders),
}
WRITERS: Mapping[str, Callable[[], None]] = {
    "log-answers-early": log_answers_before_it_writes,
    "journal-buffered": journal_is_buffered,
}
