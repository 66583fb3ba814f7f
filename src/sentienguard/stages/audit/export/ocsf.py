"""Entries as events of the Open Cybersecurity Schema Framework, version 1.8.0 (16 March 2026).

Called by the CLI. The classes and their required members are those of github.com/ocsf/ocsf-schema
at version 1.8.0; the tests validate every kind of entry against an excerpt of that schema. Classes
3001 and 3005 are used for accounts and privileges: their successors exist only in drafts of 1.9.
What OCSF has no place for goes to `unmapped`: index and leaf hash, with which the entry can be
proven, and the entry's own data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sentienguard.stages.audit.export.meaning import Meaning

VERSION: Final = "1.8.0"
SERVICE: Final = "SentienGuard"
Members: TypeAlias = dict[str, Any]
_OTHER: Final = 99  # an activity that the class does not list
_NEW, _IN_PROGRESS, _RESOLVED, _CLOSED = 1, 2, 4, 5  # of an incident finding
_DETECT, _RESTORE = 5, 3  # of a remediation


@dataclass(frozen=True, slots=True)
class Class:
    """A class of OCSF."""

    uid: int
    category: int
    name: str
    members: Callable[[Meaning], Members]  # what it requires beside the members of all events


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a kind of entry is in OCSF."""

    of: Class
    activity: int
    activity_name: str
    status: int | None = None  # None: success, failure or unknown, as the entry says


def _user(said: Meaning, *names: str) -> Members:
    """Return the user that an entry is about: the one that its data names, else its actor."""
    found = next((said.data[name] for name in names if isinstance(said.data.get(name), str)), "")
    return {"name": found or said.actor}


def _actor(said: Meaning) -> Members:
    return {"user": {"name": said.actor}, "app_name": SERVICE}


def _endpoint(said: Meaning) -> Members:
    return {"ip": said.address} if said.address else {"name": said.source}


def _event_log(said: Meaning) -> Members:
    return {"actor": _actor(said), "log_name": "SentienGuard audit log", "log_type_id": 2}


def _login(said: Meaning) -> Members:
    return {
        "user": _user(said, "user"),
        "service": {"name": SERVICE},
        "src_endpoint": _endpoint(said),
    }


def _account(said: Meaning) -> Members:
    return {"user": _user(said, "user", "name"), "actor": _actor(said)}


def _privileges(said: Meaning) -> Members:
    roles, purpose = said.data.get("roles"), said.data.get("purpose")
    named = (
        [f"{role} in {where}" for where, role in roles.items()] if isinstance(roles, dict) else []
    )
    return {
        "user": _user(said, "user", "name"),
        "actor": _actor(said),
        "privileges": named or ([purpose] if isinstance(purpose, str) else ["none named"]),
    }


def _entity(said: Meaning) -> Members:
    names = ("host", "agent", "name", "id", "token", "silence", "reason")
    found = next((said.data[name] for name in names if isinstance(said.data.get(name), str)), "")
    entity = {"name": found or said.kind, "type": said.kind.partition(".")[0]}
    return {"actor": _actor(said), "entity": entity}


def _api(said: Meaning) -> Members:
    operation = said.data.get("action")
    return {
        "actor": _actor(said),
        "api": {"operation": operation if isinstance(operation, str) else said.kind},
        "src_endpoint": _endpoint(said),
    }


def _application(said: Meaning) -> Members:
    name = said.data.get("drill")
    return {"app": {"name": f"drill {name}" if isinstance(name, str) else "drill"}}


def _finding(said: Meaning) -> Members:
    return {
        "finding_info": {"uid": said.incident or said.leaf_hash, "title": said.title},
        "is_alert": True,
    }


def _incident(said: Meaning) -> Members:
    return {
        "finding_info_list": [{"uid": said.incident or said.leaf_hash, "title": said.title}],
        "assignee_group": {"name": said.environment or SERVICE},
        "desc": said.title,
    }


def _remediation(said: Meaning) -> Members:
    order = said.data.get("order_id")
    return {"command_uid": order if isinstance(order, str) and order else said.leaf_hash}


EVENT_LOG: Final = Class(1008, 1, "Event Log Activity", _event_log)
DETECTION: Final = Class(2004, 2, "Detection Finding", _finding)
INCIDENT: Final = Class(2005, 2, "Incident Finding", _incident)
ACCOUNT: Final = Class(3001, 3, "Account Change", _account)
LOGIN: Final = Class(3002, 3, "Authentication", _login)
ENTITY: Final = Class(3004, 3, "Entity Management", _entity)
PRIVILEGES: Final = Class(3005, 3, "User Access Management", _privileges)
APPLICATION: Final = Class(6002, 6, "Application Lifecycle", _application)
API: Final = Class(6003, 6, "API Activity", _api)
REMEDIATION: Final = Class(7001, 7, "Remediation Activity", _remediation)

_MADE: Final = Mapped(ENTITY, 1, "Create")
_ENDED: Final = Mapped(ENTITY, 11, "Deactivate")
_GOES_ON: Final = Mapped(INCIDENT, 2, "Update", _IN_PROGRESS)
_ACTS: Final = Mapped(REMEDIATION, _RESTORE, "Restore")
_LOOKS: Final = Mapped(REMEDIATION, _DETECT, "Detect")

CLASS_OF: Final[Mapping[str, Mapped]] = {
    "log.started": Mapped(EVENT_LOG, 6, "Start"),
    "log.anchored": Mapped(EVENT_LOG, 3, "Export"),
    "evidence.built": Mapped(EVENT_LOG, 3, "Export"),
    "agent.enrolled": Mapped(ENTITY, 6, "Enroll"),
    "agent.renewed": Mapped(ENTITY, 3, "Update"),
    "agent.quarantined": Mapped(DETECTION, 1, "Create", _NEW),
    "agent.released": Mapped(ENTITY, 3, "Update"),
    "agent.struck_off": Mapped(ENTITY, 7, "Unenroll"),
    "agent.alarm": Mapped(DETECTION, 1, "Create", _NEW),
    "playbook.tried": Mapped(DETECTION, 1, "Create", _NEW),
    "user.login": Mapped(LOGIN, 1, "Logon"),
    "access.denied": Mapped(API, _OTHER, "Denied"),
    "user.stepped_up": Mapped(LOGIN, _OTHER, "Step-up"),
    "session.ended": Mapped(LOGIN, 2, "Logoff"),
    "access.finding": Mapped(LOGIN, _OTHER, "Finding"),
    "key.rotated": Mapped(ENTITY, 3, "Update"),
    "key.due": Mapped(ENTITY, _OTHER, "Due"),
    "emergency.asked": Mapped(PRIVILEGES, _OTHER, "Asked in an emergency"),
    "emergency.agreed": Mapped(PRIVILEGES, 1, "Assign Privileges"),
    "emergency.ended": Mapped(PRIVILEGES, 2, "Revoke Privileges"),
    "user.factor_added": Mapped(ACCOUNT, 10, "MFA Factor Enable"),
    "user.factor_removed": Mapped(ACCOUNT, 11, "MFA Factor Disable"),
    "user.added": Mapped(ACCOUNT, 1, "Create"),
    "user.erased": Mapped(ACCOUNT, 6, "Delete"),
    "people.opened": Mapped(EVENT_LOG, 3, "Export"),
    "blob.erased": Mapped(EVENT_LOG, 1, "Clear"),
    "user.roles_set": Mapped(PRIVILEGES, 1, "Assign Privileges"),
    "token.made": _MADE,
    "token.revoked": _ENDED,
    "token.secrets_set": Mapped(ENTITY, 3, "Update"),
    "chat.linked": _MADE,
    "chat.unlinked": _ENDED,
    "silence.added": _MADE,
    "silence.ended": _ENDED,
    "maintenance.added": _MADE,
    "maintenance.ended": _ENDED,
    "freeze.set": Mapped(ENTITY, 9, "Disable"),
    "freeze.cleared": Mapped(ENTITY, 8, "Enable"),
    "order.stop": Mapped(REMEDIATION, _OTHER, "Stop"),
    "playbook.draft_made": _MADE,
    "playbook.draft_changed": Mapped(ENTITY, 3, "Update"),
    "playbook.draft_proven": Mapped(ENTITY, _OTHER, "Proven"),
    "playbook.draft_dropped": Mapped(ENTITY, 4, "Delete"),
    "playbook.taken_over": Mapped(ENTITY, 3, "Update"),
    "drill.injected": Mapped(APPLICATION, 3, "Start"),
    "incident.opened": Mapped(INCIDENT, 1, "Create", _NEW),
    "evidence.taken": _GOES_ON,
    "decision.made": _GOES_ON,
    "advice.given": _GOES_ON,
    "answer.pointed": _GOES_ON,
    "approval.requested": _GOES_ON,
    "approval.agreed": _GOES_ON,
    "approval.decided": _GOES_ON,
    "incident.acknowledged": _GOES_ON,
    "incident.assigned": _GOES_ON,
    "incident.noted": _GOES_ON,
    "incident.settled": Mapped(INCIDENT, 3, "Close", _RESOLVED),
    "incident.reopened": _GOES_ON,
    "incident.verified": _GOES_ON,
    "outcome.judged": _GOES_ON,
    "incident.closed": Mapped(INCIDENT, 3, "Close", _CLOSED),
    "order.intent": _ACTS,
    "order.delivered": _ACTS,
    "order.admitted": _ACTS,
    "order.refused": _ACTS,
    "precheck.done": _LOOKS,
    "step.done": _ACTS,
    "verify.done": _LOOKS,
    "undo.done": _ACTS,
    "order.finished": _ACTS,
}


def event(said: Meaning, product_version: str) -> Members:
    """Return the event of an entry, as plain JSON."""
    mapped = CLASS_OF[said.kind]
    found = mapped.of
    status = said.outcome.value if mapped.status is None else mapped.status
    return {
        "activity_id": mapped.activity,
        "activity_name": mapped.activity_name,
        "category_uid": found.category,
        "class_uid": found.uid,
        "class_name": found.name,
        "type_uid": found.uid * 100 + mapped.activity,
        "time": said.at_ms,
        "severity_id": said.severity.ocsf,
        "status_id": status,
        "message": said.title,
        "metadata": {
            "version": VERSION,
            "uid": said.leaf_hash,
            "sequence": said.index,
            "event_code": said.kind,
            "log_name": "SentienGuard audit log",
            "labels": list(said.controls),
            "product": {
                "name": SERVICE,
                "vendor_name": SERVICE,
                "version": product_version,
            },
        },
        **found.members(said),
        "unmapped": {
            "index": said.index,
            "leaf_hash": said.leaf_hash,
            "source": said.source,
            "source_seq": said.source_seq,
            "environment": said.environment,
            "incident": said.incident,
            "outcome": said.outcome.name.lower(),
            "data": dict(said.data),
        },
    }
