"""Who may do what, where. Deny by default; an unknown environment denies.

`GRANTS` is the one table of it: the API enforces it, `GET /api/v1/roles` shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

EVERYWHERE = "*"  # stands for every known environment in a table of roles
# Actors of the log that are no people. Nobody is called so, however it is spelt.
NO_PEOPLE = frozenset({"sentienguard", "clock", "single-sign-on"})
AUDITOR_FOR_AT_MOST = timedelta(days=30)  # an audit ends; the right to look ends with it


class Role(StrEnum):
    """What a person is in one environment."""

    OBSERVER = "observer"
    REMEDIATION_AUTHORITY = "remediation_authority"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """Something that a person may try to do."""

    VIEW = "view"
    DECIDE_APPROVAL = "decide_approval"
    RUN_PLAYBOOK = "run_playbook"
    STOP_EXECUTION = "stop_execution"
    FREEZE = "freeze"
    SILENCE = "silence"  # silences and maintenance
    HANDLE_INCIDENT = "handle_incident"  # acknowledge, assign, note, close by hand, reopen
    RUN_DRILL = "run_drill"
    VIEW_USERS = "view_users"  # who has which role, until when
    MANAGE_USERS = "manage_users"
    CHANGE_SETTINGS = "change_settings"
    EDIT_PLAYBOOKS = "edit_playbooks"  # drafts, and taking over what signers signed
    BREAK_GLASS = "break_glass"  # ask for a right in an emergency, and agree to another's request
    EXPORT_EVIDENCE = "export_evidence"  # packages and whole entries of all environments


_SEES = frozenset({Permission.VIEW})
_OPERATES = _SEES | {
    Permission.DECIDE_APPROVAL,
    Permission.RUN_PLAYBOOK,
    Permission.STOP_EXECUTION,
    Permission.FREEZE,
    Permission.SILENCE,
    Permission.HANDLE_INCIDENT,
    Permission.RUN_DRILL,
}

GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.OBSERVER: _SEES,
    Role.REMEDIATION_AUTHORITY: _OPERATES,
    Role.ADMINISTRATOR: frozenset(Permission),
    Role.AUDITOR: _SEES | {Permission.VIEW_USERS, Permission.EXPORT_EVIDENCE},  # changes nothing
}

MEANING: Mapping[Role, str] = {
    Role.OBSERVER: "sees incidents, hosts, readings, playbooks and the log",
    Role.REMEDIATION_AUTHORITY: "answers questions, runs and stops remedies, freezes, silences",
    Role.ADMINISTRATOR: "does all of it, edits playbooks, manages accounts, tokens and settings",
    Role.AUDITOR: "sees all of it and who may do what, takes evidence away, changes nothing; for "
    "at most 30 days",
}


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account, or a machine with a token that only reads."""

    name: str  # e-mail address or login name
    roles: Mapping[str, Role]  # by environment; "*" stands for every known environment
    ends: Mapping[str, datetime] = field(default_factory=dict)  # when a role there is over

    def role_in(self, environment: str, at: datetime) -> Role | None:
        """Return the role there at this moment.

        A role of its own in an environment stands instead of the one everywhere, also when it is
        over: else the end of a small role would bring back a large one. An auditor's that says no
        end never began.
        """
        place = environment if environment in self.roles else EVERYWHERE
        role = self.roles.get(place)
        end = self.ends.get(place)
        if end is None:
            return None if role is Role.AUDITOR else role
        return role if at < end else None

    def may(self, permission: Permission, environment: str, at: datetime) -> bool:
        """Tell whether this user may do this there at this moment; no role there means no."""
        role = self.role_in(environment, at)
        return role is not None and permission in GRANTS[role]
