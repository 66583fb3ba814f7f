"""Read playbook.yaml.

Called by the executor (the signed bytes), by the control plane (import), the simulation and the
CLI (drafts). `load` gives a playbook or says everything that keeps the bytes from being one;
`load_draft` reads the same language and also what is not finished: fragments without a name or
description, commands that need a shell. A draft shows what is missing and cannot be signed.

    playbook = parse.load(stored, origin="playbooks/disk_cleanup/playbook.yaml")
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sentienguard.model import ids
from sentienguard.model.playbook import Check, Parameter, Playbook, Risk, Slots, Step
from sentienguard.playbook import document, fields, kinds, parts
from sentienguard.playbook.document import Node, Scalar, Sequence, Table
from sentienguard.playbook.problems import BrokenPlaybook, Problem

__all__ = ["KEYS", "NEEDED", "BrokenPlaybook", "Draft", "Problem", "load", "load_draft"]

KEYS = (
    *("name", "version", "description", "match", "metrics", "risk", "parameters", "guard"),
    *("pre_execution_checks", "steps", "verification", "approval_gate", "exclusions", "needs"),
    *("max_per_hour", "idempotent", "estimated_duration", "risk_reason"),
)
NEEDED = ("name", "version", "description", "match", "risk", "steps", "verification")
MAX_PER_HOUR = 1  # of a playbook that does not say
MAX_RISK_REASON = 300  # characters: it is one line of a question that is read at night
_NAME = re.compile(r"[a-z][a-z0-9_]{1,63}", re.ASCII)
_VERSION = re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){2}", re.ASCII)
_SLOT = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_METRIC = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+", re.ASCII)
_HOST_PATTERN = re.compile(r"[A-Za-z0-9_.*?\[\]!-]{1,253}", re.ASCII)
_NEED = re.compile(
    r"write:(?:/[A-Za-z0-9_./@-]*|@[a-z][a-z0-9_]*(?:/[A-Za-z0-9_./@-]+)?)"
    r"|config:(?:/[A-Za-z0-9_./@-]+|@?[A-Za-z0-9_][A-Za-z0-9_.@-]*)"
    r"|service:@?[A-Za-z0-9_][A-Za-z0-9_.@-]*"
    r"|run:/[A-Za-z0-9_./@-]+"
    r"|(?:server|open-files):@?[A-Za-z0-9_][A-Za-z0-9_.@-]*"
    r"|kernel:[a-z0-9_.]+"
    r"|locks|kill|nice|loopback|sql|kubernetes|cloud|ssh",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A playbook as far as it could be read.

    What is absent has the most cautious value: no name, CRITICAL risk, not idempotent.
    """

    origin: str  # file name or other source, for messages
    playbook: Playbook
    problems: tuple[Problem, ...]  # wrong in any playbook
    missing: tuple[Problem, ...]  # right in a draft; a playbook to sign needs it
    lines: Mapping[str, int]  # line of each part, by its path: steps[0], verification[1]

    @property
    def complete(self) -> bool:
        """Tell whether `load` would accept it."""
        return not self.problems and not self.missing


def load(stored: bytes, *, origin: str) -> Playbook:
    """Read a complete playbook. Raises BrokenPlaybook with every problem and its line."""
    draft = load_draft(stored, origin=origin)
    if not draft.complete:
        raise BrokenPlaybook(origin, draft.problems + draft.missing)
    return draft.playbook


def load_draft(stored: bytes, *, origin: str) -> Draft:
    """Read what is there. Raises BrokenPlaybook only for bytes that are no readable YAML."""
    root = document.read(stored, origin)
    notes = fields.Notes()
    if isinstance(root, Sequence):  # a list of steps, as one pastes them into a discussion
        root = Table(root.line, {"steps": root}, {"steps": root.line})
    if not isinstance(root, Table):
        raise BrokenPlaybook(origin, [Problem(root.line, "", "a mapping", document.describe(root))])
    parts.unknown_keys(root, "", KEYS, notes)
    for key in NEEDED:
        if key not in root.entries:
            notes.absent(root, "", key)
    notes.lines |= root.key_lines
    playbook = _Reader(root, notes).playbook(ids.digest(stored))
    return Draft(
        origin,
        playbook,
        tuple(sorted(notes.problems)),
        tuple(sorted(notes.missing)),
        notes.lines,
    )


class _Reader:
    """Reads the keys of one document, each by its own method or line."""

    def __init__(self, root: Table, notes: fields.Notes) -> None:
        self._entries = root.entries
        self._notes = notes

    def playbook(self, digest: ids.Digest) -> Playbook:
        parameters: dict[str, Parameter] = {}
        if "parameters" in self._entries:
            node = self._entries["parameters"]
            parameters = parts.parameters(node, "parameters", self._notes)
        self._notes.parameters = parameters
        return Playbook(
            name=ids.PlaybookName(self._matching("name", _NAME, "a name such as disk_cleanup")),
            version=self._matching("version", _VERSION, 'a quoted version such as "1.0.0"'),
            digest=digest,
            description=self._text("description"),
            slots=self._slots(),
            risk=self._risk(),
            parameters=tuple(parameters.values()),
            guard=self._guard(),
            pre_checks=self._checks("pre_execution_checks"),
            steps=self._steps(),
            verification=self._checks("verification"),
            approval_required=self._approval(),
            exclusions=self._exclusions(),
            needs=self._list("needs", _NEED, "a privilege such as write:@mount, service:@service"),
            max_per_hour=self._max_per_hour(),
            idempotent=self._idempotent(),
            estimated_seconds=self._estimated(),
            metrics=self._list("metrics", _METRIC, "a metric such as system.cpu_percent"),
            risk_reason=self._risk_reason(),
        )

    def _text(self, key: str) -> str:
        if key not in self._entries:
            return ""
        found = fields.text(self._entries[key], key, self._notes) or ""
        return " ".join(found.split())

    def _matching(self, key: str, pattern: re.Pattern[str], expected: str) -> str:
        if key not in self._entries:
            return ""
        node = self._entries[key]
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        self._notes.wrong(node, key, expected)
        return ""

    def _list(self, key: str, pattern: re.Pattern[str], expected: str) -> tuple[str, ...]:
        if key not in self._entries:
            return ()
        return self._texts(self._entries[key], key, pattern, expected)

    def _texts(
        self, node: Node, path: str, pattern: re.Pattern[str], expected: str
    ) -> tuple[str, ...]:
        items = node.items if isinstance(node, Sequence) else (node,)
        found: list[str] = []
        for at, item in enumerate(items):
            value = item.value if isinstance(item, Scalar) else None
            if isinstance(value, str) and pattern.fullmatch(value):
                found.append(value)
            else:
                self._notes.wrong(item, f"{path}[{at}]", expected)
        return tuple(found)

    def _table(self, key: str, *known: str) -> Mapping[str, Node]:
        if key not in self._entries:
            return {}
        node = self._entries[key]
        if not isinstance(node, Table):
            self._notes.wrong(node, key, "a mapping of " + ", ".join(known))
            return {}
        parts.unknown_keys(node, key, known, self._notes)
        return node.entries

    def _slots(self) -> Slots:
        found = {"system": "any", "resource": "any", "symptom": "any"}
        for name, node in self._table("match", *found).items():
            if name in found:
                words = self._texts(node, f"match.{name}", _SLOT, "one lower-case word")
                found[name] = words[0] if words else "any"
        return Slots(**found)

    def _risk(self) -> Risk:
        if "risk" not in self._entries:
            return Risk.CRITICAL
        spec = kinds.FieldSpec("risk", kinds.Shape.CHOICE, "", choices=tuple(Risk))
        found = fields.read(spec, self._entries["risk"], "risk", self._notes)
        return Risk(str(found)) if found is not None else Risk.CRITICAL

    def _risk_reason(self) -> str:
        found = self._text("risk_reason")
        if len(found) > MAX_RISK_REASON:
            expected = f"at most {MAX_RISK_REASON} characters"
            node = self._entries["risk_reason"]
            self._notes.wrong(node, "risk_reason", expected, f"{len(found)} characters")
            return ""
        return found

    def _guard(self) -> str | None:
        if "guard" not in self._entries:
            return None
        return fields.condition(self._entries["guard"], "guard", self._notes)

    def _checks(self, key: str) -> tuple[Check, ...]:
        if key not in self._entries:
            return ()
        return parts.checks(self._entries[key], key, self._notes)

    def _steps(self) -> tuple[Step, ...]:
        if "steps" not in self._entries:
            return ()
        found = parts.steps(self._entries["steps"], "steps", self._notes)
        if not found:
            self._notes.wrong(self._entries["steps"], "steps", "at least one step")
        return found

    def _approval(self) -> bool:
        gate = self._table("approval_gate", "required")
        if "required" not in gate:
            return False
        found = fields.boolean(gate["required"], "approval_gate.required", self._notes)
        return found is not False

    def _exclusions(self) -> tuple[str, ...]:
        table = self._table("exclusions", "host_pattern")
        if "host_pattern" not in table:
            return ()
        node = table["host_pattern"]
        expected = "a host pattern such as *.prod.*"
        return self._texts(node, "exclusions.host_pattern", _HOST_PATTERN, expected)

    def _max_per_hour(self) -> int:
        if "max_per_hour" not in self._entries:
            return MAX_PER_HOUR
        node = self._entries["max_per_hour"]
        return fields.integer(node, "max_per_hour", self._notes, 1, 60) or MAX_PER_HOUR

    def _idempotent(self) -> bool:
        if "idempotent" not in self._entries:
            return False
        return fields.boolean(self._entries["idempotent"], "idempotent", self._notes) is True

    def _estimated(self) -> int:
        key = "estimated_duration"
        limit = timedelta(minutes=1)
        if key in self._entries:
            limit = fields.duration(self._entries[key], key, self._notes) or limit
        return int(limit.total_seconds())
