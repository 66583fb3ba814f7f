"""Is this order to be executed here and now? A table of checks; all of them must hold.

Called by `desk` with everything that is known (`Case`). Each check is a small function
that returns why it refuses, or None. An error in a check is a refusal. Nothing has been changed on
the host when the table has been gone through; the intent is journaled after it and before the first
effect.

What this buys: who holds the whole control plane can withhold orders, and can choose among
playbooks that were signed offline, whose guard is true on this host now, with parameters inside
the signed types and this host's own sets, as often as their signed budget says. Nothing else.
"""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentienguard.model import ids, playbook
from sentienguard.model.order import HOST_PER_HOUR
from sentienguard.playbook import conditions as language
from sentienguard.playbook import kinds
from sentienguard.stages.execute import checks, conditions, memory, parameters, steps
from sentienguard.stages.execute import host as hosts
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import freshness
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots

_UNHEARD: Mapping[str, str] = {}  # the order's own facts: a guard is there to check the order


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest catalogue that this host ever accepted."""

    version: int = 0
    digest: ids.Digest | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is known about one order when it arrives."""

    envelope: Any  # as it came
    signed: orders.SignedOrder  # what it claims; proves nothing before `signed_by_dispatch`
    agent: ids.AgentId  # who we are
    environment: str  # where we belong
    now: datetime
    root: roots.Root
    catalogue: catalogues.Catalogue
    catalogue_envelope: Any
    newest: Newest
    stored: bytes | None  # what this host has under the order's digest
    remedy: playbook.Playbook | None  # as read from `stored`
    unread: str  # why there is no remedy
    stale: str | None  # why the nonce does not count; it was redeemed by asking
    memory: memory.Memory
    now_ms: int
    broken: str | None  # why the journal cannot be written
    host: hosts.Host
    found: list[parameters.Bound] = field(default_factory=list)  # at most one; see `bound`

    @property
    def playbook(self) -> playbook.Playbook:
        """The remedy; checks before have made sure that there is one."""
        if self.remedy is None:
            raise ValueError(self.unread)
        return self.remedy

    @property
    def bound(self) -> parameters.Bound:
        """The parameters, checked once, so that all rules and the execution mean the same.

        Raises parameters.ParameterRefused.
        """
        if not self.found:
            given = self.signed.order.parameters
            self.found.append(parameters.bind(self.playbook.parameters, given, self.host))
        return self.found[0]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of admission."""

    name: str
    judge: Callable[[Case], str | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first rule that does not hold, and why."""

    rule: str
    reason: str


def judge(case: Case, table: Sequence[Check] | None = None) -> Refusal | None:
    """Go through the table; return the first refusal, or None: the order is to be executed."""
    for check in TABLE if table is None else table:
        try:
            reason = check.judge(case)
        except Exception as error:  # noqa: BLE001 - deny by default: a rule that fails has not held
            reason = f"{error}" or type(error).__name__
        if reason is not None:
            return Refusal(check.name, reason)
    return None


def _journal_works(case: Case) -> str | None:
    return case.broken


def _root_current(case: Case) -> str | None:
    case.root.require_current(case.now)
    return None


def _signed_by_dispatch(case: Case) -> str | None:
    if orders.open_order(case.envelope, case.root) != case.signed:
        return "the envelope holds another order than the one that was read"
    return None


def _for_this_agent(case: Case) -> str | None:
    wanted = case.signed.order.agent
    return (
        None if wanted == case.agent else f"the order is for agent {wanted}, this is {case.agent}"
    )


def _for_this_environment(case: Case) -> str | None:
    wanted = case.signed.order.environment
    if wanted == case.environment:
        return None
    return f"the order is for environment {wanted}, this host is in {case.environment}"


def _answers_a_ticket(case: Case) -> str | None:
    return case.stale


def _sequence_rises(case: Case) -> str | None:
    freshness.SequenceMark(case.memory.seq).raised_to(case.signed.seq)
    return None


def _order_never_seen(case: Case) -> str | None:
    found = case.memory.orders.get(case.signed.order.id)
    return None if found is None else f"order {case.signed.order.id} is {found['state']} already"


def _one_at_a_time(case: Case) -> str | None:
    running = case.memory.running
    return None if running is None else f"order {running.intent['order']['id']} runs"


def _catalogue_signed(case: Case) -> str | None:
    kind, role = catalogues.PAYLOAD_TYPE, roots.RoleName.SIGNER
    payload = case.root.open(case.catalogue_envelope, kind, role)
    if ids.digest(payload) != case.catalogue.digest:
        return "the catalogue that was read is not the one that was signed"
    return None


def _catalogue_current(case: Case) -> str | None:
    case.catalogue.require_current(case.now)
    return None


def _catalogue_newest(case: Case) -> str | None:
    found, newest = case.catalogue, case.newest
    if found.version < newest.version:
        return f"catalogue version {found.version} is older than {newest.version}, seen before"
    if found.version == newest.version and newest.digest not in {None, found.digest}:
        return f"catalogue version {found.version} had another content before"
    return None


def _listed(case: Case) -> str | None:
    wanted = case.signed.order
    found = case.catalogue.find(wanted.digest)
    if found is None:
        return f"playbook {wanted.playbook} {wanted.digest} is not in the signed catalogue"
    if (found.name, found.version) != (wanted.playbook, wanted.version):
        return (
            f"the catalogue lists {found.name} {found.version} under this digest, "
            f"the order says {wanted.playbook} {wanted.version}"
        )
    return None


def _not_revoked(case: Case) -> str | None:
    found = case.catalogue.find(case.signed.order.digest)
    return (
        f"{found.name} {found.version} is revoked" if found is not None and found.revoked else None
    )


def _delegated(case: Case) -> str | None:
    name = case.signed.order.playbook
    return catalogues.outside(case.catalogue_envelope, case.root, name, case.environment)


def _stored_bytes(case: Case) -> str | None:
    wanted = case.signed.order.digest
    if case.stored is None:
        return f"this host has no playbook {wanted} yet; it comes with the configuration"
    if ids.digest(case.stored) != wanted:
        return f"the stored bytes have digest {ids.digest(case.stored)}, the order names {wanted}"
    return None


def _reads(case: Case) -> str | None:
    wanted, found = case.signed.order, case.remedy
    if found is None:
        return case.unread
    if (found.name, found.version) != (wanted.playbook, wanted.version):
        return f"the playbook calls itself {found.name} {found.version}"
    return None


def _version_not_lower(case: Case) -> str | None:
    wanted = case.signed.order
    highest = case.memory.versions.get(wanted.playbook, "0")
    if ids.version_key(wanted.version) < ids.version_key(highest):
        return f"{wanted.playbook} {wanted.version} is older than {highest}, executed before"
    return None


def _kinds_known(case: Case) -> str | None:
    remedy = case.playbook
    actions = [step.action for step in remedy.steps]
    actions += [step.undo.action for step in remedy.steps if step.undo.action is not None]
    judged = [*remedy.pre_checks, *remedy.verification]
    judged += [check for step in remedy.steps for check in step.verify]
    unknown = {each.kind for each in actions} - set(steps.KINDS)
    unknown |= {each.kind for each in judged} - set(checks.KINDS)
    if unknown:
        return f"this executor cannot do {', '.join(sorted(unknown))}"
    reasons = (kinds.unrunnable(each) for each in actions)
    return next((reason for reason in reasons if reason is not None), None)


def _incident_not_handled(case: Case) -> str | None:
    wanted = case.signed.order
    if wanted.dry_run or not case.memory.may_have_run(wanted.incident, wanted.playbook):
        return None
    if memory.handled_key(wanted.incident, wanted.playbook) not in case.memory.handled:
        return f"{wanted.incident} is too old to tell whether {wanted.playbook} ran for it"
    return f"{wanted.playbook} ran for {wanted.incident} already; a recurrence is a new incident"


def _parameters(case: Case) -> str | None:
    try:
        given = case.bound.values
    except parameters.ParameterRefused as error:
        return str(error)
    return None if set(given) >= set(case.signed.order.parameters) else "a parameter was lost"


def _not_excluded(case: Case) -> str | None:
    name = case.host.name.lower()
    for pattern in case.playbook.exclusions:
        if fnmatch.fnmatchcase(name, pattern.lower()):
            return f"{case.playbook.name} never runs on {case.host.name}: exclusion {pattern}"
    return None


def _not_forbidden(case: Case) -> str | None:
    return None if case.signed.order.dry_run else case.host.forbidden()


def _within_budget(case: Case) -> str | None:
    wanted = case.signed.order
    if wanted.dry_run:
        return None
    runs = case.memory.starts_within(wanted.playbook, case.now_ms)
    if runs >= case.playbook.max_per_hour:
        return (
            f"{wanted.playbook} started {runs} times within the last hour; "
            f"{case.playbook.max_per_hour} are signed"
        )
    every = case.memory.starts_within(None, case.now_ms)
    if every >= HOST_PER_HOUR:
        return f"{every} playbooks started on this host within the last hour"
    return None


def _approved(case: Case) -> str | None:
    remedy, approvers = case.playbook, case.root.roles[roots.RoleName.APPROVER]
    needs_person = remedy.approval_required or not remedy.idempotent
    if needs_person and approvers.keyids and not case.signed.order.dry_run:
        orders.require_approvals(case.signed, case.root, case.now)
    return None


def _guard_holds(case: Case) -> str | None:
    if case.playbook.guard is None:
        return None
    guard = language.parse(case.playbook.guard)
    verdict = conditions.judge(guard, case.bound, _UNHEARD, case.host)
    return None if verdict.holds else f"the guard {guard.text} is false: {verdict.seen}"


TABLE: tuple[Check, ...] = (
    Check("journal_works", _journal_works),
    Check("root_current", _root_current),
    Check("signed_by_dispatch", _signed_by_dispatch),
    Check("for_this_agent", _for_this_agent),
    Check("order_never_seen", _order_never_seen),
    Check("answers_a_ticket", _answers_a_ticket),
    Check("sequence_rises", _sequence_rises),
    Check("for_this_environment", _for_this_environment),
    Check("one_at_a_time", _one_at_a_time),
    Check("catalogue_signed", _catalogue_signed),
    Check("catalogue_current", _catalogue_current),
    Check("catalogue_newest", _catalogue_newest),
    Check("listed", _listed),
    Check("not_revoked", _not_revoked),
    Check("delegated", _delegated),
    Check("stored_bytes", _stored_bytes),
    Check("reads", _reads),
    Check("version_not_lower", _version_not_lower),
    Check("kinds_known", _kinds_known),
    Check("incident_not_handled", _incident_not_handled),
    Check("parameters", _parameters),
    Check("not_excluded", _not_excluded),
    Check("not_forbidden", _not_forbidden),
    Check("within_budget", _within_budget),
    Check("approved", _approved),
    Check("guard_holds", _guard_holds),
)

AUTHENTICATES = "signed_by_dispatch"  # before it, nothing that the envelope says is known true

# These refuse one delivery and not the order: the next poll delivers it again, freshly sealed, and
# one for another agent is that agent's. Nothing of it is remembered: it may be a replay.
TRANSIENT = frozenset(
    {"journal_works", "for_this_agent", "answers_a_ticket", "sequence_rises", "one_at_a_time"}
)
