"""Execute one admitted order, from the first look to the durable report.

Called by agent.order_intake in its worker thread, and by simulations. The sequence:

1. If every verification passes already, there is nothing to do: SUCCESS_NO_ACTION.
2. Pre-checks. One that fails ends the order before anything changed: ABORTED.
3. Steps, one after another: its condition, what its undo needs (durable), the step, its checks.
4. Verification with back-off: SUCCESS.
5. If a step failed, ran out of time or was stopped, or verification failed: undo in reverse. A host
   that forbids execution from between two steps on has stopped the order like a person.

A dry run does 2, and says of each step exactly what would run: DRY_RUN.
"""

from dataclasses import replace

from sentienguard.model import errors, order, playbook
from sentienguard.playbook import conditions as language
from sentienguard.ports import execution_journal
from sentienguard.ports import interrupt as interrupts
from sentienguard.stages.execute import (
    conditions,
    memory,
    parameters,
    preconditions,
    session,
    steps,
    targets,
    undo,
    verification,
    work,
)
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers

Outcome = order.ExecutionOutcome
_STOPPED = frozenset(
    {order.StepStatus.FAILED, order.StepStatus.TIMED_OUT, order.StepStatus.STOPPED}
)


def execute(
    given: order.Order,
    remedy: playbook.Playbook,
    bound: parameters.Bound,
    host: hosts.Host,
    *,
    ledger: ledgers.Ledger,
    interrupt: interrupts.Interrupt,
) -> order.ExecutionReport:
    """Execute an order whose intent is in the ledger. Raises execution_journal.JournalBroken."""
    running = session.Session(
        order=given,
        playbook=remedy,
        bound=bound,
        host=host,
        ledger=ledger,
        interrupt=interrupt,
        started_at=host.clock.now(),
        deadline=host.clock.monotonic() + given.deadline_s,
    )
    if given.dry_run:
        return _rehearse(running)
    if verification.already_there(running):
        return running.report(Outcome.SUCCESS_NO_ACTION, "every verification passes already")
    if (why := preconditions.hold(running)) is not None:
        return running.report(Outcome.ABORTED, why)
    if (by := _stopped_by(running)) is not None:
        return running.report(Outcome.ABORTED, f"stopped by {by} before the first step")
    return _perform(running)


def _perform(running: session.Session) -> order.ExecutionReport:
    mark_logs(running)
    began: dict[int, memory.Piece] = {}
    for index, step in enumerate(running.playbook.steps):
        failure = _step(running, index, step, began)
        if failure is not None:
            return _roll_back(running, began, failure)
    running.ledger.verifying()
    failure = verification.passes(running, running.playbook.verification)
    if failure is not None:
        return _roll_back(running, began, failure)
    acted = sum(piece.changed is not False for piece in began.values())
    return running.report(
        Outcome.SUCCESS, f"{acted} of {len(running.playbook.steps)} steps acted and it is verified"
    )


def mark_logs(running: session.Session) -> None:
    """Remember where the logs end that verifications read, and when the steps began."""
    running.since = running.host.clock.now()
    wanted = [*running.playbook.verification]
    wanted += [check for step in running.playbook.steps for check in step.verify]
    files = set()
    context = running.context(0, session.LOOKING)
    for check in wanted:
        if check.kind == "log_check":
            try:
                files.add(targets.log_file(check.fields, context))
            except errors.SentienGuardError:
                continue  # the check itself will say so
    running.log_marks = {file: running.host.logs.mark(file) for file in sorted(files)}


def _step(
    running: session.Session, index: int, step: playbook.Step, began: dict[int, memory.Piece]
) -> str | None:
    """Do one step; return why the order cannot go on, or None."""
    start = running.clock_in()
    ready = _ready(running, step)
    if ready is not None:
        running.tell(order.Phase.STEP, index, step.name, ready, start)
        skipped = ready.status is order.StepStatus.SKIPPED
        return None if skipped else f"step {step.name} did not run: {ready.detail}"
    kind = steps.KINDS[step.action.kind]
    context = running.context(min(step.timeout.total_seconds(), running.left_s), f"step{index}")
    recorded = _prepared(kind, step, context)
    if isinstance(recorded, work.Done):
        running.tell(order.Phase.STEP, index, step.name, recorded, start)
        return f"step {step.name} did not run: {recorded.detail}"
    running.ledger.begin(order.Phase.STEP, index, recorded, context.mark)
    piece = memory.Piece(order.Phase.STEP.value, index, recorded, context.mark)
    began[index] = piece
    done = _named(running, _run(kind, step, context, recorded))
    piece.status, piece.changed = done.status.value, done.changed
    running.tell(order.Phase.STEP, index, step.name, done, start, acted=True)
    if done.status in _STOPPED:
        return f"step {step.name} {done.status.value}: {done.detail}"
    return verification.passes(running, step.verify)


def _named(running: session.Session, done: work.Done) -> work.Done:
    """Name who stopped a step that was ended in its midst."""
    by = _stopped_by(running) if done.status is order.StepStatus.STOPPED else None
    return done if by is None else replace(done, detail=f"{done.detail}, by {by}")


def _ready(running: session.Session, step: playbook.Step) -> work.Done | None:
    """Return why a step is not to run now, or None."""
    if (by := _stopped_by(running)) is not None:
        return work.Done(order.StepStatus.STOPPED, f"stopped by {by}", changed=False)
    if running.left_s <= 0:
        detail = f"the deadline of {running.order.deadline_s} s is over"
        return work.Done(order.StepStatus.TIMED_OUT, detail, changed=False)
    if step.action.kind not in steps.KINDS:
        detail = f"this executor has no step {step.action.kind!r}"
        return work.Done(order.StepStatus.FAILED, detail, changed=False)
    return _condition(running, step)


def _stopped_by(running: session.Session) -> str | None:
    """Return who wants no further step: whoever asked for a stop, or the owner of this host."""
    if (by := running.interrupt.requested()) is not None:
        return by
    why = running.host.forbidden()
    return None if why is None else hosts.stopped_by(why)


def _condition(running: session.Session, step: playbook.Step) -> work.Done | None:
    if step.only_if is None:
        return None
    try:
        verdict = conditions.judge(
            language.parse(step.only_if), running.bound, running.order.facts, running.host
        )
    except errors.SentienGuardError as error:
        return work.Done(order.StepStatus.FAILED, f"{step.only_if}: {error}", changed=False)
    if verdict.holds:
        return None
    return work.Done(
        order.StepStatus.SKIPPED, f"not needed, {step.only_if}: {verdict.seen}", changed=False
    )


def _prepared(
    kind: work.StepKind, step: playbook.Step, context: work.Context
) -> work.Recorded | work.Done:
    try:
        return kind.prepare(step.action, context)
    except errors.SentienGuardError as error:
        return work.Done(order.StepStatus.FAILED, str(error), changed=False)
    except Exception as error:  # noqa: BLE001 - what the steps before did must still be undone
        detail = f"{type(error).__name__}: {error}"
        return work.Done(order.StepStatus.FAILED, detail, changed=False)


def _run(
    kind: work.StepKind, step: playbook.Step, context: work.Context, recorded: work.Recorded
) -> work.Done:
    try:
        return kind.run(step.action, context, recorded)
    except execution_journal.JournalBroken:
        raise
    except errors.SentienGuardError as error:
        return work.Done(order.StepStatus.FAILED, str(error))
    except Exception as error:  # noqa: BLE001 - a surprise in a step must lead to its undo, too
        return work.Done(order.StepStatus.FAILED, f"{type(error).__name__}: {error}")


def _roll_back(
    running: session.Session, began: dict[int, memory.Piece], failure: str
) -> order.ExecutionReport:
    undone = undo.everything(running, began)
    outcome = undone.outcome
    return running.report(outcome, failure, undone.left_behind)


def _rehearse(running: session.Session) -> order.ExecutionReport:
    """Judge the read-only pre-checks and say what each step would do; change nothing."""
    why = preconditions.hold(running)
    for index, step in enumerate(running.playbook.steps):
        start = running.clock_in()
        running.tell(order.Phase.STEP, index, step.name, _would(running, step), start)
    if why is None:
        return running.report(Outcome.DRY_RUN, "nothing was changed; the steps say what would run")
    return running.report(Outcome.DRY_RUN, f"nothing was changed; it would have aborted: {why}")


def _would(running: session.Session, step: playbook.Step) -> work.Done:
    kind = steps.KINDS.get(step.action.kind)
    if kind is None:
        return work.Done(order.StepStatus.FAILED, f"this executor has no step {step.action.kind!r}")
    now = _condition(running, step)
    argv = shown(kind.plan(step.action, running.bound))
    if now is not None:
        return work.Done(now.status, f"{now.detail}; would run {argv}", changed=False)
    if not isinstance(kind, work.Rehearsing):
        return work.Done(order.StepStatus.WOULD_RUN, f"would run {argv}", changed=False)
    context = running.context(min(step.timeout.total_seconds(), running.left_s), session.LOOKING)
    try:
        seen = kind.rehearse(step.action, context)
    except errors.SentienGuardError as error:
        return work.Done(order.StepStatus.FAILED, f"would run {argv}, and: {error}", changed=False)
    detail = f"would run {argv}: {seen}" if seen else f"would run {argv}"
    return work.Done(order.StepStatus.WOULD_RUN, detail, changed=False)


def shown(argv: tuple[str, ...]) -> str:
    """Show argv so that each element can be told from the next."""
    return "[" + ", ".join(f'"{element}"' for element in argv) + "]"
