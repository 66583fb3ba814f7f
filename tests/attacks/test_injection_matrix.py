"""Every hostile value, as every type of parameter, in every kind of step and check: no effect.

The tables of kinds are the product's own, so a kind or a shape without a case here fails. Two
properties are held, on a host that records every call of its ports:

1. What admission binds, and even what it would have refused, changes no call but by standing, whole
   and alone, where a good value stands: one argument, one bound value, one path, one name. All
   other calls are those of a good value, or fewer where it is refused on the way.
2. Admission binds nothing that could be taken for an option, or for more than one argument, also on
   a host that claims to have a volume, a service and a database of that very name.

On real processes, files and databases: tests/integration/executor/test_executor_injected_values.py.
"""

import contextlib
import dataclasses
import functools
import itertools
import json
import re
from collections import Counter

import pytest

from sentienguard.model import errors, ids, playbook
from sentienguard.playbook import kinds, objects, parse, units
from sentienguard.ports import (
    command_runner,
    databases,
    files,
    http_probe,
    locks,
    log_reader,
    open_files,
    remote_objects,
    services,
)
from sentienguard.stages.execute import checks, parameters, steps, work
from sentienguard.stages.execute import host as hosts
from tests.support import effort, hostile_values, pretend_host

VALUES = hostile_values.values()
TYPES = tuple(playbook.ParamType)
STRIDE = effort.pick(61, thorough=1)  # in `make test` each place takes every 61st value
NUMBERS = {
    playbook.ParamType.PERCENT: units.percent,
    playbook.ParamType.DURATION: units.seconds,
    playbook.ParamType.INTEGER: float,
    playbook.ParamType.PID: float,
}
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
UNDO_ONLY = {"object"}  # a kind that is written as the undo of others alone


# -- a host that records ---------------------------------------------------------------------------

RUNS = services.State(services.Status.RUNNING, 77, 1)
PROCESS = pretend_host.process(77, "word", started=7)
FOUND = files.Found("a.tmp", 1, 2, 3, 4)
ANSWERS = {
    "commands.run": command_runner.CommandResult(
        command_runner.Ending.EXITED, 0, "said", "", truncated=False, duration_ms=1
    ),
    "commands.locate": "/bin/tool",
    "databases.names": frozenset({"literal"}),
    "databases.ask": databases.Answer((("row",),)),
    "databases.act": (databases.Answer((), 1),),
    "facts.measure": 50.0,
    "files.find": files.Findings((FOUND,), more=False),
    **dict.fromkeys(("files.delete", "files.truncate", "files.move", "files.move_back"), 1),
    "files.read": b"word = before\n",
    "files.replace": None,
    "http.ask": http_probe.Answer(200, 1, ""),
    "logs.mark": log_reader.Mark(1, 1),
    "logs.lines": ("a line",),
    "processes.find": PROCESS,
    "processes.named": (PROCESS,),
    "processes.cpu_percent": 1.0,
    **dict.fromkeys(("processes.send", "processes.renice"), None),
    "processes.wait_gone": True,
    "services.describe": services.Service(
        "literal", "http://127.0.0.1:8080/of", "/var/log/of", "/etc/of.conf"
    ),
    "services.state": RUNS,
    "services.leftovers": 0,
    "services.end_leftovers": 0,
    **{f"services.{verb}": None for verb in ("start", "stop", "kill", "reload")},
    "remotes.allow": None,
    "remotes.measure": 50.0,
    "remotes.look": {"seen": 1},
    "remotes.rehearse": "it would",
    "remotes.act": remote_objects.Acted("done"),
    "remotes.restore": remote_objects.Acted("done"),
    "servers.is_cache": True,
    "servers.setting": "before",
    "servers.change": None,
    "servers.choose": ("one",),
    "servers.do": True,
    "open_files.deleted": (open_files.Held(77, 7, 3, 1, 2, "/var/log/a.tmp", 2_000_000),),
    "open_files.truncate": True,
    "locks.stale": (locks.Lock("/run/a.lock", 77, "77", 0, 0, 0, 0),),
    "locks.remove": 1,
    "locks.put_back": 1,
    "kernel.value": 1,
    "kernel.change": None,
}
CLAIMED = {"files.volumes", "services.names"}  # what the host says that it has


class Port:
    """Records each call; answers the same whatever it is asked."""

    def __init__(self, name, calls, claims):
        self._name, self._calls, self._claims = name, calls, claims

    def __getattr__(self, method):
        name = f"{self._name}.{method}"

        def call(*args, **named):
            self._calls.append((name, tuple(leaves((args, named)))))
            return self._claims if name in CLAIMED else ANSWERS[name]

        return call


def leaves(value):
    """Yield every plain value in what a port was given."""
    if dataclasses.is_dataclass(value):
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, dict):
        value = [one for pair in sorted(value.items()) for one in pair]
    if isinstance(value, tuple | list | frozenset):
        yield "("  # two lists of one are another call than one list of two
        for one in value:
            yield from leaves(one)
        yield ")"
    elif isinstance(value, str | bytes | int | float | None):
        yield value


def recording(claims):
    calls = []
    named = {
        name: Port(name, calls, claims)
        for name in (
            *("commands", "databases", "facts", "files", "http", "logs", "processes", "services"),
            *("remotes", "servers", "open_files", "locks", "kernel"),
        )
    }
    host = hosts.Host(
        name="host-1",
        tags={"word": "scalar"},
        clock=pretend_host.Clock(),
        forbidden=lambda: None,
        running=frozenset,
        redact=str,
        **named,
    )
    return host, calls


# -- places for a value ----------------------------------------------------------------------------


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
    remedy = _loaded(stage, fields, declared)
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


def _loaded(stage, fields, declared):
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


# -- one try ---------------------------------------------------------------------------------------


def bound(place, text, host, *, admitted):
    declared = {one.name: one for one in place.remedy.parameters}
    given = {"p": text, **dict([place.other] if place.other else [])}
    if place.type is playbook.ParamType.ENUM:  # as if people had signed that very text
        choices = (*declared["p"].choices, text)
        declared["p"] = dataclasses.replace(declared["p"], choices=choices)
    if admitted:
        return parameters.bind(tuple(declared.values()), given, host)
    started = {name: 7 for name, one in declared.items() if one.type is playbook.ParamType.PID}
    return parameters.bound_before(tuple(declared.values()), given, started)


def tried(place, text, *, admitted):
    """Return the calls of one try, and whether it got to its end."""
    host, calls = recording(frozenset({text, "literal", "before", "after", *place.good}))
    try:
        values = bound(place, text, host, admitted=admitted)
        del calls[:]  # looking whether the host has such a thing acts on nothing
        context = work.Context(
            order=ids.OrderId("ord_1"),
            host=host,
            bound=values,
            brought={},
            limit_s=1e6,
            mark="ord_1:step0",
            interrupt=pretend_host.Interrupt(),
            started=lambda _: None,
            since=pretend_host.START,
        )
        _perform(place, context, calls)
    except errors.SentienGuardError:
        return calls, False
    except (ValueError, TypeError, OverflowError):  # the engine makes failures of them
        if admitted:
            raise
        return calls, False
    return calls, True


def _perform(place, context, calls):
    if place.group == "check":
        checks.KINDS[place.kind].judge(place.remedy.verification[0], context)
        return
    action, kind = place.remedy.steps[0].action, steps.KINDS[place.kind]
    calls.append(("plan", tuple(kind.plan(action, context.bound))))
    recorded = kind.prepare(action, context)
    kind.run(action, context, recorded)
    kind.restore(action, context, recorded)


@functools.cache
def usual(place):
    """Return the calls of a good value, and where in them it stands."""
    (first, whole), (second, also) = (tried(place, one, admitted=True) for one in place.good)
    assert whole, f"{place}: a good value does not get to the end"
    assert also, f"{place}: a good value does not get to the end"
    assert shape(first) == shape(second), f"{place}: the number of arguments depends on the value"
    at = {
        (call, leaf)
        for call, ((_, one), (_, two)) in enumerate(zip(first, second, strict=True))
        for leaf, (was, now) in enumerate(zip(one, two, strict=True))
        if was != now
    }
    for call, leaf in at:
        name, found = first[call]
        assert name == "plan" or stands(found[leaf], place.good[0], place.type), f"{place}: {first}"
    return first, at


def shape(calls):
    return [(name, len(found)) for name, found in calls]


def stands(leaf, text, type_):
    """Tell whether a plain value is the parameter's, whole and alone; a kind may cap a number."""
    if isinstance(leaf, str):
        return leaf == text
    if type_ not in NUMBERS or isinstance(leaf, bytes) or leaf is None:
        return False
    return any(leaf <= number for number in read(text, NUMBERS[type_], plain))


def shown(element, meant, type_):
    """Tell whether an element of what a dry run shows is the value, or the number that it is."""
    number = type_ in NUMBERS and re.fullmatch(r"(?:[a-z_]+=)?-?[0-9.]+[%a-z]*", element)
    return element == meant or bool(number)


def plain(text):
    return float(text.strip().removesuffix("%"))


def read(text, *ways):
    """Yield the numbers that a text can be read as."""
    for way in ways:
        with contextlib.suppress(errors.Rejected, ValueError):
            yield way(text)


def effects(place, text, *, admitted):
    """Return what a hostile value changed beyond standing where a good one stands."""
    expected, at = usual(place)
    calls, whole = tried(place, text, admitted=admitted)
    if place.type in NUMBERS and shape(calls) != shape(expected):
        return less(place, text, calls, expected), whole
    wrong = []
    if len(calls) > len(expected) or (whole and len(calls) < len(expected)):
        wrong.append(f"{len(calls)} calls, expected {len(expected)}")
    for number, ((name, found), (meant, good)) in enumerate(zip(calls, expected, strict=False)):
        if (name, len(found)) != (meant, len(good)):
            wrong.append(f"{name} {found}, expected {meant} {good}")
            continue
        wrong += [
            f"{name}: {is_!r} in place of {was!r}"
            for leaf, (is_, was) in enumerate(zip(found, good, strict=True))
            if not (fits(place, text, name, is_, was) if (number, leaf) in at else is_ == was)
        ]
    return wrong, whole


def fits(place, text, name, is_, was):
    """Tell whether a value stands alone where a good one stood."""
    if name == "plan":
        return shown(is_, was.replace(place.good[0], text), place.type)
    return stands(is_, text, place.type)


def less(place, text, calls, expected):
    """Judge a number such as `at most 0`: it may do less, and nothing else."""
    wrong = []
    for name, found in calls[1:] if place.group == "step" else calls:  # the first one is the plan
        usually = [set(good) for meant, good in expected if meant == name]
        others = {one for one in found if not stands(one, text, place.type)}
        if not any(others <= good for good in usually):
            wrong.append(f"{name} {found} is no call of a good value")
    return wrong


# -- the matrix ------------------------------------------------------------------------------------


def test_there_are_more_than_a_thousand_values_and_none_twice():
    assert len(VALUES) >= 1_000
    assert len({one.text for one in VALUES}) == len(VALUES)
    assert (
        set(hostile_values.FORMS)
        == {one.name.split(" ", 1)[0] for one in VALUES} | {"other languages"} - {"other"}
        or len(hostile_values.FORMS) == 12
    )


def test_every_kind_and_every_type_has_its_places():
    found = places()
    assert {one.kind for one in found if one.group == "step"} == set(steps.KINDS) - UNDO_ONLY
    assert {one.kind for one in found if one.group == "check"} == set(checks.KINDS)
    for group, known in (("step", set(steps.KINDS) - UNDO_ONLY), ("check", set(checks.KINDS))):
        for kind in known:
            types = {one.type for one in found if (one.group, one.kind) == (group, kind)}
            assert types == set(TYPES), f"{group} {kind}"
    standing = {one.type for one in found if one.field}
    assert standing == set(TYPES), "each type stands in some field"
    shapes = {*LITERALS, *OTHERS, kinds.Shape.CHOICE, kinds.Shape.INTEGER}
    assert set(kinds.Shape) <= shapes, "a new shape needs a literal"


@pytest.mark.timeout(effort.pick(120, thorough=3_600))
@pytest.mark.parametrize("admitted", [True, False], ids=["admitted", "past admission"])
def test_no_value_has_an_effect_in_any_place(admitted):
    counted, wrong = Counter(), []
    for number, place in enumerate(places()):
        for value in VALUES[number % STRIDE :: STRIDE]:
            found, whole = effects(place, value.text, admitted=admitted)
            counted["arrived whole" if whole else "refused"] += 1
            wrong += [f"{place}, {value.name}: {one}" for one in found]
    assert wrong[:20] == []
    assert counted["refused"] > 0
    assert counted["arrived whole"] > 0, "a matrix that refuses all shows nothing of the rest"


def test_what_admission_binds_is_one_word_that_is_no_option():
    bound_texts = set()
    for type_ in TYPES:
        place = next(one for one in places() if one.type is type_ and one.field)
        for value in VALUES:
            host, _ = recording(frozenset({value.text}))
            try:
                found = bound(place, value.text, host, admitted=True).values["p"]
            except parameters.ParameterRefused:
                continue
            assert found == value.text
            bound_texts.add(found)
    assert bound_texts
    for text in bound_texts:
        assert not text.startswith("-")
        assert len(text.split()) == 1
        assert text.isascii()
        assert text.isprintable()
        assert not set(text) & set(";|&$`<>(){}[]*?!\"'\\#~^,= \t\r\n\0"), text


def test_a_program_is_never_a_parameter():
    stage = next(one for one in stages() if one.kind.name == "ssh_command" and not one.act)
    for type_ in ("enum", "service", "mountpoint"):
        declared = {"type": type_, **({"choices": ["good"]} if type_ == "enum" else {})}
        assert _loaded(stage, {"argv": ["/bin/true", {"param": "p"}]}, {"p": declared}) is not None
        assert _loaded(stage, {"argv": [{"param": "p"}, "x"]}, {"p": declared}) is None


# -- the matrix finds what it is there for ---------------------------------------------------------


def planted_shell(self, action, context, recorded):
    line = " ".join(self.plan(action, context.bound))
    context.host.commands.run(
        ("/bin/sh", "-c", line), limit=1, mark="", interrupt=None, as_user="", started=None
    )
    return work.Done("success", "")


def planted_sql(self, action, context, recorded):
    query = str(action.fields["query"]).replace("$1", f"'{recorded['values'][0][1]}'")
    context.host.databases.act("literal", query, (), limit=1)
    return work.Done("success", "")


def planted_split(self, action, context, recorded):
    argv = " ".join(self.plan(action, context.bound)).split()
    context.host.commands.run(
        tuple(argv), limit=1, mark="", interrupt=None, as_user="", started=None
    )
    return work.Done("success", "")


def differs(place, text):
    """Tell whether the calls of a value are others than those of a good one, the value apart."""
    try:
        usual.cache_clear()
        return bool(effects(place, text, admitted=False)[0])
    except AssertionError:
        return True
    finally:
        usual.cache_clear()


@pytest.mark.parametrize(
    ("kind", "bug"),
    [("ssh_command", planted_shell), ("ssh_command", planted_split), ("sql_query", planted_sql)],
)
def test_a_planted_bug_is_found(monkeypatch, kind, bug):
    place = next(
        one for one in places()
        if (one.group, one.kind, one.type) == ("step", kind, playbook.ParamType.ENUM) and one.field
        in {"argv", "values"}
    )  # fmt: skip
    monkeypatch.setattr(type(steps.KINDS[kind]), "run", bug)
    monkeypatch.setitem(ANSWERS, "commands.run", None)
    assert any(differs(place, value.text) for value in VALUES)
