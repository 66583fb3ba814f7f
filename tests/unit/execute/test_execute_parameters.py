import hypothesis
import pytest
from hypothesis import strategies

from sentienguard.model.playbook import Action, Param, Parameter, ParamType
from sentienguard.ports import facts
from sentienguard.stages.execute import conditions, parameters, steps
from tests.support import pretend_host


def one(kind, **more):
    return (Parameter("it", kind, **more),)


def bind(declared, value, pretend):
    return parameters.bind(declared, {"it": value}, pretend.host())


GOOD = [
    (one(ParamType.MOUNTPOINT), "/srv/data"),
    (one(ParamType.SERVICE), "web"),
    (one(ParamType.PID), "42"),
    (one(ParamType.PERCENT), "80%"),
    (one(ParamType.PERCENT), "80"),
    (one(ParamType.DURATION), "7d"),
    (one(ParamType.INTEGER, minimum=1, maximum=9), "9"),
    (one(ParamType.ENUM, choices=("a", "b")), "b"),
]
BAD = [
    (one(ParamType.MOUNTPOINT), "/etc"),
    (one(ParamType.MOUNTPOINT), "/srv/data/"),
    (one(ParamType.MOUNTPOINT), "/srv/data\n"),
    (one(ParamType.MOUNTPOINT), "/srv/../srv/data"),
    (one(ParamType.SERVICE), "web\n"),
    (one(ParamType.SERVICE), "WEB"),
    (one(ParamType.SERVICE), "-web"),
    (one(ParamType.SERVICE), ""),
    (one(ParamType.PID), "43"),
    (one(ParamType.PID), "042"),
    (one(ParamType.PID), "42 "),
    (one(ParamType.PID), "٤٢"),
    (one(ParamType.PID), "1" * 30),
    (one(ParamType.PERCENT), "101%"),
    (one(ParamType.PERCENT), "80s"),
    (one(ParamType.DURATION), "7 days"),
    (one(ParamType.DURATION, maximum=60), "2m"),
    (one(ParamType.INTEGER, minimum=1, maximum=9), "0"),
    (one(ParamType.INTEGER, minimum=1, maximum=9), "10"),
    (one(ParamType.INTEGER), "1.5"),
    (one(ParamType.INTEGER), "1e3"),
    (one(ParamType.ENUM, choices=("a", "b")), "c"),
    (one(ParamType.ENUM, choices=("a", "b")), "a,b"),
]


@pytest.fixture
def host(pretend):
    pretend.table[42] = pretend_host.process(42)
    return pretend


@pytest.mark.parametrize(("declared", "value"), GOOD)
def test_a_value_of_its_type_is_taken_as_it_is(host, declared, value):
    assert bind(declared, value, host).values == {"it": value}


@pytest.mark.parametrize(("declared", "value"), BAD)
def test_any_other_value_is_refused(host, declared, value):
    with pytest.raises(parameters.ParameterRefused):
        bind(declared, value, host)


def test_exactly_the_declared_parameters_are_given(host):
    declared = one(ParamType.ENUM, choices=("a",))
    for given in ({}, {"it": "a", "more": "a"}):
        with pytest.raises(parameters.ParameterRefused):
            parameters.bind(declared, given, host.host())
    with_default = one(ParamType.ENUM, choices=("a",), default="a")
    assert parameters.bind(with_default, {}, host.host()).values == {"it": "a"}


def test_a_process_is_tied_to_the_one_that_was_meant(host):
    assert bind(one(ParamType.PID), "42", host).started == {"it": 7}


def test_facts_are_measured_of_the_parameter_of_their_type(host):
    two = (Parameter("mount", ParamType.MOUNTPOINT), Parameter("other", ParamType.MOUNTPOINT))
    bound = parameters.bind(two, {"mount": "/", "other": "/srv/data"}, host.host())
    assert bound.subjects == {"mount": "/"}
    three = (Parameter("a", ParamType.MOUNTPOINT), Parameter("b", ParamType.MOUNTPOINT))
    assert parameters.bind(three, {"a": "/", "b": "/"}, host.host()).subjects == {}
    assert bind(one(ParamType.SERVICE), "web", host).subjects == {"service": "web"}


def test_facts_of_a_process_whose_number_changed_hands_are_those_of_an_ended_one(host):
    host.measured |= {"process_alive": True, "process_cpu": 99.0}
    bound = bind(one(ParamType.PID), "42", host)
    assert conditions.fact("process_alive", bound, {}, host.host()) is True
    host.table[42] = pretend_host.process(42, started=8)
    assert conditions.fact("process_alive", bound, {}, host.host()) is False
    with pytest.raises(facts.FactNotMeasured):
        conditions.fact("process_cpu", bound, {}, host.host())


hostile = strategies.one_of(
    strategies.text(max_size=40),
    strategies.sampled_from(
        [
            *("$(id)", "`id`", ";id", "|id", "&&id", "a b", "a\nb", "a\0b", "-rf", "--help"),
            *("../..", "*", "~", "'", '"', "\\", "\u202e", "web;id", "/srv/data;id", "%s", "{it}"),
        ]
    ),
)


@pytest.mark.property
@pytest.mark.parametrize("kind", list(ParamType))
@hypothesis.given(value=hostile)
def test_no_text_changes_program_or_number_of_arguments(kind, value):
    host = pretend_host.PretendHost(services={"web": True})
    declared = one(kind, choices=("a",) if kind is ParamType.ENUM else ())
    try:
        bound = bind(declared, value, host)
    except parameters.ParameterRefused:
        return
    action = Action("ssh_command", {"argv": ("/bin/echo", "--", Param("it"))})
    argv = steps.KINDS["ssh_command"].plan(action, bound)
    assert argv == ("/bin/echo", "--", value)
    assert not value.startswith("-")
    assert value.isascii()
    assert value.isprintable()
