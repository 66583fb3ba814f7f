"""What a drill is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sentienguard.cli.installation import sandbox as sandboxes
from sentienguard.model import errors


class NotInjected(errors.Broken):
    """The fault is not there after it was injected: nothing can be learnt from the drill."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """Where the fault shows."""

    metric: str
    subject: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to come of it."""

    outcome: str  # of the incident, as in model.incident.Outcome
    playbook: str  # the remedy that is for it
    sentence: str  # the same for people


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that was so before and has to be so afterwards."""

    name: str
    before: str
    after: str

    @property
    def kept(self) -> bool:
        """Tell whether it is as it was."""
        return self.before == self.after


class Drill(Protocol):
    """One fault in a sandbox. Made anew for each run."""

    name: str
    description: str  # a sentence: what is broken, and what is expected
    expected: Expected

    @property
    def symptom(self) -> Symptom:
        """Return where the fault shows."""

    def inject(self) -> str:
        """Break it and say in a few words what was done. Raises OSError."""

    def is_present(self) -> bool:
        """Look whether the fault is there, without asking the product."""

    def is_gone(self) -> bool:
        """Look whether what was broken works, without asking the product."""

    def facts(self) -> Mapping[str, str]:
        """Return what must not change, by a name for people; asked before and after."""

    def clean_up(self) -> None:
        """Make the sandbox whole again, whatever happened."""


class Maker(Protocol):
    """A drill's class."""

    name: str
    description: str
    expected: Expected

    def __call__(self, sandbox: sandboxes.Sandbox, **parameters: int) -> Drill:
        """Return a drill on this sandbox. Raises errors.Rejected for parameters out of bounds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one order that was given straight to an executor."""

    outcome: str  # order.ExecutionOutcome, perhaps with why, or `refused: RULE why`
    gone: bool  # the fault, by the drill's own eyes
    changed: tuple[str, ...]  # what must not change and did

    def __str__(self) -> str:
        """Show for people."""
        return f"{self.outcome}, gone {self.gone}, changed {', '.join(self.changed) or 'nothing'}"


def bounded(name: str, value: int, least: int, most: int) -> int:
    """Return a parameter. Raises errors.Rejected where it is out of its bounds."""
    if type(value) is not int or not least <= value <= most:
        raise errors.Rejected(
            f"parameter {name}: expected a whole number from {least} to {most}, found {value!r}"
        )
    return value


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Invariant, ...]:
    """Return every invariant with both values."""
    return tuple(
        Invariant(name, value, after.get(name, "missing")) for name, value in before.items()
    )
