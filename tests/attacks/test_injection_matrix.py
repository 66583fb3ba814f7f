"""Every hostile value, as every type of parameter, in every kind of step and check: no effect.

The tables of kinds are the product's own, so a kind or a shape without a case here fails
(`injection_places`). Two properties are held, on a host that records every call of its ports
(`injection_host`):

1. What admission binds, and even what it would have refused, changes no call but by standing, whole
   and alone, where a good value stands: one argument, one bound value, one path, one name. All
   other calls are those of a good value, or fewer where it is refused on the way
   (`injection_effects`).
2. Admission binds nothing that could be taken for an option, or for more than one argument, also on
   a host that claims to have a volume, a service and a database of that very name.

On real processes, files and databases: tests/integration/executor/test_executor_injected_values.py.
"""

from collections import Counter

import pytest

from sentienguard.model import playbook
from sentienguard.playbook import kinds
from sentienguard.stages.execute import checks, parameters, steps, work
from tests.attacks.injection_effects import bound, effects, usual
from tests.attacks.injection_host import ANSWERS, recording
from tests.attacks.injection_places import LITERALS, OTHERS, TYPES, loaded, places, stages
from tests.support import effort, hostile_values

VALUES = hostile_values.values()
STRIDE = effort.pick(61, thorough=1)  # in `make test` each place takes every 61st value
UNDO_ONLY = {"object"}  # a kind that is written as the undo of others alone


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
        assert loaded(stage, {"argv": ["/bin/true", {"param": "p"}]}, {"p": declared}) is not None
        assert loaded(stage, {"argv": [{"param": "p"}, "x"]}, {"p": declared}) is None


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
