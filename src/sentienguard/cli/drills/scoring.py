"""Was it what was expected? One verdict from the story, the sandbox and the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentienguard.cli.drills import drill, story


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to hold."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a drill ended."""

    drill: str
    incident: str
    outcome: str
    playbook: str
    expected: str
    checks: tuple[Check, ...]
    timings: tuple[story.Timing, ...]
    seconds: float  # from the fault to the closed incident
    page: str  # address of the incident
    record: str  # path of the incident record

    @property
    def passed(self) -> bool:
        """Tell whether everything held."""
        return all(check.passed for check in self.checks)

    def document(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "drill": self.drill,
            "passed": self.passed,
            "incident": self.incident,
            "outcome": self.outcome,
            "playbook": self.playbook,
            "expected": self.expected,
            "seconds": round(self.seconds, 3),
            "stages": {one.stage: one.seconds for one in self.timings},
            "checks": [
                {"name": one.name, "passed": one.passed, "detail": one.detail}
                for one in self.checks
            ],
            "page": self.page,
            "record": self.record,
        }


def judge(
    expected: drill.Expected,
    told: Mapping[str, Any],
    invariants: Sequence[drill.Invariant],
    audit: Sequence[Check],
    *,
    gone: bool,
) -> tuple[Check, ...]:
    """Return everything that had to hold."""
    outcome = str(told["incident"]["outcome"])
    decision = told["decision"] or {}
    playbook = str(decision.get("playbook") or "none")
    return (
        Check("outcome", outcome == expected.outcome, _outcome(outcome, expected, told)),
        Check("playbook", playbook == expected.playbook, playbook),
        Check("looked at directly", gone, _gone(expected, gone=gone)),
        *(
            Check(
                one.name,
                one.kept,
                "unchanged" if one.kept else f"was {one.before}, is {one.after}",
            )
            for one in invariants
        ),
        *audit,
    )


def _outcome(outcome: str, expected: drill.Expected, told: Mapping[str, Any]) -> str:
    if outcome == expected.outcome:
        return outcome.replace("_", " ")
    because = told["incident"]["summary"]
    return f"{outcome.replace('_', ' ')} instead of {expected.outcome.replace('_', ' ')}: {because}"


def _gone(expected: drill.Expected, *, gone: bool) -> str:
    if expected.outcome == "rolled_back":
        return "as it was before the attempt" if gone else "not as it was before the attempt"
    return "the fault is gone" if gone else "the fault is still there"
