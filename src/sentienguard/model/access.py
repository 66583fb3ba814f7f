"""Who may do what, where. Deny by default; an unknown environment denies."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is in one environment, in rising order of `rank`."""

    OBSERVER = "observer"
    REMEDIATION_AUTHORITY = "remediation_authority"
    ADMINISTRATOR = "administrator"

    @property
    def rank(self) -> int:
        """Order roles: each may do all that the ones below it may."""
        return tuple(Role).index(self)


class Permission(StrEnum):
    """Something that a person may try to do."""

    VIEW = "view"
    DECIDE_APPROVAL = "decide_approval"
    RUN_PLAYBOOK = "run_playbook"
    STOP_EXECUTION = "stop_execution"
    FREEZE = "freeze"
    SILENCE = "silence"  # silences and maintenance
    HANDLE_INCIDENT = "handle_incident"  # acknowledge, assign, note, close by hand, reopen
    MANAGE_USERS = "manage_users"
    CHANGE_SETTINGS = "change_settings"
    RUN_DRILL = "run_drill"
    EXPORT_EVIDENCE = "export_evidence"  # packages and whole entries of all environments


LEAST_ROLE: Mapping[Permission, Role] = {
    Permission.VIEW: Role.OBSERVER,
    Permission.DECIDE_APPROVAL: Role.REMEDIATION_AUTHORITY,
    Permission.RUN_PLAYBOOK: Role.REMEDIATION_AUTHORITY,
    Permission.STOP_EXECUTION: Role.REMEDIATION_AUTHORITY,
    Permission.FREEZE: Role.REMEDIATION_AUTHORITY,
    Permission.SILENCE: Role.REMEDIATION_AUTHORITY,
    Permission.HANDLE_INCIDENT: Role.REMEDIATION_AUTHORITY,
    Permission.RUN_DRILL: Role.REMEDIATION_AUTHORITY,
    Permission.MANAGE_USERS: Role.ADMINISTRATOR,
    Permission.CHANGE_SETTINGS: Role.ADMINISTRATOR,
    Permission.EXPORT_EVIDENCE: Role.ADMINISTRATOR,
}


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account."""

    name: str  # e-mail address or login name
    roles: Mapping[str, Role]  # by environment; "*" stands for every known environment

    def may(self, permission: Permission, environment: str) -> bool:
        """Tell whether this user may do this there; no role there means no."""
        role = self.roles.get(environment, self.roles.get("*"))
        return role is not None and role.rank >= LEAST_ROLE[permission].rank
