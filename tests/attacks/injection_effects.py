"""What a value changes in the calls of a step or a check, but for standing where a good one stands.

Called by the tests of the injection matrix. Two good values show where in the calls of a place its
value stands: there, a hostile one may stand too, whole and alone. All other calls are those of a
good value, or fewer where it is refused on the way; a number may do less.
"""

import contextlib
import dataclasses
import functools
import re

from sentienguard.model import errors, ids, playbook
from sentienguard.playbook import units
from sentienguard.stages.execute import checks, parameters, steps, work
from tests.attacks.injection_host import recording
from tests.support import pretend_host

NUMBERS = {
    playbook.ParamType.PERCENT: units.percent,
    playbook.ParamType.DURATION: units.seconds,
    playbook.ParamType.INTEGER: float,
    playbook.ParamType.PID: float,
}


def bound(place, text, host, *, admitted):
    """Return what is bound where a text stands: by admission, or past it as after a restart."""
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
