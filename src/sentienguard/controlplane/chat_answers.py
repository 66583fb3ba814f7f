"""A person's answer that came from a chat: looked up, judged like any other, recorded.

Called by controlplane.slack_desk. What the chat service says names a person of that service and
nothing else. Rules:

1. The link to an account was made here beforehand; without one nothing happens, and it is recorded.
2. The account's role in the question's environment decides, looked up now. A right that was given
   in an emergency says no from here too, and yes on the dashboard alone: there its holder showed
   who they are minutes ago. Whoever holds one is told where to go.
3. A yes by whoever has a second factor, or where hosts ask for a signature, is not taken from a
   chat: the service's secret lies in the control plane, so its word is worth no more than ours. The
   answer is the page where people show it. A no is never made harder.
4. The button has to be about the playbook that is asked about now.
5. A no says why, here as on the dashboard.
"""

from dataclasses import dataclass
from typing import Final

from sentienguard.controlplane import earlier_yeses, findings, refusals
from sentienguard.controlplane.api.caller import Caller
from sentienguard.controlplane.centre import Centre
from sentienguard.flow import answers
from sentienguard.model import errors
from sentienguard.model.access import Permission, User
from sentienguard.model.approval import Approval, ApprovalStatus
from sentienguard.model.ids import ApprovalId
from sentienguard.ports.approval_store import AlreadyDecided, NoSuchApproval
from sentienguard.ports.chat_identities import NotLinked
from sentienguard.ports.user_store import NoSuchUser
from sentienguard.trust import root as roots

BREAK_GLASS: Final = "`sentienguard break-glass request`"
NEEDS_REASON: Final = "A denial needs a reason"
_SOME_PAGE: Final = "the incident's page on the dashboard"
ANSWERS: Final = {"approve": ApprovalStatus.APPROVED, "deny": ApprovalStatus.DENIED}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of a chat service."""

    service: str
    team: str  # the service's id of the workspace
    person: str  # the service's id

    @property
    def name(self) -> str:
        """How the record names somebody without an account."""
        return f"{self.service}:{self.team[:40]}/{self.person[:40]}"


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a button said that somebody pressed."""

    verb: str  # one of ANSWERS
    approval: str  # id of the question
    digest: str  # of the playbook that the message was about
    note: str = ""  # why; a no needs it (rule 5)


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer that its person may give."""

    held: Caller  # who gives it, and what they may do now
    asked: Approval
    status: ApprovalStatus


def account(centre: Centre, person: Person) -> User | None:
    """Return the account that this person is linked to; None: none, or it is gone."""
    try:
        return centre.users.get(centre.chat.account(person.service, person.team, person.person))
    except (NotLinked, NoSuchUser):
        return None


def answer(centre: Centre, person: Person, pressed: Pressed, page: str) -> str:
    """Take an answer, or not; return what the person is to read."""
    found = judge(centre, person, pressed)
    if isinstance(found, str):
        return found
    if found.status is ApprovalStatus.DENIED and not pressed.note.strip():  # rule 5
        return f"{NEEDS_REASON}. Say it on {page or _SOME_PAGE}."
    where = page or _SOME_PAGE
    approves = found.status is ApprovalStatus.APPROVED
    elsewhere = approves and _elsewhere(found.held, found.asked, where)
    return elsewhere or _answered(centre, person, found, pressed.note.strip())


def judge(centre: Centre, person: Person, pressed: Pressed) -> Judged | str:
    """Tell whether a person may answer; where not, return what they are to read."""
    try:
        asked = centre.approvals.get(ApprovalId(pressed.approval))
    except NoSuchApproval:
        return "This question is not known here."
    status = ANSWERS[pressed.verb]
    what = f"{status.value} {asked.playbook} for {asked.incident}"
    user = account(centre, person)
    if user is None:  # rule 1
        _denied(centre, person, None, asked, what)
        return (
            f"Your {person.service} user {person.person} of workspace {person.team} is linked to "
            "no account here. Ask an administrator to link it; then press again."
        )
    held = _held(centre, person, user)
    if not held.may(Permission.DECIDE_APPROVAL, asked.environment):  # rule 2
        _denied(centre, person, user, asked, what)
        return (
            f"{user.name} may not answer questions about {asked.environment}. Somebody who may "
            f"has to; in an emergency two people can give the right: {BREAK_GLASS}."
        )
    if asked.digest != pressed.digest:  # rule 4
        return "The playbook has changed since this message was written; open the incident."
    if status is ApprovalStatus.DENIED and asked.status is not ApprovalStatus.PENDING:
        return _before(asked)  # nobody is asked why who is too late
    return Judged(held, asked, status)


def _before(asked: Approval) -> str:
    by = f" by {asked.decided_by}" if asked.decided_by else ""
    return f"This question was answered before: {asked.status.value}{by}."


def _elsewhere(held: Caller, asked: Approval, where: str) -> str:
    """Return where a yes of this person has to be given instead; empty: it may be given here."""
    if not held.user.may(Permission.DECIDE_APPROVAL, asked.environment, held.at):  # rule 2
        return (
            f"You may approve this by a right of an emergency ({held.title_in(asked.environment)}),"
            f" which counts where you log in, not in a chat. Open {where} and approve it there, or "
            f"run `sentienguard approvals approve {asked.id}`."
        )
    if needs_page(held.centre, held.user):  # rule 3
        return f"Approving this takes more than a click here. Open {where} and approve it there."
    return ""


def needs_page(centre: Centre, user: User) -> bool:
    """Tell whether a yes of this person has to be given on the dashboard (rule 3)."""
    return (
        bool(centre.trust.root.roles[roots.RoleName.APPROVER].keyids)
        or centre.settings.second_factor == "required"
        or bool(centre.factors.of(user.name))
    )


def _held(centre: Centre, person: Person, user: User) -> Caller:
    """Return what this person may do now, with what was given to them in emergencies."""
    now = centre.clock.now()
    standing = tuple(centre.emergencies.of(user.name, at=now))
    return Caller(user, person.name, centre, now, None, standing)


def _answered(centre: Centre, person: Person, found: Judged, note: str) -> str:
    held, asked, status, user = found.held, found.asked, found.status, found.held.user
    about = {"role": held.title_in(asked.environment), "via": person.name}
    try:
        judge = earlier_yeses.judge(centre, asked)
        decided = answers.answer(
            centre, asked, status, by=user.name, note=note, about=about, judge=judge
        )
    except answers.RequesterCannotApprove as cause:
        what = f"{status.value} {asked.playbook} for {asked.incident}, asked for by themselves"
        _denied(centre, person, user, asked, what)
        return f"{cause}."
    except AlreadyDecided:
        return _before(centre.approvals.get(asked.id))
    except (errors.Unavailable, errors.Broken) as cause:
        return f"Your answer could not be kept: {cause}. Press again in a moment."
    if status is ApprovalStatus.APPROVED:
        findings.after_yes(centre, asked, user.name, person.service)
    centre.live.changed("approval", asked.id, centre.clock.now())
    if decided.status is ApprovalStatus.PENDING:
        return f"Your yes counts; {asked.needed} people have to approve {asked.playbook}."
    return f"{decided.status.value.capitalize()}: {asked.playbook} for {asked.incident}."


def _denied(centre: Centre, person: Person, user: User | None, asked: Approval, what: str) -> None:
    """Record a denial, as controlplane.api.caller does for the dashboard."""
    role = user.role_in(asked.environment, centre.clock.now()) if user else None
    centre.people.meet(person.name)  # so that the log has a pseudonym
    refusals.record(
        centre,
        person.service,
        {
            "role": role.value if role else "none",
            "action": Permission.DECIDE_APPROVAL.value,
            "what": what[:200],
            "result": "denied_insufficient_permissions" if user else "denied_not_linked",
            "via": person.name,
        },
        actor=user.name if user else person.name,
        environment=asked.environment,
        incident=asked.incident,
    )
