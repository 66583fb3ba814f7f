"""After a crash: find the order that was cut off and bring it to an end, without running it again.

Called by agent.executor when it starts, and by simulations. The rules are `resume`'s. The playbook
is read from the intent, which holds its bytes: a catalogue that came meanwhile may have dropped it,
and what it did must still be undone.
"""

from sentienguard.model import ids, order
from sentienguard.stages.execute import desk, resume
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers


def cut_off(ledger: ledgers.Ledger) -> ids.OrderId | None:
    """Return the order that has an intent and no end."""
    running = ledger.memory.running
    return None if running is None else ids.OrderId(running.intent["order"]["id"])


def recover(host: hosts.Host, ledger: ledgers.Ledger, trust: desk.Trust) -> order.ExecutionReport:
    """End the order that was cut off. Raises execution_journal.JournalBroken."""
    running = ledger.memory.running
    if running is None:
        raise ValueError("no order was cut off")
    stored, digest = ledgers.stored_of(running.intent), running.intent["order"]["digest"]
    if ids.digest(stored) != digest:
        return resume.without_playbook(host, ledger, f"the journal holds no playbook {digest}")
    remedy, why = trust.read(stored)
    if remedy is None:
        return resume.without_playbook(host, ledger, why)
    return resume.resume(remedy, host, ledger)
