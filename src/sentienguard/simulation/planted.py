"""Bugs put into the system on purpose, to show that the pretend world finds them.

Called by `__main__` and tests/simulation. Each is a small change of one rule, as a person could
make it by mistake, in force while a block runs. To add one: a function that returns `swapped(...)`,
with a sentence that says what is wrong, its name in `BUGS`, and its rule in the tests.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from sentienguard.flow import answers, incident_work, receipts
from sentienguard.flow import incident as flow
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.decision import Route
from sentienguard.model.order import OrderStatus
from sentienguard.ports import audit_log
from sentienguard.simulation import (
    audit_store,
    clock,
    flows,
    journal,
    remedies,
    search,
    vault,
    world,
)
from sentienguard.simulation.stores.approvals import Approvals
from sentienguard.simulation.stores.orders import Orders
from sentienguard.simulation.stores.switches import KillSwitch
from sentienguard.stages.audit import merkle, witness
from sentienguard.stages.decide import policy, routing
from sentienguard.stages.execute import admission, engine, memory, resume, undo, verification
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.trust import freshness

Patch = Callable[[], contextlib.AbstractContextManager[None]]


def hunt(name: str, seeds: Iterable[int], size: world.Size) -> world.Outcome | None:
    """Look for a planted bug; return the first world in which a rule was broken."""
    with BUGS[name]():
        return next(iter(search.search(seeds, size).failed), None)


@contextlib.contextmanager
def swapped(owner: Any, name: str, other: Any) -> Iterator[None]:
    """Put something in the place of something while the block runs."""
    before = owner.__dict__[name]
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _without(rule: str) -> contextlib.AbstractContextManager[None]:
    """Leave one check of admission out."""
    rest = tuple(one for one in admission.TABLE if one.name != rule)
    return swapped(admission, "TABLE", rest)


def _after_start(
    change: Callable[[memory.Memory], None],
) -> contextlib.AbstractContextManager[None]:
    """Let an executor forget something over a restart."""
    real = ledgers.Ledger.__init__

    def forgets(self: ledgers.Ledger, *given: Any) -> None:
        real(self, *given)
        change(self.memory)

    return swapped(ledgers.Ledger, "__init__", forgets)


def release_without_unique_key() -> contextlib.AbstractContextManager[None]:
    """A release that is repeated after a crash writes the order once more."""

    def release(self: Orders, order: Any, *, at: Any, within: Any = None) -> bool:
        del within
        self._database.write("order")
        self.insert(order, at)
        self._database.wrote("order")
        return True

    return swapped(Orders, "release", release)


def known_orders_admitted() -> contextlib.AbstractContextManager[None]:
    """An order that was judged before is judged like a new one."""
    return _without("order_never_seen")


def begun_after_the_effect() -> contextlib.AbstractContextManager[None]:
    """The journal hears of a step when it is over."""
    return swapped(ledgers.Ledger, "begin", lambda *_: None)


def begun_unsynced() -> contextlib.AbstractContextManager[None]:
    """What a step begins with is written, and synced only where its undo needs something."""
    real = journal.SimulatedJournal.append

    def append(self: journal.SimulatedJournal, records: Any, *, durable: bool) -> None:
        bare = any(one["t"] == "begin" and not one["undo"] for one in records)
        real(self, records, durable=durable and not bare)

    return swapped(journal.SimulatedJournal, "append", append)


def intent_not_synced() -> contextlib.AbstractContextManager[None]:
    """The journal writes and never syncs."""
    real = journal.SimulatedJournal.append

    def append(self: journal.SimulatedJournal, records: Any, *, durable: bool) -> None:
        del durable
        real(self, records, durable=False)

    return swapped(journal.SimulatedJournal, "append", append)


def intent_not_written() -> contextlib.AbstractContextManager[None]:
    """Admission starts the order and writes nothing down."""
    return swapped(ledgers.Ledger, "intend", lambda *_: None)


def released_without_intent() -> contextlib.AbstractContextManager[None]:
    """The centre releases an order that the log knows nothing of."""
    return swapped(incident_work.IncidentWork, "_record_intent", lambda *_: None)


def acknowledged_before_sync() -> contextlib.AbstractContextManager[None]:
    """The log says "durable" when the bytes are written."""

    def write(self: audit_store.SimulatedLog, stored: bytes) -> None:
        self._disk.append(audit_store.FILE, audit_store.framed(stored))

    return swapped(audit_store.SimulatedLog, "write", write)


def failed_sync_retried() -> contextlib.AbstractContextManager[None]:
    """A sync that failed is tried again, and then it says yes."""

    def write(self: audit_store.SimulatedLog, stored: bytes) -> None:
        try:
            self._disk.append(audit_store.FILE, audit_store.framed(stored))
            try:
                self._disk.sync(audit_store.FILE)
            except OSError:
                self._disk.sync(audit_store.FILE)
        except OSError as error:
            self._broken = str(error)
            raise audit_log.AuditBroken(self._broken) from error

    return swapped(audit_store.SimulatedLog, "write", write)


def checkpoint_before_durable() -> contextlib.AbstractContextManager[None]:
    """The log signs an entry and writes it then."""
    real = audit_store.SimulatedLog.write

    def write(self: audit_store.SimulatedLog, stored: bytes) -> None:
        self._signed(self._ledger.sign(self._ledger.size()))
        real(self, stored)

    return swapped(audit_store.SimulatedLog, "write", write)


def nonce_reusable() -> contextlib.AbstractContextManager[None]:
    """Any nonce counts, used, old or never given out."""
    return swapped(freshness.NonceBook, "redeem", lambda *_: None)


def numbers_unchecked() -> contextlib.AbstractContextManager[None]:
    """A message may have any number."""
    return _without("sequence_rises")


def number_mark_forgotten() -> contextlib.AbstractContextManager[None]:
    """The highest number is kept in memory alone."""
    return _after_start(lambda kept: setattr(kept, "seq", 0))


def budget_unchecked() -> contextlib.AbstractContextManager[None]:
    """A playbook starts as often as it is asked for."""
    return _without("within_budget")


def budget_forgotten() -> contextlib.AbstractContextManager[None]:
    """What was started in the last hour is kept in memory alone."""
    return _after_start(lambda kept: kept.starts.clear())


def resume_runs_it_again() -> contextlib.AbstractContextManager[None]:
    """After a crash the order starts from its first step."""

    def again(remedy: Any, host: Any, ledger: ledgers.Ledger) -> Any:
        running, _ = resume._session(remedy, host, ledger)  # noqa: SLF001 - a planted bug
        return engine._perform(running)  # noqa: SLF001 - the same

    return swapped(resume, "resume", again)


def undone_twice() -> contextlib.AbstractContextManager[None]:
    """A rollback that worked is done once more, to be sure."""
    real = undo.everything

    def twice(running: Any, began: Any) -> undo.Undone:
        real(running, began)
        return real(running, began)

    return swapped(undo, "everything", twice)


def failed_verification_passes() -> contextlib.AbstractContextManager[None]:
    """Whatever the checks find, they have passed."""
    return swapped(verification, "passes", lambda *_: None)


def failure_untold() -> contextlib.AbstractContextManager[None]:
    """An incident whose remedy failed is closed and nobody is told."""
    real = flow._close  # noqa: SLF001 - a planted bug

    def close(life: Any, outcome: Any, summary: Any, *before: Any, escalate: bool = False) -> Any:
        del escalate
        return real(life, outcome, summary, *before)

    return swapped(flow, "_close", close)


def event_skipped() -> contextlib.AbstractContextManager[None]:
    """The last of several events is acknowledged and not recorded."""
    real = receipts.Receipts.take

    def take(self: receipts.Receipts, agent: Any, events: Any) -> int:
        through = real(self, agent, events[:-1] if len(events) > 2 else events)  # noqa: PLR2004
        return through + (len(events) > 2)  # noqa: PLR2004 - now and then

    return swapped(receipts.Receipts, "take", take)


def events_forgotten_when_sent() -> contextlib.AbstractContextManager[None]:
    """The host forgets its events as soon as they leave."""
    real = ledgers.Ledger.events_after

    def sends(self: ledgers.Ledger, after: int, wait_s: float) -> Any:
        found = real(self, after, wait_s)
        self.acked(self.memory.event_seq)
        return found

    return swapped(ledgers.Ledger, "events_after", sends)


def second_answer_counts() -> contextlib.AbstractContextManager[None]:
    """Who answers last is right."""
    real = Approvals.decide

    def decide(self: Approvals, approval: Any, status: Any, **more: Any) -> Any:
        self.rows[approval] = dataclasses.replace(
            self.rows[approval], status=ApprovalStatus.PENDING
        )
        return real(self, approval, status, **more)

    return swapped(Approvals, "decide", decide)


def late_answer_counts() -> contextlib.AbstractContextManager[None]:
    """A question never expires for who answers it."""
    return swapped(Approvals, "late", lambda *_: False)


def answers_not_followed() -> contextlib.AbstractContextManager[None]:
    """An answer that was decided a moment before a crash is told to nobody."""

    @contextlib.contextmanager
    def both() -> Iterator[None]:
        silent = swapped(incident_work.IncidentWork, "silence", lambda *_: flow.NothingCame())
        with swapped(answers, "finish", lambda _: None), silent:
            yield

    return both()


def withdrawn_after_delivery() -> contextlib.AbstractContextManager[None]:
    """The centre takes back an order that a host may have."""

    def withdraw(self: Orders, order: Any) -> bool:
        states = {OrderStatus.RELEASED, OrderStatus.DELIVERED, OrderStatus.WITHDRAWN}
        return self._change("withdrawal", order, states, OrderStatus.WITHDRAWN)

    return swapped(Orders, "withdraw", withdraw)


def meet_takes_the_most() -> contextlib.AbstractContextManager[None]:
    """The most permissive rule decides."""
    return swapped(
        routing, "strictest", lambda all_: max((one.route for one in all_), default=Route.RUN)
    )


def rule_missing() -> contextlib.AbstractContextManager[None]:
    """Policy does not ask whether running it twice is the same as once."""
    rest = tuple(one for one in policy.RULES if one is not policy.idempotence)
    return swapped(policy, "RULES", rest)


def freeze_ignored() -> contextlib.AbstractContextManager[None]:
    """The kill switch is not looked at."""
    return swapped(KillSwitch, "freeze", lambda _: None)


def stop_ignored() -> contextlib.AbstractContextManager[None]:
    """The executor accepts a stop and goes on."""
    return swapped(clock.SimulatedInterrupt, "requested", lambda _: None)


def old_catalogue_accepted() -> contextlib.AbstractContextManager[None]:
    """A catalogue of before the last one is taken."""
    return swapped(vault.Vault, "newest", property(lambda _: admission.Newest()))


def growth_unproven() -> contextlib.AbstractContextManager[None]:
    """A witness signs what the log's key signed and does not look at the proof."""

    class Merkle:
        """The tree, without its proof."""

        EMPTY_ROOT, HASH_BYTES = merkle.EMPTY_ROOT, merkle.HASH_BYTES

        @staticmethod
        def consistent(*_: object) -> bool:
            """Believe everything."""
            return True

    return swapped(witness, "merkle", Merkle)


def wait_without_end() -> contextlib.AbstractContextManager[None]:
    """What an incident waits for may never come."""
    return swapped(flows.Engine, "_ended", lambda *_: None)


def one_intent_for_an_incident() -> contextlib.AbstractContextManager[None]:
    """What is ordered after the host ruled the first remedy out rests on the first one's intent.

    In a world where hosts rule remedies out: in the others no incident has a second order.
    """
    real = incident_work.IncidentWork._record_intent  # noqa: SLF001 - a planted bug

    def record(self: incident_work.IncidentWork, order: Any) -> None:
        known = self._centre.log.by_incident(order.incident)
        if not any(one.fields["kind"] == "order.intent" for one in known):
            real(self, order)

    @contextlib.contextmanager
    def both() -> Iterator[None]:
        changed = swapped(incident_work.IncidentWork, "_record_intent", record)
        with remedies.two_against_hung(), changed:
            yield

    return both()


BUGS: Final[Mapping[str, Patch]] = {
    one.__name__: one
    for one in (
        release_without_unique_key,
        known_orders_admitted,
        begun_after_the_effect,
        begun_unsynced,
        intent_not_synced,
        intent_not_written,
        released_without_intent,
        acknowledged_before_sync,
        failed_sync_retried,
        checkpoint_before_durable,
        nonce_reusable,
        numbers_unchecked,
        number_mark_forgotten,
        budget_unchecked,
        budget_forgotten,
        resume_runs_it_again,
        undone_twice,
        failed_verification_passes,
        failure_untold,
        event_skipped,
        events_forgotten_when_sent,
        second_answer_counts,
        late_answer_counts,
        answers_not_followed,
        withdrawn_after_delivery,
        meet_takes_the_most,
        rule_missing,
        freeze_ignored,
        stop_ignored,
        old_catalogue_accepted,
        growth_unproven,
        wait_without_end,
        one_intent_for_an_incident,
    )
}
