"""What each kind of entry is about. Controls ask for topics, so a new kind needs one line here.

Called by frameworks, gaps and rows. A kind has exactly one topic; `tests/unit/audit` fails for a
kind of entry that has none.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Topic(StrEnum):
    """What an entry is about, in the words of a report."""

    LOG = "the log itself"
    EXPORT = "reading of the log"
    HOST = "hosts that joined"
    ALARM = "alarms of hosts"
    LOGIN = "logins"
    OVERSIGHT = "findings about people's access"
    DENIAL = "refused access"
    ATTEMPT = "attempts to run what is not approved"
    ACCOUNT = "accounts and tokens"
    ROLE = "changes of roles"
    KEY = "keys of the control plane"
    EMERGENCY = "rights given in emergencies"
    SILENCE = "silences"
    STOP = "freezes and stops"
    DRILL = "drills"
    PLAYBOOK = "changes of playbooks"
    DETECTION = "detected incidents"
    DECISION = "decisions with their reasons"
    APPROVAL = "approvals"
    RELEASE = "released orders"
    ADMISSION = "orders as hosts judged them"
    WORK = "executed steps"
    VERIFICATION = "verifications"
    UNDO = "undone changes"
    CLOSURE = "closed incidents"
    HANDLING = "incidents as people handled them"


OF_KIND: Final[Mapping[str, Topic]] = {
    "log.started": Topic.LOG,
    "log.anchored": Topic.LOG,
    "evidence.built": Topic.EXPORT,
    "agent.enrolled": Topic.HOST,
    "agent.renewed": Topic.HOST,
    "agent.quarantined": Topic.ALARM,
    "agent.released": Topic.HOST,
    "agent.struck_off": Topic.HOST,
    "agent.alarm": Topic.ALARM,
    "user.login": Topic.LOGIN,
    "access.denied": Topic.DENIAL,
    "playbook.tried": Topic.ATTEMPT,
    "user.stepped_up": Topic.LOGIN,
    "session.ended": Topic.LOGIN,
    "access.finding": Topic.OVERSIGHT,
    "user.factor_added": Topic.LOGIN,
    "user.factor_removed": Topic.LOGIN,
    "user.added": Topic.ACCOUNT,
    "token.made": Topic.ACCOUNT,
    "token.revoked": Topic.ACCOUNT,
    "token.secrets_set": Topic.ACCOUNT,
    "chat.linked": Topic.ACCOUNT,
    "chat.unlinked": Topic.ACCOUNT,
    "user.erased": Topic.ACCOUNT,
    "people.opened": Topic.EXPORT,
    "blob.erased": Topic.LOG,
    "user.roles_set": Topic.ROLE,
    "key.rotated": Topic.KEY,
    "key.due": Topic.KEY,
    "emergency.asked": Topic.EMERGENCY,
    "emergency.agreed": Topic.EMERGENCY,
    "emergency.ended": Topic.EMERGENCY,
    "silence.added": Topic.SILENCE,
    "silence.ended": Topic.SILENCE,
    "maintenance.added": Topic.SILENCE,
    "maintenance.ended": Topic.SILENCE,
    "freeze.set": Topic.STOP,
    "freeze.cleared": Topic.STOP,
    "order.stop": Topic.STOP,
    "drill.injected": Topic.DRILL,
    "playbook.draft_made": Topic.PLAYBOOK,
    "playbook.draft_changed": Topic.PLAYBOOK,
    "playbook.draft_proven": Topic.PLAYBOOK,
    "playbook.draft_dropped": Topic.PLAYBOOK,
    "playbook.taken_over": Topic.PLAYBOOK,
    "incident.opened": Topic.DETECTION,
    "evidence.taken": Topic.DETECTION,
    "decision.made": Topic.DECISION,
    "advice.given": Topic.DECISION,
    "answer.pointed": Topic.DECISION,
    "approval.requested": Topic.APPROVAL,
    "approval.agreed": Topic.APPROVAL,
    "approval.decided": Topic.APPROVAL,
    "order.intent": Topic.RELEASE,
    "order.delivered": Topic.RELEASE,
    "order.admitted": Topic.ADMISSION,
    "order.refused": Topic.ADMISSION,
    "precheck.done": Topic.WORK,
    "step.done": Topic.WORK,
    "order.finished": Topic.WORK,
    "verify.done": Topic.VERIFICATION,
    "incident.verified": Topic.VERIFICATION,
    "outcome.judged": Topic.VERIFICATION,
    "undo.done": Topic.UNDO,
    "incident.closed": Topic.CLOSURE,
    "incident.acknowledged": Topic.HANDLING,
    "incident.assigned": Topic.HANDLING,
    "incident.noted": Topic.HANDLING,
    "incident.settled": Topic.HANDLING,
    "incident.reopened": Topic.HANDLING,
}
