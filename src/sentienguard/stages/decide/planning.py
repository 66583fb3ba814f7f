"""The decision as an order that leaves nothing to choose."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sentienguard.model import errors, ids
from sentienguard.model.anomaly import Ground
from sentienguard.model.decision import Decision, Route
from sentienguard.model.ids import AgentId
from sentienguard.model.order import Order
from sentienguard.model.playbook import Check, Playbook

_SPARE = timedelta(seconds=30)  # for admission, facts and reports between the pieces
_LONGEST_S = 86_400  # the most that an order may say (trust.order): growing delays reach months
_DELAY_GROWS = 2  # each wait before another attempt at a verification is this many times the last


class NothingToPlan(errors.Rejected):
    """The decision permits no order, or the playbook at hand is not the one decided on."""


def plan(
    decision: Decision,
    playbook: Playbook,
    *,
    agent: AgentId,
    created_at: datetime,
    approved: bool = False,
) -> Order:
    """Return the one order that this decision permits.

    `approved` says that a person approved this decision; only ASK needs it. Raises NothingToPlan.
    """
    _check(decision, playbook, approved=approved)
    dry_run = decision.route is Route.DRY_RUN
    return Order(
        id=ids.order_id(decision.incident, playbook.digest, dry_run=dry_run),
        incident=decision.incident,
        agent=agent,
        environment=decision.evidence.environment,
        playbook=playbook.name,
        version=playbook.version,
        digest=playbook.digest,
        parameters=dict(decision.parameters),
        facts=facts(decision),
        dry_run=dry_run,
        created_at=created_at,
        deadline_s=min(_seconds(longest(playbook)), _LONGEST_S),
    )


def facts(decision: Decision) -> Mapping[str, str]:
    """Return what pre-checks need of the centre's knowledge, as strings."""
    anomaly = decision.evidence.anomaly
    found = {
        "anomaly_value": f"{anomaly.value:.6g}",
        "metric": anomaly.series.metric,
        "subject": anomaly.series.subject,
    }
    # How bad an alert from outside is, is text: no condition on a host may rest on it. A request
    # says nothing of how bad it is.
    if anomaly.ground not in {Ground.ALERT, Ground.REQUEST}:
        found["severity"] = anomaly.severity.value
    if anomaly.sigma is not None:
        found["anomaly_sigma"] = f"{anomaly.sigma:.2f}"
    tags = {f"tag.{name}": value for name, value in decision.evidence.tags.items()}
    return dict(sorted((found | tags).items()))


def longest(playbook: Playbook) -> timedelta:
    """Return the time that the playbook can take if everything in it takes its limit."""
    total = _SPARE
    for check in playbook.pre_checks:
        total += check.timeout + check.max_wait
    for step in playbook.steps:
        total += step.timeout + step.undo.timeout
        total += sum((_attempts(check) for check in step.verify), timedelta())
    # Verified twice: after the steps, and again after undoing them.
    return total + 2 * sum((_attempts(check) for check in playbook.verification), timedelta())


def _attempts(check: Check) -> timedelta:
    total, delay = check.timeout * check.retry, check.retry_delay
    for _ in range(check.retry - 1):
        total += delay
        delay *= _DELAY_GROWS
    return total


def _seconds(duration: timedelta) -> int:
    return -(-duration // timedelta(seconds=1))


def _check(decision: Decision, playbook: Playbook, *, approved: bool) -> None:
    if decision.route is Route.ESCALATE or (decision.route is Route.ASK and not approved):
        raise NothingToPlan(
            f"the decision on {decision.incident} is {decision.route.name}: no order comes of it "
            "without a person"
        )
    if decision.digest != playbook.digest:
        raise NothingToPlan(
            f"the decision on {decision.incident} is about {decision.digest}, the playbook at hand "
            f"is {playbook.digest}: load the one that was decided on"
        )
