"""The executor of one simulated host: the real desk, engine, recovery, ledger and trust, one run.

Called by `site` (which starts it again) and by `collector` (which asks it what the socket can be
asked). What agent.executor does with threads, files and a socket is done here with a fiber and a
simulated disk; nothing is decided here.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentienguard.model import errors, ids
from sentienguard.simulation import clock as clocks
from sentienguard.simulation import disk as disks
from sentienguard.simulation import host as pretend
from sentienguard.simulation import journal, remedies, vault
from sentienguard.simulation.scheduler import Crash, Fiber, Process
from sentienguard.stages.audit import entry
from sentienguard.stages.execute import desk as desks
from sentienguard.stages.execute import engine, recovery
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute.report import events
from sentienguard.trust.keys import SigningKey

CONTROLS = {name: kind.controls for name, kind in entry.KINDS.items()}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an executor is."""

    agent: ids.AgentId
    environment: str
    key: SigningKey


class Executor:
    """One run of an executor."""

    def __init__(
        self,
        identity: Identity,
        machine: pretend.Machine,
        disk: disks.Disk,
        entropy: pretend.Sequence16,
        *,
        die: Callable[[], None],
        worked: Callable[[], None],
    ) -> None:
        """Read what is kept. Raises errors.SentienGuardError.

        `die` ends this run, `worked` hears that there may be events.
        """
        self.process = Process(f"{machine.name} executor")
        self.vault = vault.Vault(disk, remedies.signed().root.digest)
        self.witness = vault.Witness(self.vault, f"agent:{identity.agent}", identity.key)
        source = events.Source(identity.agent, identity.environment, identity.key.sign, CONTROLS)
        self.ledger = ledgers.Ledger(journal.SimulatedJournal(disk), source, machine.clock)
        self.host = _host(machine, self.busy)
        self._machine = machine
        self._entropy = entropy
        self._die = die
        self._worked = worked
        self.desk = desks.Desk(
            identity.agent, identity.environment, self.host, self.ledger, self.vault
        )
        self._interrupt: clocks.SimulatedInterrupt | None = None

    def recover(self) -> bool:
        """Bring an order that was cut off to its end; tell whether there was one."""
        cut_off = recovery.cut_off(self.ledger)
        if cut_off is None:
            self.ledger.compact()
            return False
        self._launch(
            f"recovery of {cut_off}",
            lambda _: recovery.recover(self.host, self.ledger, self.vault),
        )
        return True

    def busy(self) -> frozenset[ids.OrderId]:
        """Return the order that runs."""
        running = self.ledger.memory.running
        return frozenset(() if running is None else (ids.OrderId(running.intent["order"]["id"]),))

    def hello(self) -> Mapping[str, Any]:
        """Say what runs."""
        return {"busy": next(iter(self.busy()), None)}

    def ticket(self) -> Mapping[str, Any]:
        """Give out a nonce for the next poll."""
        return {
            "nonce": self.desk.ticket(self._entropy.bytes(16)),
            "checkpoint": self.witness.cosigned,
            "tree_size": self.witness.memory.size,
        }

    def order(self, envelope: Any) -> desks.Answer:
        """Judge an order and, if it is admitted, start it."""
        answer = self.desk.order(envelope)
        if answer.start is not None:
            start = answer.start
            self._launch(
                f"order {start.order.id}",
                lambda interrupt: engine.execute(
                    start.order,
                    start.remedy,
                    start.bound,
                    self.host,
                    ledger=self.ledger,
                    interrupt=interrupt,
                ),
            )
        self._worked()
        return answer

    def stop(self, envelope: Any) -> str | None:
        """Stop the running order; return why not, or None."""
        judged = self.desk.stop(envelope)
        if isinstance(judged, str):
            return judged
        if self._interrupt is not None:
            self._interrupt.request(judged.by)
        return None

    def events(self, after: int) -> Sequence[Mapping[str, Any]]:
        """Return signed events after a number."""
        return self.ledger.events_after(after, 0)

    def acked(self, through: int) -> None:
        """Forget events that are durable at the centre."""
        self.ledger.acked(through)

    def config(self, root: Any, catalogue: Any, playbooks: Mapping[str, bytes]) -> bool:
        """Take over a configuration; tell whether it was accepted."""
        try:
            self.vault.accept(root, catalogue, playbooks, self._machine.clock.now())
        except (errors.Rejected, OSError):
            return False
        return True

    def checkpoint(self, note: str, proof: Sequence[str]) -> str:
        """Witness a checkpoint; return why not, or nothing."""
        root = self.vault.root
        if root is None:
            return "no root has arrived yet"
        hashes = [base64.b64decode(one) for one in proof]
        at_s = int(self._machine.clock.now().timestamp())
        try:
            self.witness.see(note, hashes, root, at_s=at_s)
        except (errors.Rejected, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def _launch(self, name: str, work: Callable[[clocks.SimulatedInterrupt], object]) -> None:
        interrupt = clocks.SimulatedInterrupt(self._machine.clock, self._machine.scheduler)
        self._interrupt = interrupt

        def guarded() -> None:
            interrupt.watched_by()
            try:
                work(interrupt)
            except Crash:
                raise
            except BaseException as error:
                raise Crash(self._die) from error  # the next start recovers
            self._worked()

        Fiber(
            self._machine.scheduler, self.process, f"{self._machine.name} {name}", guarded
        ).start()


def _host(machine: pretend.Machine, busy: Callable[[], frozenset[ids.OrderId]]) -> hosts.Host:
    nowhere = pretend.Nowhere(machine)
    return hosts.Host(
        name=machine.name,
        tags={},
        clock=machine.clock,
        commands=pretend.Commands(machine),
        facts=pretend.Facts(machine),
        files=pretend.Files(machine),  # type: ignore[arg-type]  # refuses what no remedy here does
        http=nowhere,
        logs=nowhere,
        processes=nowhere,  # type: ignore[arg-type]  # the same
        services=pretend.Services(machine),
        forbidden=lambda: machine.forbidden,
        running=busy,
        redact=lambda text: text,
    )
