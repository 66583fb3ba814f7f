"""Did it work? Checks with back-off; all of them must pass.

Called by `engine` (after the steps, after one step, and before everything, where passing means that
there is nothing to do) and by `resume`.
"""

from collections.abc import Iterator

from sentienguard.model import errors, order, playbook
from sentienguard.ports import execution_journal
from sentienguard.stages.execute import checks, session, work

# Waits between attempts in units of retry_delay: with 3 s, attempts at 0, 3, 8, 18 and 33 s.
BACK_OFF = (1.0, 5 / 3, 10 / 3, 5.0)


HEALTHY_S = 2.0  # what answers later does not count as healthy; a hung one is not waited for longer


def look(check: playbook.Check, context: work.Context) -> work.Finding:
    """Judge a check once. What cannot be judged has not passed."""
    kind = checks.KINDS.get(check.kind)
    if kind is None:
        return work.Finding(passed=False, detail=f"this executor has no check {check.kind!r}")
    try:
        return kind.judge(check, context)
    except execution_journal.JournalBroken:
        raise
    except errors.SentienGuardError as error:
        return work.Finding(passed=False, detail=str(error))
    except Exception as error:  # noqa: BLE001 - a surprise in a check must lead to the undo, too
        return work.Finding(passed=False, detail=f"{type(error).__name__}: {error}")


def already_there(running: session.Session) -> bool:
    """Tell whether every verification passes now, at its first attempt; none at all is no.

    Those that start no program come first: mostly one of them settles it.
    """
    wanted = sorted(running.playbook.verification, key=_starts_program)
    return bool(wanted) and all(
        look(check, running.context(_first_limit(running, check), session.LOOKING)).passed
        for check in wanted
    )


def passes(running: session.Session, wanted: tuple[playbook.Check, ...]) -> str | None:
    """Try each check until it passes or its attempts are over; return why one failed, or None."""
    for check in wanted:
        began = running.clock_in()
        finding, attempts = _tried(running, check)
        index, running.verified = running.verified, running.verified + 1
        status = order.StepStatus.SUCCESS if finding.passed else order.StepStatus.FAILED
        if not finding.passed and running.interrupt.requested() is not None:
            status = order.StepStatus.STOPPED
        times = "" if attempts == 1 else f" (attempt {attempts})"
        done = work.Done(
            status,
            finding.detail + times,
            None,
            finding.exit_code,
            finding.stdout,
            finding.stderr,
        )
        running.tell(order.Phase.VERIFY, index, check.name, done, began)
        if not finding.passed:
            return f"verification {check.name} failed: {finding.detail}"
    return None


def _tried(running: session.Session, check: playbook.Check) -> tuple[work.Finding, int]:
    attempts = 0
    finding = work.Finding(passed=False, detail="was not tried")
    for wait_s in waits(check):
        if wait_s > 0:
            running.host.clock.sleep(min(wait_s, max(0.0, running.left_s)), running.interrupt)
        if (stopped := _over(running)) is not None and attempts:
            return work.Finding(passed=False, detail=stopped), attempts
        attempts += 1
        finding = look(check, running.context(_limit(running, check), session.LOOKING))
        if finding.passed:
            return finding, attempts
    return finding, attempts


def waits(check: playbook.Check) -> Iterator[float]:
    """Yield the seconds to wait before each attempt; there is at least one."""
    yield 0.0
    for again in range(max(1, check.retry) - 1):
        factor = BACK_OFF[min(again, len(BACK_OFF) - 1)]
        yield check.retry_delay.total_seconds() * factor


def _over(running: session.Session) -> str | None:
    by = running.interrupt.requested()
    if by is not None:
        return f"stopped by {by}"
    return "the deadline of the order is over" if running.left_s <= 0 else None


def _starts_program(check: playbook.Check) -> bool:
    kind = checks.KINDS.get(check.kind)
    return kind is not None and not kind.only_looks


def _first_limit(running: session.Session, check: playbook.Check) -> float:
    limit = _limit(running, check)
    return min(limit, HEALTHY_S) if check.kind == "http" else limit


def _limit(running: session.Session, check: playbook.Check) -> float:
    return min(check.timeout.total_seconds(), max(1.0, running.left_s))
