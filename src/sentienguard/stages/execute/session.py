"""One order in execution: what it is, what it may use, and what it has told so far.

Called by `engine`, `preconditions`, `verification`, `undo` and `resume`, which share one session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sentienguard.model import order as nouns
from sentienguard.model import playbook
from sentienguard.ports import interrupt as interrupts
from sentienguard.ports import log_reader
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute import parameters, work

LOOKING = "look"  # mark of programs that checks run


@dataclass(slots=True)
class Session:
    """The shared state of one execution; used by one thread."""

    order: nouns.Order
    playbook: playbook.Playbook
    bound: parameters.Bound
    host: hosts.Host
    ledger: ledgers.Ledger
    interrupt: interrupts.Interrupt
    started_at: datetime
    deadline: float  # monotonic seconds; undoing may take longer
    records: list[nouns.StepRecord] = field(default_factory=list)
    since: datetime | None = None  # when the first step began
    log_marks: Mapping[str, log_reader.Mark | None] | None = None
    verified: int = 0  # verifications told so far, for their numbers

    @property
    def left_s(self) -> float:
        """Return seconds until the deadline; negative after it."""
        return self.deadline - self.host.clock.monotonic()

    def mark(self, piece: str) -> str:
        """Return what every process of one piece carries."""
        return f"{self.order.id}:{piece}"

    def context(
        self, limit_s: float, piece: str, interrupt: interrupts.Interrupt | None = None
    ) -> work.Context:
        """Return what one piece of work is given."""
        return work.Context(
            order=self.order.id,
            host=self.host,
            bound=self.bound,
            brought=self.order.facts,
            limit_s=max(0.0, limit_s),
            mark=self.mark(piece),
            interrupt=self.interrupt if interrupt is None else interrupt,
            started=self.ledger.group,
            since=self.since,
            log_marks=self.log_marks,
        )

    def tell(
        self,
        phase: nouns.Phase,
        index: int,
        name: str,
        done: work.Done,
        began: tuple[datetime, float],
        *,
        acted: bool = False,
    ) -> nouns.StepRecord:
        """Write down how one piece ended, secrets taken out, and return its record."""
        clean = self.host.redact
        record = nouns.StepRecord(
            phase=phase,
            name=name,
            status=done.status,
            detail=clean(done.detail),
            started_at=began[0],
            duration_ms=max(0, int((self.host.clock.monotonic() - began[1]) * 1000)),
            exit_code=done.exit_code,
            stdout=clean(done.stdout) if done.stdout else "",
            stderr=clean(done.stderr) if done.stderr else "",
        )
        self.records.append(record)
        self.ledger.ended(self.order, index, record, changed=done.changed, acted=acted)
        return record

    def clock_in(self) -> tuple[datetime, float]:
        """Return the two times at which a piece begins."""
        return self.host.clock.now(), self.host.clock.monotonic()

    def report(
        self, outcome: nouns.ExecutionOutcome, reason: str, left_behind: tuple[str, ...] = ()
    ) -> nouns.ExecutionReport:
        """Write down, durably, how the order ended, and return the report."""
        report = nouns.ExecutionReport(
            order=self.order.id,
            incident=self.order.incident,
            outcome=outcome,
            reason=self.host.redact(reason),
            records=tuple(self.records),
            left_behind=left_behind,
            started_at=self.started_at,
            finished_at=self.host.clock.now(),
        )
        self.ledger.finish(self.order, report)
        return report
