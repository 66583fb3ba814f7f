"""One playbook on one stage: an order that the executor's desk judges and its engine executes.

Called by `proofs`. The order is signed, listed in a signed catalogue and answered for by a ticket,
so all of admission counts, the guard first of all. What is pretended around it is only what the
proof needs: a failure behind a step is one more step whose program is nowhere, a death of the
executor is a journal that takes no more, and what follows is the executor's own recovery.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from sentienguard.model import ids, order, playbook
from sentienguard.playbook import parse
from sentienguard.ports import execution_journal
from sentienguard.simulation import disk as disks
from sentienguard.simulation import journal as journals
from sentienguard.simulation import remedies, vault
from sentienguard.simulation.proving import case as cases
from sentienguard.simulation.proving import ports
from sentienguard.simulation.proving import stage as stages
from sentienguard.stages.execute import desk as desks
from sentienguard.stages.execute import engine, parameters, recovery
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute.report import events
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import dsse
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots

AGENT: Final = ids.AgentId("00000000-0000-4000-8000-000000000001")
ENVIRONMENT: Final = "simulation"
DEADLINE_S: Final = 3_600  # of the order; a playbook has limits of its own
INJECTED: Final = "injected_failure"  # the step that fails on purpose
_NOWHERE: Final = "/simulation/injected-failure"  # a program that no case may name
_LATER: Final = timedelta(days=30)


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """How one order went."""

    outcome: order.ExecutionOutcome
    reason: str
    left_behind: tuple[str, ...]
    records: tuple[order.StepRecord, ...]
    worked: frozenset[int | None]  # steps that did something
    acts: tuple[str, ...]  # what steps and undos did to the host
    programs: tuple[str, ...]  # every command line that ran, those of checks included
    before: stages.Things
    after: stages.Things
    changed: dict[str, frozenset[int | None]]  # thing -> steps that changed it

    @property
    def differing(self) -> tuple[str, ...]:
        """Return the things that are not as they were."""
        names = {*self.before, *self.after}
        return tuple(sorted(one for one in names if self.before.get(one) != self.after.get(one)))


class Killed(Exception):
    """The executor died here."""


class Rehearsal:
    """A stage with an executor on it."""

    def __init__(self, stored: bytes, scene: cases.Scene) -> None:
        """Put both up. Raises BrokenPlaybook."""
        self.stage = stages.Stage(scene)
        self._stored = stored
        self._disk = disks.Disk("simulated", lambda _: None)
        self._vault = _trusting(self._disk, stored)
        self.remedy = _read(self._vault, stored)
        self._journal = _Watched(self._disk, self.stage)
        self._ledger = self._opened()
        self.host = ports.host(self.stage, self._busy)
        self._desk = desks.Desk(AGENT, ENVIRONMENT, self.host, self._ledger, self._vault)
        self._seq = 0
        self._bound: parameters.Bound | None = None

    def give(
        self,
        case: cases.Case,
        *,
        dry_run: bool = False,
        fails_after: int | None = None,
        killed_after: int | None = None,
    ) -> Ended:
        """Give an order as the centre would; let the step behind `fails_after` fail."""
        made = self._made(case, dry_run=dry_run)
        envelope = orders.seal_order(made, remedies.key(3))
        before, acted = self.stage.things(), len(self.stage.acts)
        answer = self._desk.order(envelope)
        if answer.start is None:
            why = answer.refusal
            reason = f"{why.rule}: {why.reason}" if why is not None else "known already"
            return self._ended(order.ExecutionOutcome.REFUSED, reason, before, acted)
        self._bound = answer.start.bound
        return self._executed(made.order, before, acted, fails_after, killed_after)

    def again(self, case: cases.Case) -> Ended:
        """Execute the same a second time without asking the guard, which would refuse it."""
        made = self._made(case, dry_run=False)
        before, acted = self.stage.things(), len(self.stage.acts)
        if self._bound is None:
            raise ValueError("nothing was admitted before")
        boot = self.host.commands.boot()
        self._ledger.intend(made, self._stored, self._bound, boot)
        return self._executed(made.order, before, acted, None, None)

    def _executed(
        self,
        given: order.Order,
        before: stages.Things,
        acted: int,
        fails_after: int | None,
        killed_after: int | None,
    ) -> Ended:
        if self._bound is None:
            raise ValueError("nothing was admitted")
        self._journal.killed_after = killed_after
        try:
            report = engine.execute(
                given,
                self.remedy if fails_after is None else _failing(self.remedy, fails_after),
                self._bound,
                self.host,
                ledger=self._ledger,
                interrupt=hosts.Uninterrupted(self.stage.clock),
            )
        except Killed:
            self._journal = _Watched(self._disk, self.stage)
            self._ledger = self._opened()
            report = recovery.recover(self.host, self._ledger, self._vault)
        return self._ended(report.outcome, report.reason, before, acted, report)

    def _ended(
        self,
        outcome: order.ExecutionOutcome,
        reason: str,
        before: stages.Things,
        acted: int,
        report: order.ExecutionReport | None = None,
    ) -> Ended:
        return Ended(
            outcome=outcome,
            reason=reason,
            left_behind=() if report is None else report.left_behind,
            records=() if report is None else report.records,
            worked=frozenset(self.stage.worked),
            acts=tuple(self.stage.acts[acted:]),
            programs=tuple(self.stage.programs),
            before=before,
            after=self.stage.things(),
            changed={name: frozenset(steps) for name, steps in self.stage.changed.items()},
        )

    def _made(self, case: cases.Case, *, dry_run: bool) -> orders.SignedOrder:
        self._seq += 1
        incident = ids.incident_id(remedies.START, self._seq.to_bytes(4, "big"))
        made = order.Order(
            id=ids.order_id(incident, self.remedy.digest, dry_run=dry_run),
            incident=incident,
            agent=AGENT,
            environment=ENVIRONMENT,
            playbook=self.remedy.name,
            version=self.remedy.version,
            digest=self.remedy.digest,
            parameters=dict(case.parameters),
            facts=dict(case.facts),
            dry_run=dry_run,
            created_at=self.stage.clock.now().replace(microsecond=0),
            deadline_s=DEADLINE_S,
        )
        nonce = self._desk.ticket(self._seq.to_bytes(16, "big"))
        return orders.SignedOrder(made, nonce, self._seq)

    def _opened(self) -> ledgers.Ledger:
        source = events.Source(AGENT, ENVIRONMENT, remedies.key(9).sign, {})
        return ledgers.Ledger(self._journal, source, self.stage.clock)

    def _busy(self) -> frozenset[ids.OrderId]:
        running = self._ledger.memory.running
        return frozenset(() if running is None else (ids.OrderId(running.intent["order"]["id"]),))


class _Watched:
    """A ports.execution_journal.ExecutionJournal that tells the stage which step acts."""

    def __init__(self, disk: disks.Disk, stage: stages.Stage) -> None:
        self._journal = journals.SimulatedJournal(disk)
        self._stage = stage
        self.killed_after: int | None = None  # index of a step

    def append(self, records: Iterable[execution_journal.Record], *, durable: bool) -> None:
        """Keep them; begin to blame the step that begins."""
        kept = list(records)
        self._journal.append(kept, durable=durable)
        for one in kept:
            if one["t"] == "begin":
                self._stage.step = one["index"]
            if one["t"] == "end" and (one["phase"], one["index"]) == (
                order.Phase.STEP.value,
                self.killed_after,
            ):
                raise Killed

    def records(self) -> Iterator[execution_journal.Record]:
        """Yield what was there when it was opened."""
        return self._journal.records()

    def rewrite(self, records: Iterable[execution_journal.Record]) -> None:
        """Replace everything."""
        self._journal.rewrite(records)

    def cramped(self) -> str | None:
        """Have room."""
        return self._journal.cramped()


def _failing(remedy: playbook.Playbook, behind: int) -> playbook.Playbook:
    """Return the playbook with a step behind this one that fails without having done anything."""
    action = playbook.Action("ssh_command", {"argv": (_NOWHERE,)})
    failing = playbook.Step(INJECTED, action, playbook.Undo(None, "it did nothing"))
    steps = (*remedy.steps[: behind + 1], failing, *remedy.steps[behind + 1 :])
    return dataclasses.replace(remedy, steps=steps)


def _read(kept: vault.Vault, stored: bytes) -> playbook.Playbook:
    remedy, why = kept.read(stored)
    if remedy is None:
        raise ValueError(f"the playbook was read before: {why}")
    return remedy


def _trusting(disk: disks.Disk, stored: bytes) -> vault.Vault:
    """Return what an executor keeps once this playbook was signed and delivered."""
    remedy = parse.load(stored, origin="playbook.yaml")
    rooted, signer, dispatch, log = (remedies.key(number) for number in (1, 2, 3, 4))
    root: Any = dsse.seal(
        roots.PAYLOAD_TYPE,
        roots.payload(
            version=1,
            expires_at=remedies.START + _LATER,
            roles={
                roots.RoleName.ROOT: ([rooted.public], 1),
                roots.RoleName.SIGNER: ([signer.public], 1),
                roots.RoleName.DISPATCH: ([dispatch.public], 1),
                roots.RoleName.LOG: ([log.public], 1),
                roots.RoleName.APPROVER: ([], 1),
            },
            log_origin=remedies.ORIGIN,
        ),
        [rooted],
    )
    listed = [catalogues.Listed(remedy.name, remedy.version, remedy.digest)]
    catalogue: Any = dsse.seal(
        catalogues.PAYLOAD_TYPE,
        catalogues.payload(version=1, expires_at=remedies.START + _LATER, playbooks=listed),
        [signer],
    )
    kept = vault.Vault(disk, roots.digest_of(root))
    kept.accept(root, catalogue, {remedy.digest: stored}, remedies.START)
    return kept
