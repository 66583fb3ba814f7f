"""One incident from opening to close: events in, deeds and one question out.

    life, turn = begin(incident)
    while turn.then is not None:
        ... perform turn.deeds in order, then ask turn.then, which yields one event ...
        life, turn = advance(life, event)

Called by controlplane.engine. Rules, cited below by number:

 1. Nothing is released without a durable intent: `RecordIntent` stands before `Release`.
 2. A playbook is released at most once for an incident: the order id is derived from both, and
    only rule 10 leads from MITIGATING to another release, which is another playbook's.
 3. A person's no, silence or an incident that ended by itself releases nothing.
 4. An incident that a remedy was released for closes as resolved only when the host's own
    verification passed and, on RUN_AND_VERIFY, the centre saw the symptom gone as well.
 5. A failed remedy ends with people: undone or not, it is escalated, never tried again alone.
 6. Every wait has an end.
 7. An event that does not fit the present question changes nothing and asks the same again.
 8. A person may close what waits for people or for the symptom to go; nothing is released then, and
    it closes as theirs, never as resolved, whatever ran before. What is under way is stopped first.
 9. What a person asked for by name has no symptom that could go: it hears of no recovery, and once
    the host has verified it, it closes as theirs, never as resolved, so no playbook is credited.
10. Where the host's own guard or pre-check says that a remedy is not for what it sees, before any
    step of it, the incident is decided again without it, at most MOST_FURTHER times. Each release
    has its own decision, its own intent and, where a person is asked, its own yes. After a step
    has begun there is no second remedy (rule 5).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from sentienguard.model.anomaly import Ground
from sentienguard.model.approval import Approval, ApprovalStatus
from sentienguard.model.decision import Route
from sentienguard.model.ids import IncidentId, OrderId
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.model.order import ExecutionOutcome, Order

DELIVERY_PATIENCE = timedelta(minutes=3)  # how long an order may wait for the agent's poll
REPORT_MARGIN = timedelta(minutes=2)  # beyond the order's own deadline, for a slow uplink
RECOVERY_PATIENCE = timedelta(minutes=3)  # for the centre to see the symptom gone: 6 samples
ALERT_PATIENCE = timedelta(minutes=15)  # for who sent an alert to say that it ended
MOST_FURTHER = 2  # decisions after the first one (rule 10)
SETTLED_FROM = frozenset({Status.AWAITING_APPROVAL, Status.VERIFYING})  # rule 8

# ---- events: what happened -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decided:
    """The decide stage answered; a release or a question comes with what it needs."""

    at: datetime
    route: Route
    reason: str
    order: Order | None = None
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A person decided."""

    approved: bool
    by: str
    note: str = ""
    approval: str = ""  # the question that was answered; empty: written before there were several


@dataclass(frozen=True, slots=True)
class Released:
    """The order is durable and waits for the agent's poll."""

    at: datetime


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """The host reported the end of the order, or refused it."""

    at: datetime
    order: OrderId
    outcome: ExecutionOutcome
    reason: str
    left_behind: tuple[str, ...] = ()
    not_for_this: bool = False  # the host ruled it out untouched, and another candidate is left


@dataclass(frozen=True, slots=True)
class Settled:
    """A person closed it by hand."""

    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """The centre saw the symptom gone in samples taken at or before `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The answer to `Withdraw`: whether the order could still be taken back."""

    at: datetime
    taken_back: bool


@dataclass(frozen=True, slots=True)
class NothingCame:
    """The wait is over."""


Event: TypeAlias = (
    Decided | Answered | Released | OrderEnded | Settled | Recovered | Withdrawn | NothingCame
)

# ---- deeds: what has to be done, in order, before the question -------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """Show the incident in this status."""

    status: Status
    summary: str


@dataclass(frozen=True, slots=True)
class OpenApproval:
    """Put the question to people."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class CloseApproval:
    """Take the question back."""

    approval: Approval
    status: ApprovalStatus


@dataclass(frozen=True, slots=True)
class RecordIntent:
    """Write durably that this order is going to be released."""

    order: Order


@dataclass(frozen=True, slots=True)
class Close:
    """End the incident; `escalate` says that people have to look."""

    outcome: Outcome
    summary: str
    escalate: bool
    by: str = ""  # the person who closed it by hand


Deed: TypeAlias = Move | OpenApproval | CloseApproval | RecordIntent | Close

# ---- questions: what yields the next event ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decide:
    """Gather evidence and decide: yields Decided."""

    ruled_out: tuple[OrderId, ...] = ()  # by the host, oldest first (rule 10)


@dataclass(frozen=True, slots=True)
class Release:
    """Make the order available to the agent, once: yields Released."""

    order: Order


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the order back if no agent has it: yields Withdrawn."""

    order: OrderId


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for something from outside: yields what came, or NothingCame at `until`."""

    until: datetime
    at_most: timedelta  # from whenever it begins: a clock that was set back makes no wait longer

    def left(self, now: datetime) -> timedelta:
        """Return how long there is to wait from now on."""
        return min(max(self.until - now, timedelta(0)), self.at_most)


Question: TypeAlias = Decide | Release | Withdraw | Wait


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do now and what to ask then; nothing to ask means that the incident is closed."""

    deeds: tuple[Deed, ...]
    then: Question | None


@dataclass(frozen=True, slots=True)
class Life:
    """Where the incident is. Rebuilt from the events; kept nowhere."""

    incident: IncidentId
    status: Status
    asked: Question
    route: Route | None = None
    order: Order | None = None
    approval: Approval | None = None
    delivered: bool = False  # the order can no longer be taken back
    recovery: timedelta = RECOVERY_PATIENCE  # how long the symptom may take to go
    requested: bool = False  # a person asked for a playbook by name (rule 9)
    ruled_out: tuple[OrderId, ...] = ()  # orders that the host said are not for this (rule 10)
    because: str = ""  # why it ruled out the last of them


def begin(incident: Incident) -> tuple[Life, Turn]:
    """Start the life of an incident that has just been opened."""
    asked = Decide()
    alerted = incident.anomaly.ground is Ground.ALERT
    recovery = ALERT_PATIENCE if alerted else RECOVERY_PATIENCE
    requested = incident.anomaly.ground is Ground.REQUEST
    life = Life(incident.id, Status.ANALYZING, asked, recovery=recovery, requested=requested)
    return life, Turn((Move(Status.ANALYZING, "gathering evidence"),), asked)


def advance(life: Life, event: Event) -> tuple[Life, Turn]:
    """Return the life after this event, what to do about it, and the next question."""
    match event:
        case Decided() if isinstance(life.asked, Decide):
            return _after_decision(life, event)
        case Released() if isinstance(life.asked, Release):
            return _ask(life, _wait(event.at, DELIVERY_PATIENCE))
        case Answered() if life.status is Status.AWAITING_APPROVAL and _answers(life, event):
            return _after_answer(life, event)
        case Settled() if life.status in SETTLED_FROM and isinstance(life.asked, Wait):
            return _settled(life, event)
        case Recovered() if life.status is Status.AWAITING_APPROVAL and not life.requested:
            return _self_recovered(life)
        case Recovered() if life.status is Status.VERIFYING:
            return _close(life, Outcome.RESOLVED, "the remedy worked: the symptom is gone")
        case OrderEnded() if life.status is Status.MITIGATING and _is_ours(life, event):
            return _after_report(life, event)
        case Withdrawn() if isinstance(life.asked, Withdraw):
            return _after_withdrawal(life, event)
        case NothingCame() if isinstance(life.asked, Wait):
            return _nothing_came(life)
        case _:  # rule 7
            return life, Turn((), life.asked)


def _ask(life: Life, question: Question, *deeds: Deed) -> tuple[Life, Turn]:
    return replace(life, asked=question), Turn(deeds, question)


def _close(
    life: Life, outcome: Outcome, summary: str, *before: Deed, escalate: bool = False
) -> tuple[Life, Turn]:
    closed = replace(life, status=Status.CLOSED)
    return closed, Turn((*before, Close(outcome, summary, escalate)), None)


def _is_ours(life: Life, event: OrderEnded) -> bool:
    return life.order is not None and life.order.id == event.order


def _answers(life: Life, event: Answered) -> bool:
    """Tell whether a yes or no is to the question that is open; a late one was to an earlier."""
    asked = life.approval.id if life.approval is not None else ""
    return event.approval == asked or not (event.approval or life.ruled_out)


def _after_decision(life: Life, event: Decided) -> tuple[Life, Turn]:
    life = replace(life, route=event.route, order=event.order, approval=event.approval)
    match event.route:
        case Route.RUN | Route.RUN_AND_VERIFY | Route.DRY_RUN if event.order is not None:
            return _release(life, event.order, event.reason)
        case Route.ASK if event.order is not None and event.approval is not None:
            waiting = replace(life, status=Status.AWAITING_APPROVAL)
            opened = event.approval.opened_at
            return _ask(
                waiting,
                _wait(opened, event.approval.expires_at - opened),
                OpenApproval(event.approval),
                Move(Status.AWAITING_APPROVAL, f"waiting for a person: {event.reason}"),
            )
        case _:  # ESCALATE, or a route without what it needs, which permits nothing
            summary = f"{life.because}; {event.reason}" if life.ruled_out else event.reason
            return _close(life, Outcome.ESCALATED, summary, escalate=True)


def _wait(since: datetime, patience: timedelta) -> Wait:
    return Wait(since + patience, patience)


def _release(life: Life, order: Order, why: str) -> tuple[Life, Turn]:
    mitigating = replace(life, status=Status.MITIGATING)
    return _ask(  # rule 1
        mitigating,
        Release(order),
        RecordIntent(order),
        Move(Status.MITIGATING, f"{order.playbook} on its way: {why}"),
    )


def _after_answer(life: Life, event: Answered) -> tuple[Life, Turn]:
    if not event.approved:  # rule 3
        because = f": {event.note}" if event.note else ""
        return _close(life, Outcome.REJECTED, f"{event.by} said no{because}", escalate=True)
    if life.order is None:
        summary = "approved, but there is nothing to run"
        return _close(life, Outcome.ESCALATED, summary, escalate=True)
    return _release(life, life.order, f"approved by {event.by}")


def _settled(life: Life, event: Settled) -> tuple[Life, Turn]:  # rule 8
    asked = life.approval if life.status is Status.AWAITING_APPROVAL else None
    before = (CloseApproval(asked, ApprovalStatus.WITHDRAWN),) if asked else ()
    closed = replace(life, status=Status.CLOSED)
    summary = f"closed by {event.by}: {event.reason}"
    close = Close(Outcome.FIXED_BY_PERSON, summary, escalate=False, by=event.by)
    return closed, Turn((*before, close), None)


def _self_recovered(life: Life) -> tuple[Life, Turn]:
    before = (CloseApproval(life.approval, ApprovalStatus.WITHDRAWN),) if life.approval else ()
    return _close(life, Outcome.SELF_RECOVERED, "gone before anybody had to act", *before)


def _after_report(life: Life, event: OrderEnded) -> tuple[Life, Turn]:
    match event.outcome:
        case ExecutionOutcome.SUCCESS if life.requested:  # rule 9
            summary = f"run as a person asked, and the host verified it: {event.reason}"
            return _close(life, Outcome.FIXED_BY_PERSON, summary)
        case ExecutionOutcome.SUCCESS if life.route is Route.RUN:
            return _close(life, Outcome.RESOLVED, event.reason)
        case ExecutionOutcome.SUCCESS:  # rule 4
            verifying = replace(life, status=Status.VERIFYING)
            return _ask(
                verifying,
                _wait(event.at, life.recovery),
                Move(Status.VERIFYING, "the host says it worked; the centre is looking too"),
            )
        case ExecutionOutcome.SUCCESS_NO_ACTION:
            return _close(life, Outcome.NO_ACTION_NEEDED, event.reason)
        case ExecutionOutcome.DRY_RUN:
            summary = f"dry run only: {event.reason}"
            return _close(life, Outcome.ESCALATED, summary, escalate=True)
        case ExecutionOutcome.ROLLED_BACK:  # rule 5
            return _close(life, Outcome.ROLLED_BACK, event.reason, escalate=True)
        case ExecutionOutcome.PARTIALLY_ROLLED_BACK | ExecutionOutcome.UNKNOWN:
            left = ", ".join(event.left_behind)
            summary = f"{event.reason}; not undone: {left}" if left else event.reason
            return _close(life, Outcome.FAILED, summary, escalate=True)
        case ExecutionOutcome.REFUSED | ExecutionOutcome.ABORTED if _may_go_on(life, event):
            return _decide_again(life, event)
        case ExecutionOutcome.REFUSED | ExecutionOutcome.ABORTED:
            return _close(life, Outcome.ESCALATED, event.reason, escalate=True)
        case never:
            assert_never(never)


def _may_go_on(life: Life, event: OrderEnded) -> bool:  # rule 10
    left = len(life.ruled_out) < MOST_FURTHER
    return event.not_for_this and not event.left_behind and left and not life.requested


def _decide_again(life: Life, event: OrderEnded) -> tuple[Life, Turn]:
    asked = Decide((*life.ruled_out, event.order))
    again = replace(
        life,
        status=Status.ANALYZING,
        route=None,
        order=None,
        approval=None,
        delivered=False,
        ruled_out=asked.ruled_out,
        because=event.reason,
    )
    return _ask(again, asked, Move(Status.ANALYZING, f"looking for another: {event.reason}"))


def _nothing_came(life: Life) -> tuple[Life, Turn]:
    match life.status:  # rule 6
        case Status.AWAITING_APPROVAL:
            before = (
                (CloseApproval(life.approval, ApprovalStatus.EXPIRED),) if life.approval else ()
            )
            return _close(life, Outcome.EXPIRED, "nobody answered in time", *before, escalate=True)
        case Status.MITIGATING if life.order is not None and not life.delivered:
            return _ask(life, Withdraw(life.order.id))
        case Status.MITIGATING:
            summary = "the host took the order and never reported: look at it before acting"
            return _close(life, Outcome.FAILED, summary, escalate=True)
        case _:
            summary = "the host says it worked, but the centre still sees the symptom"
            return _close(life, Outcome.ESCALATED, summary, escalate=True)


def _after_withdrawal(life: Life, event: Withdrawn) -> tuple[Life, Turn]:
    if event.taken_back:
        summary = "the host did not fetch the order in time; it was taken back"
        return _close(life, Outcome.ESCALATED, summary, escalate=True)
    deadline = timedelta(seconds=life.order.deadline_s if life.order else 0)
    return _ask(replace(life, delivered=True), _wait(event.at, deadline + REPORT_MARGIN))
