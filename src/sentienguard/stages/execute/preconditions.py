"""Is now the time? Pre-execution checks with what their failure means: abort, wait, warn.

Called by `engine` before the first step and in a dry run.

After a playbook's own checks comes one that none has to state: a remedy whose every step only
removes files has to find one. Where it finds none it is not the remedy that this host needs, which
is no failure of it: nothing was touched, and it would have freed 0 bytes.
"""

from sentienguard.model import errors, order, playbook
from sentienguard.stages.execute import checks, session, steps, verification, work

WAIT_STEP_S = 1.0  # between two looks of a check that may wait


def hold(running: session.Session) -> str | None:
    """Judge every pre-check in its order; return why the order must not run, or None."""
    for index, check in enumerate(running.playbook.pre_checks):
        began = running.clock_in()
        if running.order.dry_run and not _only_looks(check):
            skipped = work.Done(order.StepStatus.WOULD_RUN, "a dry run starts no program")
            running.tell(order.Phase.PRE_CHECK, index, check.name, skipped, began)
            continue
        finding = _judged(running, check)
        status = _status(check, finding, stopped=running.interrupt.requested() is not None)
        done = work.Done(
            status,
            finding.detail,
            changed=False,
            exit_code=finding.exit_code,
            stdout=finding.stdout,
            stderr=finding.stderr,
        )
        running.tell(order.Phase.PRE_CHECK, index, check.name, done, began)
        if status not in {order.StepStatus.SUCCESS, order.StepStatus.WARNED}:
            because = f" ({check.reason})" if check.reason else ""
            return f"pre-check {check.name} failed: {finding.detail}{because}"
    return _nothing_to_remove(running)


def _nothing_to_remove(running: session.Session) -> str | None:
    """Say so where every step only removes and none of them finds anything; else None."""
    context = running.context(max(1.0, running.left_s), session.LOOKING)
    for step in running.playbook.steps:
        removing = steps.REMOVING.get(step.action.kind)
        try:
            if removing is None or removing.would_remove(step.action, context) is not False:
                return None
        except errors.SentienGuardError:
            return None  # the step itself will say what is wrong
    return f"{order.NOTHING_TO_REMOVE}: no file fits any of its steps, so it would free 0 bytes"


def _only_looks(check: playbook.Check) -> bool:
    kind = checks.KINDS.get(check.kind)
    return kind is not None and kind.only_looks


def _judged(running: session.Session, check: playbook.Check) -> work.Finding:
    """Look once, and for a check that may wait again until it passes or its wait is over."""
    clock = running.host.clock
    until = clock.monotonic() + check.max_wait.total_seconds()
    while True:
        limit = min(check.timeout.total_seconds(), max(1.0, running.left_s))
        finding = verification.look(check, running.context(limit, session.LOOKING))
        left = min(until - clock.monotonic(), running.left_s)
        waits = check.fail_action is playbook.FailAction.WAIT and left > 0
        if finding.passed or not waits or running.interrupt.requested() is not None:
            return finding
        clock.sleep(min(WAIT_STEP_S, left), running.interrupt)


def _status(check: playbook.Check, finding: work.Finding, *, stopped: bool) -> order.StepStatus:
    if finding.passed:
        return order.StepStatus.SUCCESS
    if stopped:
        return order.StepStatus.STOPPED
    if check.fail_action is playbook.FailAction.WARN:
        return order.StepStatus.WARNED
    return order.StepStatus.FAILED
