"""What an import makes: drafts, and everything about their source that is not in them.

Made by the readers of this package, written out by `writing` and `report`. Nothing is left out in
silence: what a reader does not carry over becomes a `Loss`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sentienguard.model.playbook import Risk
from sentienguard.playbook import kinds

Fields = Mapping[str, Any]  # of an action, a check or a parameter, as playbook.yaml writes them
MAX_STEPS: Final = 32  # of one playbook
LONGEST_NAME: Final = 60


class Lost(StrEnum):
    """Why something was not carried over as it stood."""

    SHELL = "shell"
    SCRIPT = "script"
    TEMPLATE = "template"
    PRIVILEGE = "privilege"
    LOOP = "loop"
    CONDITION = "condition"
    FLOW = "control-flow"
    MODULE = "unknown-action"
    SECRET = "secret"  # noqa: S105 - the name of a kind of loss
    TARGET = "target"
    TIMING = "schedule"
    NOTICE = "notification"
    PARAMETER = "parameter"
    OTHER = "not-carried-over"
    UNDO = "no-undo"
    VERIFICATION = "no-verification"
    GUARD = "no-guard"


WAYS_OUT: Final[Mapping[Lost, str]] = {
    Lost.SHELL: "use a fact, a typed action, or argv with one program",
    Lost.SCRIPT: "split it into typed actions; a script of your own is one program with a path",
    Lost.TEMPLATE: "declare a parameter of a closed type; it stands for a whole value",
    Lost.PRIVILEGE: "the executor runs as its own user; name another one with user: if it must",
    Lost.LOOP: "write the steps out, or use one fs action with a pattern",
    Lost.CONDITION: "write it as only_if: or guard: over facts that the host measures",
    Lost.FLOW: "steps run one after another, and a failure undoes them; say the rest in steps",
    Lost.MODULE: "look for a typed action: fs, service, process, http, or a program with argv",
    Lost.SECRET: "no playbook holds a secret; the host's own services know theirs",
    Lost.TARGET: "an incident says which host is meant; exclusions: says where it never runs",
    Lost.TIMING: "an incident starts it; nothing runs by the clock",
    Lost.NOTICE: "leave it out: the incident record already says what happened",
    Lost.PARAMETER: "declare a parameter of a closed type: mountpoint, service, pid, enum, bounds",
    Lost.OTHER: "decide whether it is still needed",
    Lost.UNDO: "write rollback: {action: ...}, or rollback: {skip: why it cannot be undone}",
    Lost.VERIFICATION: "check the symptom, and also what must not have changed",
    Lost.GUARD: "write guard: with a condition that is true only while the symptom is there",
}


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing of the source that is not in the draft, or not as it was."""

    line: int  # of the source, counted from 1
    where: str  # step or part of the source, in its own words
    kind: Lost
    what: str  # one sentence

    @property
    def way_out(self) -> str:
        """Say what to do about it."""
        return WAYS_OUT[self.kind]


@dataclass(slots=True)
class Step:
    """One step of a draft."""

    name: str
    action: Fields
    line: int
    undo: Fields | None = None  # None: the source has none, and none follows from the action


@dataclass(slots=True)
class Draft:
    """A playbook in the making."""

    name: str
    description: str
    line: int
    steps: list[Step] = field(default_factory=list)
    parameters: dict[str, Fields] = field(default_factory=dict)
    checks: list[Fields] = field(default_factory=list)  # verification that follows from actions
    losses: list[Loss] = field(default_factory=list)

    def lose(self, line: int, where: str, kind: Lost, what: str) -> None:
        """Note that something is not carried over."""
        self.losses.append(Loss(line, plain(where, 80), kind, plain(what, 240)))

    def add(self, name: str, action: Fields, line: int, undo: Fields | None = None) -> None:
        """Add a step under a name that no other one has."""
        if len(self.steps) >= MAX_STEPS:
            what = f"a playbook has at most {MAX_STEPS} steps; this one is left out"
            self.lose(line, name, Lost.OTHER, what)
            return
        taken = {step.name for step in self.steps}
        given = word(name) or f"step_{len(self.steps) + 1}"
        unique = next(
            one
            for one in (given, *(f"{given}_{number}" for number in range(2, MAX_STEPS + 2)))
            if one not in taken
        )
        self.steps.append(Step(unique, action, line, undo))

    @property
    def risk(self) -> Risk:
        """Return the highest static risk of its actions; CRITICAL where one is not known."""
        found = [
            Risk.CRITICAL  # nobody can tell what a shell would have made of it
            if "command" in step.action
            else kinds.step_risk(str(step.action["action"]), str(step.action.get("operation", "")))
            for step in self.steps
        ]
        return max(found, key=lambda risk: risk.rank, default=Risk.CRITICAL)

    @property
    def needs(self) -> list[str]:
        """Return the privileges that its steps use."""
        found = (_need(step.action) for step in self.steps)
        return sorted({need for need in found if need})

    def whole(self) -> "Draft":
        """Note what no source of this kind says, and return itself."""
        for step in self.steps:
            if step.undo is None:
                what = "the source does not say how this is undone"
                self.lose(step.line, step.name, Lost.UNDO, what)
        self.lose(self.line, self.name, Lost.GUARD, "the source does not say when this is right")
        what = "the source does not say how one knows that the symptom is gone"
        self.lose(self.line, self.name, Lost.VERIFICATION, what)
        self.losses.sort(key=lambda loss: (loss.line, loss.kind, loss.what))
        return self


def word(text: str) -> str:
    """Return a name as playbooks write them; empty where nothing is left of the text."""
    found = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:LONGEST_NAME].strip("_")
    return found if not found[:1].isdigit() else f"n{found}"


def plain(text: str, most: int) -> str:
    """Return text of others on one line, without what could rewrite a terminal or a page."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    joined = " ".join(shown.split())
    return joined if len(joined) <= most else f"{joined[: most - 3]}..."


def _need(action: Fields) -> str:
    match action:
        case {"action": "service", "service": str(name)}:
            return f"service:{name}"
        case {"action": "fs", "operation": "set_setting", "path": str(path)}:
            return f"config:{path}"
        case {"action": "ssh_command", "argv": [str(program), *_]} if program.startswith("/"):
            return f"run:{program}"
        case {"action": "http"}:
            return "loopback"
        case _:
            return ""
