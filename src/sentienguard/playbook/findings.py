"""What lint finds. Called by `lint` and its rules."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Level(StrEnum):
    """What a finding means for signing."""

    ERROR = "error"  # cannot be signed
    WARNING = "warning"  # worth a look


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to change or to think about."""

    line: int | None  # counts from 1; None: the lines are not known
    path: str  # where, for example steps[0].rollback
    rule: str
    message: str
    way_out: str
    level: Level

    def on(self, line: int | None) -> "Finding":
        """Return the same finding with its line."""
        return replace(self, line=line)


def error(rule: str, path: str, message: str, way_out: str) -> Finding:
    """Make a finding that keeps a playbook from being signed."""
    return Finding(None, path, rule, message, way_out, Level.ERROR)


def warning(rule: str, path: str, message: str, way_out: str) -> Finding:
    """Make a finding that a person should weigh."""
    return Finding(None, path, rule, message, way_out, Level.WARNING)
