"""What an entry says in terms that every format has: title, outcome, severity, address.

Called by ocsf, cef and syslog, so that the three never disagree.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Outcome(Enum):
    """How it ended."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2


class Severity(Enum):
    """How bad, with its numbers: OCSF severity_id, CEF 0 to 10, syslog (lower is worse)."""

    INFORMATIONAL = (1, 1, 6)
    LOW = (2, 3, 5)
    MEDIUM = (3, 5, 4)
    HIGH = (4, 8, 3)
    CRITICAL = (5, 10, 2)

    @property
    def ocsf(self) -> int:
        """The number in OCSF."""
        return self.value[0]

    @property
    def cef(self) -> int:
        """The number in CEF."""
        return self.value[1]

    @property
    def syslog(self) -> int:
        """The number in RFC 5424."""
        return self.value[2]


_REFUSALS: Final = frozenset({"access.denied", "order.refused", "playbook.tried"})
_FAILED: Final = frozenset({
    "failed", "refused", "denied", "deny", "rejected", "expired", "timed_out", "error", "broken",
    "rolled_back", "partially_rolled_back", "escalated", "false",
})  # fmt: skip
_WENT_WELL: Final = frozenset({
    "passed", "done", "verified", "approved", "approve", "resolved", "succeeded", "success",
    "undone", "ok", "true", "self_recovered", "no_action_needed",
})  # fmt: skip
_OF_INCIDENT: Final = {
    "info": Severity.LOW, "warning": Severity.MEDIUM, "critical": Severity.CRITICAL,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """An entry in common terms."""

    index: int  # in the log
    leaf_hash: str  # hex
    kind: str
    at_ms: int
    title: str  # a few words: the kind and what it was about
    outcome: Outcome
    severity: Severity
    actor: str  # who did it; the source where nobody is named
    source: str
    source_seq: int
    environment: str
    incident: str
    address: str | None  # of who asked, where it is an IP address
    data: Mapping[str, Any]
    controls: tuple[str, ...]


def of(index: int, leaf_hash: bytes, fields: Mapping[str, Any]) -> Meaning:
    """Return what an entry says."""
    data, kind = fields["data"], fields["kind"]
    outcome = _outcome(kind, data)
    return Meaning(
        index=index,
        leaf_hash=leaf_hash.hex(),
        kind=kind,
        at_ms=fields["ts_ms"],
        title=_title(kind, data),
        outcome=outcome,
        severity=_severity(kind, data, outcome),
        actor=fields["actor"] or fields["src"],
        source=fields["src"],
        source_seq=fields["src_seq"],
        environment=fields["env"],
        incident=fields["incident"],
        address=_address(data.get("ip_address")),
        data=data,
        controls=tuple(fields["controls"]),
    )


def _title(kind: str, data: Mapping[str, Any]) -> str:
    for name in ("summary", "reason", "playbook", "name", "outcome", "what", "detail"):
        found = data.get(name)
        if isinstance(found, str) and found:
            return f"{kind}: {found[:200]}"
    return kind


def _outcome(kind: str, data: Mapping[str, Any]) -> Outcome:
    if kind in _REFUSALS:
        return Outcome.FAILURE
    for name in ("status", "outcome", "decision", "passed", "result"):
        said = str(data.get(name, "")).lower()
        if said in _FAILED:
            return Outcome.FAILURE
        if said in _WENT_WELL:
            return Outcome.SUCCESS
    return Outcome.UNKNOWN


def _severity(kind: str, data: Mapping[str, Any], outcome: Outcome) -> Severity:
    if kind == "incident.opened":
        return _OF_INCIDENT.get(str(data.get("severity", "")).lower(), Severity.MEDIUM)
    if kind in {"agent.alarm", "agent.quarantined"}:
        return Severity.HIGH
    if kind in _REFUSALS:
        return Severity.MEDIUM
    return Severity.LOW if outcome is Outcome.FAILURE else Severity.INFORMATIONAL


def _address(found: Any) -> str | None:
    try:
        return str(ipaddress.ip_address(found)) if isinstance(found, str) else None
    except ValueError:
        return None
