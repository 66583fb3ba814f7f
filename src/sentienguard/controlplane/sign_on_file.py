"""What the owner's file says about the identity provider: who it is, and what its groups mean.

Called by app_sign_on. Pure: a parsed document goes in. Rules:

 1. A group means what this file says, in the environments that it names; any other group means
    nothing, and who is in none of these may not log in.
 2. Of several groups that mean something in one environment the largest role counts.
 3. An auditor's role names its last day, at most 30 days after the file is read: an audit ends.

    issuer: https://login.example.org/realms/ops
    client: sentienguard
    secret: file:/run/credentials/openid        # none: a public client
    button: Example login
    roles:
      sre: {staging: administrator, production: remediation_authority}
      everybody: {"*": observer}
      audit: {"*": auditor until 2026-12-20}
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

from sentienguard.controlplane.settings import SettingWrong
from sentienguard.model.access import AUDITOR_FOR_AT_MOST, EVERYWHERE, Role
from sentienguard.ports.outbound import Wanted
from sentienguard.trust import id_token

WaysOfCommandLines = tuple[Literal["browser", "paste"], ...]
WAYS_OF_COMMAND_LINES: Final[WaysOfCommandLines] = ("browser", "paste")
NEEDED: Final = frozenset({"issuer", "client", "roles"})
KNOWN: Final = NEEDED | {
    "secret", "secrets", "button", "scopes", "name_claim", "groups_claim", "algorithms", "also",
    "private", "strong_ways", "command_line",
}  # fmt: skip
LARGEST_FIRST: Final = (
    Role.ADMINISTRATOR,
    Role.REMEDIATION_AUTHORITY,
    Role.AUDITOR,
    Role.OBSERVER,
)
_AUDITOR: Final = re.compile(r"auditor until ([0-9]{4}-[0-9]{2}-[0-9]{2})\Z")


@dataclass(frozen=True, slots=True)
class Meant:
    """One role in one environment."""

    role: Role
    until: datetime | None = None  # an auditor's


@dataclass(frozen=True, slots=True)
class SignOnFile:
    """The whole file."""

    issuer: str
    client: str
    groups: Mapping[str, Mapping[str, Meant]]  # group, environment or "*"
    secret: str = ""  # its name in a secret store; empty: a public client
    secrets: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    button: str = "Single sign-on"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    algorithms: tuple[str, ...] = id_token.ALGORITHMS
    also: tuple[str, ...] = ()  # origins beside the issuer's that its endpoints may have
    private: bool = False  # its addresses need not be public
    strong_ways: frozenset[str] = frozenset()  # values of `amr` that count as a second factor
    command_line: WaysOfCommandLines = WAYS_OF_COMMAND_LINES  # how its codes may come back

    def wanted(self) -> list[Wanted]:
        """Return where requests may go."""
        return [Wanted(url, private=self.private) for url in (self.issuer, *self.also)]

    def roles(
        self, groups: Iterable[str], at: datetime
    ) -> tuple[dict[str, Role], dict[str, datetime]]:
        """Return what somebody in these groups is where, and until when (rules 1 to 3)."""
        roles: dict[str, Role] = {}
        ends: dict[str, datetime] = {}
        for group in sorted(set(groups) & set(self.groups)):
            for place, meant in self.groups[group].items():
                over = meant.until is not None and meant.until <= at
                if over or not _is_larger(meant.role, roles.get(place)):
                    continue
                roles[place] = meant.role
                ends.pop(place, None)
                if meant.until is not None:
                    ends[place] = meant.until
        return roles, ends


def read(document: Any, environments: Sequence[str], now: datetime) -> SignOnFile:
    """Read a document. Raises SettingWrong naming what is wrong."""
    if not isinstance(document, dict) or not NEEDED <= set(document) <= KNOWN:
        raise SettingWrong(
            f"expected {', '.join(sorted(NEEDED))} and perhaps {', '.join(sorted(KNOWN - NEEDED))}"
        )
    found: dict[str, Any] = {
        name: _text(document, name)
        for name in ("issuer", "client", "secret", "button", "name_claim", "groups_claim")
        if name in document
    }
    listed: dict[str, Any] = {
        name: _texts(document, name)
        for name in ("scopes", "algorithms", "also", "strong_ways", "command_line")
        if name in document
    }
    strange = set(listed.get("algorithms", ())) - set(id_token.ALGORITHMS)
    if strange:
        raise SettingWrong(
            f"algorithms: expected some of {', '.join(id_token.ALGORITHMS)}, found "
            f"{', '.join(sorted(strange))}"
        )
    if not set(listed.get("command_line", ())) <= set(WAYS_OF_COMMAND_LINES):
        raise SettingWrong(f"command_line: expected some of {', '.join(WAYS_OF_COMMAND_LINES)}")
    if "openid" not in listed.get("scopes", ("openid",)):
        raise SettingWrong("scopes: expected openid among them")
    if not isinstance(document.get("private", False), bool):
        raise SettingWrong("private: expected true or false")
    if not isinstance(document.get("secrets", {}), dict):
        raise SettingWrong("secrets: expected a mapping of stores")
    private = document.get("private", False)
    if not found["issuer"].startswith("https://") and not private:
        raise SettingWrong("issuer: expected https://; plain http only where private is true")
    return SignOnFile(
        groups=_groups(document["roles"], (*environments, EVERYWHERE), now),
        private=private,
        secrets=document.get("secrets", {}),
        strong_ways=frozenset(listed.pop("strong_ways", ())),
        **found,
        **listed,
    )


def _is_larger(role: Role, than: Role | None) -> bool:
    return than is None or LARGEST_FIRST.index(role) < LARGEST_FIRST.index(than)


def _groups(said: Any, places: Sequence[str], now: datetime) -> Mapping[str, Mapping[str, Meant]]:
    if not isinstance(said, dict) or not said:
        raise SettingWrong("roles: expected a mapping of groups; without one nobody may log in")
    found = {}
    for group, meanings in said.items():
        if not isinstance(meanings, dict):
            raise SettingWrong(f"roles: {group}: expected a mapping of environments to roles")
        strange = sorted(set(meanings) - set(places))
        if strange:
            raise SettingWrong(
                f"roles: {group}: expected environments out of {', '.join(places)}, found {strange}"
            )
        found[str(group)] = {
            place: _meant(f"roles: {group}: {place}", str(role), now)
            for place, role in meanings.items()
        }
    return found


def _meant(where: str, said: str, now: datetime) -> Meant:
    audit = _AUDITOR.match(said)
    if audit is None:
        if said == Role.AUDITOR or said not in set(Role):
            raise SettingWrong(
                f"{where}: expected observer, remediation_authority, administrator or `auditor "
                f"until YYYY-MM-DD`, found {said[:60]!a}"
            )
        return Meant(Role(said))
    try:
        day = date.fromisoformat(audit[1])
    except ValueError as cause:
        raise SettingWrong(f"{where}: {audit[1]} is no day") from cause
    until = datetime.combine(day, time(0), UTC) + timedelta(days=1)
    if until > now + AUDITOR_FOR_AT_MOST:
        raise SettingWrong(
            f"{where}: an auditor looks for at most {AUDITOR_FOR_AT_MOST.days} days; {day} is later"
        )
    return Meant(Role.AUDITOR, until)


def _text(document: Mapping[str, Any], name: str) -> str:
    found = document[name]
    if not isinstance(found, str) or not found or not found.isprintable():
        raise SettingWrong(f"{name}: expected text")
    return found


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = document[name]
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise SettingWrong(f"{name}: expected a list of texts")
    return tuple(found)
