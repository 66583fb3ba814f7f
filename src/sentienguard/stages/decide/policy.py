"""What may happen: rules, each returning the most that it would allow, and why.

The decision is the meet of all verdicts, so that adding a rule can never permit more. A rule looks
at `PolicyFacts` and nothing else; it never sees free text. To add one, write the function and
append it to `RULES`; the properties in tests/unit/decide hold for it without another line.
"""

import fnmatch
from collections.abc import Callable, Sequence
from typing import TypeAlias, assert_never

from sentienguard.model.decision import Route, Verdict
from sentienguard.model.playbook import Risk
from sentienguard.stages.decide import standing
from sentienguard.stages.decide.facts import PolicyFacts

Rule: TypeAlias = Callable[[PolicyFacts], Verdict]

_DO_NOT_REMEDIATE = ("do_not_remediate", "do-not-remediate")
_MAINTENANCE = ("maintenance_mode", "maintenance")
_PERMITS = {
    standing.Step.SHADOW: Route.DRY_RUN,
    standing.Step.ASKED: Route.ASK,
    standing.Step.TRUSTED: Route.RUN,
}


def judge(facts: PolicyFacts, rules: Sequence[Rule] | None = None) -> tuple[Verdict, ...]:
    """Return the verdict of every rule, in the order of the policy."""
    return tuple(rule(facts) for rule in (RULES if rules is None else rules))


def match(facts: PolicyFacts) -> Verdict:
    """Nothing runs that does not match."""
    if facts.playbook is None:
        return Verdict("match", Route.ESCALATE, "no playbook is for this")
    return Verdict("match", Route.RUN, f"{facts.playbook.name} is for this")


def confidence(facts: PolicyFacts) -> Verdict:
    """The bands: 0.95 run, 0.90 run and verify, 0.80 ask, 0.70 dry run, below that escalate."""
    settings = facts.settings
    if facts.confidence is None:
        return Verdict("confidence", Route.ESCALATE, "there is nothing to be confident of")
    value = facts.confidence.value
    bands = (
        (settings.run_from, Route.RUN),
        (settings.run_and_verify_from, Route.RUN_AND_VERIFY),
        (settings.ask_from, Route.ASK),
        (settings.dry_run_from, Route.DRY_RUN),
    )
    for bound, route in bands:
        if value >= bound:
            return Verdict("confidence", route, f"{value:.3f} is at least {bound:.2f}")
    return Verdict(
        "confidence", Route.ESCALATE, f"{value:.3f} is below {settings.dry_run_from:.2f}"
    )


def risk(facts: PolicyFacts) -> Verdict:
    """Static risk; nothing lowers it."""
    if facts.playbook is None:
        return _nothing("risk")
    match facts.playbook.risk:
        case Risk.SAFE:
            return Verdict("risk", Route.RUN, "its risk is SAFE")
        case Risk.WARNING:
            return Verdict("risk", Route.RUN_AND_VERIFY, "its risk is WARNING: the centre confirms")
        case Risk.CRITICAL:
            return Verdict("risk", Route.ASK, "its risk is CRITICAL: a person decides")
        case never:
            assert_never(never)


def approval_gate(facts: PolicyFacts) -> Verdict:
    """A playbook that asks for a person gets one."""
    if facts.playbook is None:
        return _nothing("approval_gate")
    if facts.playbook.approval_required:
        return Verdict("approval_gate", Route.ASK, "the playbook asks for a person")
    return Verdict("approval_gate", Route.RUN, "the playbook asks for nobody")


def idempotence(facts: PolicyFacts) -> Verdict:
    """What is not the same when run twice is not run without a person."""
    if facts.playbook is None:
        return _nothing("idempotence")
    if not facts.playbook.idempotent:
        return Verdict("idempotence", Route.ASK, "running it twice is not the same as once")
    return Verdict("idempotence", Route.RUN, "running it twice is the same as once")


def environment(facts: PolicyFacts) -> Verdict:
    """An environment that nobody declared permits nothing."""
    if facts.environment not in facts.circumstances.known_environments:
        return Verdict("environment", Route.ESCALATE, "this environment is not declared")
    return Verdict("environment", Route.RUN, "this environment is declared")


def exclusions(facts: PolicyFacts) -> Verdict:
    """Hosts that the playbook's author excluded."""
    if facts.playbook is None:
        return _nothing("exclusions")
    for pattern in facts.playbook.exclusions:
        if fnmatch.fnmatchcase(facts.host.lower(), pattern.lower()):
            return Verdict("exclusions", Route.ESCALATE, f"the playbook excludes hosts {pattern}")
    return Verdict("exclusions", Route.RUN, "the playbook does not exclude this host")


def maintenance(facts: PolicyFacts) -> Verdict:
    """People are at work there."""
    if facts.circumstances.maintenance or _tagged(facts, _MAINTENANCE):
        return Verdict("maintenance", Route.ESCALATE, "maintenance is going on")
    return Verdict("maintenance", Route.RUN, "no maintenance is going on")


def identity(facts: PolicyFacts) -> Verdict:
    """An order for one host must not reach another that speaks in its name."""
    if facts.circumstances.doubted:
        return Verdict("identity", Route.ESCALATE, "the host is in quarantine")
    return Verdict("identity", Route.RUN, "the host is the one that was enrolled")


def silence(facts: PolicyFacts) -> Verdict:
    """A silenced symptom is known to people, who then decide themselves."""
    if facts.circumstances.silenced:
        return Verdict("silence", Route.ESCALATE, "the symptom is silenced")
    return Verdict("silence", Route.RUN, "the symptom is not silenced")


def forecast(facts: PolicyFacts) -> Verdict:
    """What is not wrong yet has no remedy: it is full one day, and may never be."""
    if facts.circumstances.forecast:
        return Verdict("forecast", Route.ESCALATE, "it is a forecast: nothing is wrong yet")
    return Verdict("forecast", Route.RUN, "it is no forecast")


def do_not_remediate(facts: PolicyFacts) -> Verdict:
    """The owner of the host said no."""
    if _tagged(facts, _DO_NOT_REMEDIATE):
        return Verdict("do_not_remediate", Route.ESCALATE, "the host is tagged do-not-remediate")
    return Verdict("do_not_remediate", Route.RUN, "the host may be remediated")


def earned_autonomy(facts: PolicyFacts) -> Verdict:
    """Unattended where its own verified record on this kind of target says so (`standing`)."""
    if facts.playbook is None:
        return _nothing("earned_autonomy")
    found = standing.of(facts.record, facts.environment, facts.settings)
    return Verdict("earned_autonomy", _PERMITS[found.step], found.because)


def service_budget(facts: PolicyFacts) -> Verdict:
    """Many starts on one service mean that the remedy does not hold."""
    starts, most = (
        facts.circumstances.service_starts_last_hour,
        facts.settings.service_starts_per_hour,
    )
    route = Route.ASK if starts >= most else Route.RUN
    return Verdict("service_budget", route, f"{starts} of {most} starts here in the last hour")


def fleet_budget(facts: PolicyFacts) -> Verdict:
    """Many starts in a fleet mean that something larger is wrong, or that we are."""
    starts, most = (
        facts.circumstances.fleet_starts_last_hour,
        facts.settings.fleet_starts_per_hour,
    )
    route = Route.ESCALATE if starts >= most else Route.RUN
    return Verdict("fleet_budget", route, f"{starts} of {most} starts in the fleet in an hour")


def circuit_breaker(facts: PolicyFacts) -> Verdict:
    """What failed repeatedly is not tried again by itself."""
    failures = max(facts.record.failures_in_row, facts.record.failures_on_host)
    if failures >= facts.settings.breaker_failures:
        return Verdict("circuit_breaker", Route.ESCALATE, f"it failed {failures} times in a row")
    return Verdict("circuit_breaker", Route.RUN, f"{failures} failures in a row")


def freeze(facts: PolicyFacts) -> Verdict:
    """The kill switch."""
    if facts.circumstances.frozen:
        return Verdict("freeze", Route.ESCALATE, "execution is frozen")
    return Verdict("freeze", Route.RUN, "execution is not frozen")


def once(facts: PolicyFacts) -> Verdict:
    """A playbook runs at most once for an incident."""
    if facts.playbook is not None and facts.playbook.name in facts.circumstances.already_ran:
        return Verdict("once", Route.ESCALATE, "it already ran for this incident")
    return Verdict("once", Route.RUN, "it has not run for this incident")


def parameters(facts: PolicyFacts) -> Verdict:
    """Nothing is guessed: a parameter comes from a measured fact or a signed default."""
    if facts.missing:
        names = ", ".join(facts.missing)
        return Verdict("parameters", Route.ESCALATE, f"no measured fact gives {names}")
    return Verdict("parameters", Route.RUN, "every parameter comes from a measured fact")


def audit(facts: PolicyFacts) -> Verdict:
    """No execution without a durable record."""
    if not facts.circumstances.audit_healthy:
        return Verdict("audit", Route.ESCALATE, "the audit log cannot record it now")
    return Verdict("audit", Route.RUN, "the audit log can record it")


def diagnosis(facts: PolicyFacts) -> Verdict:
    """A remedy here does not cure a cause that is measured elsewhere; a diagnosis only restricts.

    The object is not named in the reason: a service's name is text that its sender chose.
    """
    blame, least = facts.blame, facts.settings.blame_from
    if blame is None:
        return Verdict("diagnosis", Route.RUN, "no diagnosis puts the cause elsewhere")
    sure = f"with confidence {blame.confidence:.2f}"
    if blame.is_here:
        return Verdict("diagnosis", Route.RUN, f"the diagnosis puts the cause here, {sure}")
    if blame.confidence < least:
        reason = f"the diagnosis puts the cause elsewhere, {sure}, below {least:.2f}"
        return Verdict("diagnosis", Route.RUN, reason)
    reason = f"the diagnosis puts the cause elsewhere, {sure}: a person decides"
    return Verdict("diagnosis", Route.ASK, reason)


RULES: tuple[Rule, ...] = (
    match,
    confidence,
    risk,
    approval_gate,
    idempotence,
    environment,
    exclusions,
    maintenance,
    identity,
    silence,
    forecast,
    do_not_remediate,
    earned_autonomy,
    service_budget,
    fleet_budget,
    circuit_breaker,
    freeze,
    once,
    parameters,
    audit,
    diagnosis,
)


def _nothing(rule: str) -> Verdict:
    return Verdict(rule, Route.ESCALATE, "there is no playbook")


def _tagged(facts: PolicyFacts, names: Sequence[str]) -> bool:
    """Tell whether a tag is set; a value that is not clearly false counts as set."""
    false = {"", "0", "false", "no", "off"}
    return any(facts.tags.get(name, "").strip().lower() not in false for name in names)
