"""Every place in a playbook where a parameter may try to stand, made from the product's own tables.

Called by `injection_effects` and the tests of the injection matrix. A place is one field of one
operation of one kind of step or check, with one type of parameter, in a playbook that can be
written so. A kind without a place fails here, and a shape without a literal in the tests.
"""

import dataclasses
import functools
import itertools
import json
import re

from sentienguard.model import errors, playbook
from sentienguard.playbook import kinds, objects, parse

TYPES = tuple(playbook.ParamType)
GOOD = {  # two good values of each type: where the calls differ is where the value stands
    playbook.ParamType.MOUNTPOINT: ("/srv/good", "/srv/fine"),
    playbook.ParamType.SERVICE: ("good", "fine"),
    playbook.ParamType.PID: ("4321", "5432"),
    playbook.ParamType.PERCENT: ("51%", "52%"),
    playbook.ParamType.DURATION: ("51s", "52s"),
    playbook.ParamType.INTEGER: ("51", "52"),
    playbook.ParamType.ENUM: ("good", "fine"),
}
PARTS = (
    ("good", "good.service", "i-0123456789abcdef0"),
    ("fine", "fine.service", "i-fedcba9876543210"),
)
LITERALS = {  # a literal for each shape that has to be filled where another field is looked at
    kinds.Shape.TEXT: "text",
    kinds.Shape.WORD: "word",
    kinds.Shape.SCALAR: "scalar",
    kinds.Shape.DURATION: "1h",
    kinds.Shape.SIZE: "1MB",
    kinds.Shape.ARGV: ["/bin/tool", "literal"],
    kinds.Shape.VALUES: ["literal"],
    kinds.Shape.WORDS: ["word"],
    kinds.Shape.DIRECTORY: "/srv/literal",
    kinds.Shape.FILE: "/etc/literal.conf",
    kinds.Shape.SUFFIX: ".last-good",
    kinds.Shape.BELOW: "below",
    kinds.Shape.GLOB: "*.tmp",
    kinds.Shape.URL: "http://127.0.0.1:8080/literal",
    kinds.Shape.SERVICE: "literal",
    kinds.Shape.SERVICES: ["literal"],
    kinds.Shape.CONDITION: "disk_usage > 1%",
    kinds.Shape.FACT: "disk_usage",
    kinds.Shape.THRESHOLD: "> 1%",
    kinds.Shape.PATTERN: "literal",
}
IN_A_LIST = {
    kinds.Shape.ARGV: ["/bin/tool", "before", None, "after"],
    kinds.Shape.VALUES: ["before", None, "after"],
    kinds.Shape.WORDS: ["before", None, "after"],
    kinds.Shape.SERVICES: ["before", None, "after"],
}
OTHERS = {  # a second parameter and its value, where a field takes nothing else
    kinds.Shape.PID: lambda _: ({"type": "pid"}, "77"),
    kinds.Shape.OBJECT: lambda stage: (
        {"type": "object", "choices": [stage.act.of]},
        good_object(stage.act.of)[0],
    ),
}
QUERIES = {
    "step": "DELETE FROM public.stock WHERE name = $1",
    "check": "SELECT name FROM public.stock WHERE name = $1",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """One field of one operation of one kind, and the type of the parameter that stands there."""

    group: str  # step or check
    kind: str
    operation: str
    field: str  # empty: the parameter is declared and stands nowhere
    type: playbook.ParamType
    remedy: playbook.Playbook
    good: tuple[str, str]
    other: tuple[str, str] | None  # a second parameter and its value

    def __str__(self):
        written = "-".join(one for one in (self.kind, self.operation, self.field) if one)
        return f"{self.group}-{written}-{self.type.value}"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One operation of a kind, or one act on objects, as it is written without a parameter."""

    group: str
    kind: kinds.Kind
    operation: kinds.Operation
    required: frozenset[str]
    act: objects.Act | None = None

    @property
    def open_to(self):
        """Return the fields that a parameter may try to stand in."""
        if self.act:  # others are read in drafts, and run nowhere
            return [one for one in self.operation.fields if one.name in self.required]
        return [one for one in self.operation.fields if one.name not in {"object", "call"}]

    def written(self, spec):
        """Return the fields that are written where a parameter stands in `spec`, or nowhere."""
        wanted = set(self.required)
        if spec is not None:
            for one_of in self.operation.one_of:
                wanted -= set(one_of) if spec.name in one_of else set()
            wanted.add(spec.name)
        if self.kind.name in {"sql_query", "sql"}:
            wanted.add("values")
        return [one for one in self.operation.fields if one.name in wanted]


def stages():
    for group, declared in (("step", kinds.STEPS), ("check", kinds.CHECKS)):
        for kind in declared.values():
            for operation in kind.operations:
                if not operation.undo_only:
                    yield from _stages(group, kind, operation)


def _stages(group, kind, operation):
    for act in objects.ACTS:
        if act.step == kind.name:
            call = {"call"} if act.call else set()
            yield Stage(group, kind, operation, frozenset({"object", *act.needs, *call}), act)
    if not kind.objects_only:
        names = {spec.name for spec in operation.fields}
        required = {spec.name for spec in operation.fields if spec.required}
        for one_of in operation.one_of:
            if not required & set(one_of):
                required.add(next(name for name in one_of if name in names))
        yield Stage(group, kind, operation, frozenset(required))


def good_object(kind):
    def part(pattern, candidates):
        return next(one for one in candidates if re.fullmatch(pattern, one, re.ASCII))

    return tuple(
        "/".join((target, kind, *(part(each, some) for _, each in objects.KINDS[kind].parts)))
        for target, some in zip(("good", "fine"), PARTS, strict=True)
    )


@functools.cache
def places():
    return tuple(itertools.chain.from_iterable(_places(stage) for stage in stages()))


def _places(stage):
    for type_ in TYPES:
        about = stage.act.of if stage.act else "node"
        good = GOOD[type_] if type_ in GOOD else good_object(about)
        for spec in stage.open_to:
            found = _place(stage, spec, type_, good)
            if found is not None:
                yield found
        nowhere = _place(stage, None, type_, good)
        assert nowhere is not None, f"{stage.kind.name} {stage.operation.name}: cannot be written"
        yield nowhere


def _place(stage, spec, type_, good):
    declared = {"p": {"type": type_.value}}
    if type_ is playbook.ParamType.ENUM:
        declared["p"]["choices"] = list(good)
    if type_ is playbook.ParamType.OBJECT:
        declared["p"]["choices"] = [stage.act.of if stage.act else "node"]
    if type_ is playbook.ParamType.INTEGER and spec is not None:
        low, high = max(spec.minimum, 1), min(spec.maximum, 100_000)
        declared["p"] |= {"minimum": low, "maximum": high}
        good = good if low <= min(map(int, good)) and max(map(int, good)) <= high else (
            str(high - 1), str(high - 2),
        )  # fmt: skip
    fields, other = {}, None
    for each in stage.written(spec):
        if spec is not None and each.name == spec.name:
            param, listed = {"param": "p"}, IN_A_LIST.get(each.shape)
            fields[each.key] = (
                param if listed is None else [param if one is None else one for one in listed]
            )
            continue
        if each.shape in OTHERS:
            declared["q"], value = OTHERS[each.shape](stage)
            other = ("q", value)
        fields[each.key] = _literal(stage, each)
    remedy = loaded(stage, fields, declared)
    if remedy is None:
        return None
    name = stage.operation.name or (stage.act.call if stage.act else "")
    field = "" if spec is None else spec.name
    return Place(stage.group, stage.kind.name, name, field, type_, remedy, good, other)


def _literal(stage, each):
    if each.shape in OTHERS:
        return {"param": "q"}
    if each.shape is kinds.Shape.CHOICE:
        return stage.act.call if stage.act and each.name == "call" else each.choices[0]
    if each.shape is kinds.Shape.INTEGER:
        return max(each.minimum, min(60, each.maximum))
    if each.name in {"query", "for_each"}:
        return QUERIES[stage.group]
    return LITERALS[each.shape]


def loaded(stage, fields, declared):
    """Return the playbook; None where no playbook can be written that way."""
    body = {
        "name": "tries",
        "version": "1.0.0",
        "description": "A playbook of the tests.",
        "match": {"system": "linux", "resource": "disk", "symptom": "full"},
        "risk": "CRITICAL",
        "idempotent": True,
        "parameters": declared,
        "verification": [{"name": "other", "type": "maintenance"}],
        "steps": [{"name": "other", "action": "ssh_command", "argv": ["/bin/true"],
                   "rollback": {"skip": "a test"}}],
    }  # fmt: skip
    if stage.group == "step":
        named = {"operation": stage.operation.name} if stage.operation.name else {}
        body["steps"] = [
            {
                "name": "it",
                "action": stage.kind.name,
                **named,
                **fields,
                "rollback": {"skip": "a test"},
            }
        ]
    else:
        body["verification"] = [{"name": "it", "type": stage.kind.name, **fields}]
    try:
        return parse.load(json.dumps(body).encode(), origin="test")
    except errors.Rejected:
        return None
