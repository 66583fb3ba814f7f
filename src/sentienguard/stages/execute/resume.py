"""Go on with an order that a crash cut off. Its steps are never run a second time.

Called by `recovery` when the executor starts and the ledger remembers an order without an end.

1. What is left of its processes dies first.
2. Nothing had begun: nothing was done, ABORTED.
3. Undoing had begun: it goes on; undoing twice is harmless.
4. A step began and did not end: nobody knows how far it came. If the playbook is idempotent and
   verification passes, the desired state is there: SUCCESS. Otherwise everything that began is
   undone, this step included; if it has no undo, its effect stays UNKNOWN.
5. All that began had ended: as 4, without anything unknown.

That a step began was durable before it acted, so a step without a trace did nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sentienguard.model import order, playbook
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute import memory, parameters, session, undo, verification

Outcome = order.ExecutionOutcome
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CUT_OFF = "the executor was cut off"


def resume(
    remedy: playbook.Playbook, host: hosts.Host, ledger: ledgers.Ledger
) -> order.ExecutionReport:
    """Bring the order that the ledger remembers to its end."""
    running, progress = _session(remedy, host, ledger)
    end_processes(progress, host)
    began = progress.of(order.Phase.STEP.value)
    undos = progress.of(order.Phase.UNDO.value)
    if not began:
        outcome = Outcome.DRY_RUN if running.order.dry_run else Outcome.ABORTED
        return running.report(outcome, f"{CUT_OFF} before the first step; nothing was done")
    unknown = [index for index, piece in began.items() if piece.status is None]
    if not undos and remedy.idempotent:
        running.since = _EPOCH + timedelta(milliseconds=progress.intent["at_ms"])
        if verification.passes(running, remedy.verification) is None and remedy.verification:
            return running.report(
                Outcome.SUCCESS, f"{CUT_OFF} {_where(running, unknown)}; verification passes"
            )
    return _undo(running, began, undos, unknown)


def without_playbook(host: hosts.Host, ledger: ledgers.Ledger, why: str) -> order.ExecutionReport:
    """End an order whose playbook is not there any more: people must look."""
    progress = ledger.memory.running
    if progress is None:
        raise ValueError("no order was cut off")
    end_processes(progress, host)
    given = ledgers.order_of(progress.intent)
    began = progress.of(order.Phase.STEP.value)
    now = host.clock.now()
    report = order.ExecutionReport(
        order=given.id,
        incident=given.incident,
        outcome=Outcome.UNKNOWN if began else Outcome.ABORTED,
        reason=f"{CUT_OFF}, and the order cannot be finished or undone: {why}",
        records=(),
        left_behind=tuple(f"step {index + 1}" for index in sorted(began)),
        started_at=now,
        finished_at=now,
    )
    ledger.finish(given, report)
    return report


def end_processes(progress: memory.Running, host: hosts.Host) -> int:
    """Kill what is left of the piece that was cut off; return how many processes died."""
    order_id = progress.intent["order"]["id"]
    marks = {piece.mark for piece in progress.pieces if piece.status is None}
    marks.add(f"{order_id}:{session.LOOKING}")
    return sum(host.commands.end_marked(mark, progress.groups) for mark in sorted(marks))


def _session(
    remedy: playbook.Playbook, host: hosts.Host, ledger: ledgers.Ledger
) -> tuple[session.Session, memory.Running]:
    progress = ledger.memory.running
    if progress is None:
        raise ValueError("no order was cut off")
    given = ledgers.order_of(progress.intent)
    now = host.clock.now()
    running = session.Session(
        order=given,
        playbook=remedy,
        bound=parameters.bound_before(
            remedy.parameters, progress.intent["bound"], progress.intent["started"]
        ),
        host=host,
        ledger=ledger,
        interrupt=hosts.Uninterrupted(host.clock),
        started_at=now,
        deadline=host.clock.monotonic() + given.deadline_s,
    )
    return running, progress


def _undo(
    running: session.Session,
    began: Mapping[int, memory.Piece],
    undos: Mapping[int, memory.Piece],
    unknown: list[int],
) -> order.ExecutionReport:
    success = order.StepStatus.SUCCESS.value
    open_ = {
        index: piece
        for index, piece in began.items()
        if index not in undos or undos[index].status != success
    }
    undone = undo.everything(running, open_)
    unsure = [
        running.playbook.steps[index].name
        for index in unknown
        if running.playbook.steps[index].name in undone.left_behind
    ]
    outcome = Outcome.UNKNOWN if unsure else undone.outcome
    where = _where(running, unknown)
    return running.report(outcome, f"{CUT_OFF} {where}; undone what began", undone.left_behind)


def _where(running: session.Session, unknown: list[int]) -> str:
    if unknown:
        return f"in step {running.playbook.steps[unknown[-1]].name}"
    return "between its steps or during verification"
