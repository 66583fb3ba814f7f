"""What bound parameters stand for in a playbook's fields, and the edges of their checks."""

import pytest

from sentienguard.model.playbook import Param, Parameter, ParamType
from sentienguard.stages.execute import parameters
from tests.support import pretend_host

BOUND = parameters.Bound({"it": "7d", "many": "12", "part": "40%", "half": "0.5%"})


def test_a_field_is_a_parameters_value_or_its_own_text():
    assert BOUND.text(Param("it")) == "7d"
    assert BOUND.text("literal") == "literal"
    assert BOUND.text(5) == "5"


@pytest.mark.parametrize("field", [None, ("a",), {"a": "b"}])
def test_a_field_that_is_no_single_value_is_refused(field):
    with pytest.raises(parameters.ParameterRefused, match="expected one value"):
        BOUND.text(field)


@pytest.mark.parametrize("field", [None, "a b", 5, Param("it")])
def test_what_is_no_argv_is_refused(field):
    with pytest.raises(parameters.ParameterRefused, match="expected argv"):
        BOUND.argv(field)


@pytest.mark.parametrize(
    ("asked", "field", "expected"),
    [
        ("seconds", Param("it"), 604_800.0),
        ("seconds", 90, 90.0),
        ("seconds", 1.5, 1.5),
        ("seconds", "2m", 120.0),
        ("seconds", None, 0.0),
        ("size", "1KiB", 1024),
        ("size", 4096, 4096),
        ("size", None, 0),
        ("integer", Param("many"), 12),
        ("integer", Param("part"), 40),
        ("integer", 3, 3),
        ("integer", "5", 5),
        ("integer", None, 0),
    ],
)
def test_quantities_are_read_from_parameters_and_literals(asked, field, expected):
    found = getattr(BOUND, asked)(field)
    assert found == expected
    assert type(found) is type(expected)


def test_a_part_of_a_percent_is_no_whole_number():
    with pytest.raises(parameters.ParameterRefused, match="whole number"):
        BOUND.integer(Param("half"))


@pytest.mark.parametrize("asked", ["seconds", "size", "integer"])
def test_an_absent_quantity_is_what_the_caller_says(asked):
    assert getattr(BOUND, asked)(None, 77) == 77


def test_what_was_bound_before_is_bound_again_without_asking_the_host():
    declared = (Parameter("pid", ParamType.PID),)
    bound = parameters.bound_before(declared, {"pid": "42"}, {"pid": 7})
    assert bound == parameters.Bound({"pid": "42"}, {"pid": 7}, {"pid": "42"})


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (ParamType.ENUM, "-a", "parameter it is '-a'; expected up to 255 printable"),
        (ParamType.ENUM, "", "parameter it is ''; expected up to 255 printable"),
        (ParamType.ENUM, "a" * 256, "parameter it is 'a{64}'; expected up to 255 printable"),
        (ParamType.ENUM, "a" * 255, "it is 'a{64}'; signed are"),
        (ParamType.MOUNTPOINT, "/nowhere", "it is '/nowhere', which is no mountpoint of this host"),
        (ParamType.PID, "1", "'1' is no live process of this host"),
        (ParamType.PERCENT, "many", "it: expected a percentage"),
        (ParamType.DURATION, "80%", "it: expected a duration"),
        (ParamType.INTEGER, "01", "it is '01', expected a whole number"),
    ],
)
def test_a_refusal_names_the_parameter_what_was_found_and_what_was_expected(kind, value, why):
    declared = (Parameter("it", kind, choices=("-a", "a")),)
    with pytest.raises(parameters.ParameterRefused, match=f"^{why}"):
        parameters.bind(declared, {"it": value}, pretend_host.PretendHost().host())


def test_a_process_is_looked_for_when_it_is_checked_not_only_when_it_is_tied():
    host = pretend_host.PretendHost()
    with pytest.raises(parameters.ParameterRefused, match="no live process"):
        parameters._check(Parameter("pid", ParamType.PID), "42", host.host())


@pytest.mark.parametrize(
    ("value", "allowed"), [("0", False), ("1", True), ("9", True), ("10", False)]
)
def test_bounds_belong_to_what_is_allowed(value, allowed):
    declared = (Parameter("it", ParamType.INTEGER, minimum=1, maximum=9),)
    host = pretend_host.PretendHost().host()
    if allowed:
        assert parameters.bind(declared, {"it": value}, host).values == {"it": value}
        return
    with pytest.raises(parameters.ParameterRefused, match=f"it is {value}, signed is 1 to 9"):
        parameters.bind(declared, {"it": value}, host)


def test_the_parameter_named_like_its_subject_comes_before_another_of_its_type():
    declared = (Parameter("first", ParamType.SERVICE), Parameter("service", ParamType.SERVICE))
    values = {"first": "a", "service": "b"}
    assert parameters.subjects(declared, values) == {"service": "b"}


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (ParamType.PERCENT, "much", "it: expected a percentage"),
        (ParamType.DURATION, "long", "it: expected a duration"),
        (ParamType.INTEGER, "5.0", "it is '5.0', expected a whole number"),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_was_expected(kind, value, why):
    parameter = Parameter("it", kind)
    with pytest.raises(parameters.ParameterRefused, match=why):
        parameters._number(parameter, value)
