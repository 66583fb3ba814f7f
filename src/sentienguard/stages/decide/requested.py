"""A playbook that a person asked for by its name: what of the decision that settles, and what not.

Called by `decide`. A request takes the place of matching and of measured parameters, and of nothing
else: every rule of policy judges it as it judges what was found. It never permits more:

1. Confidence is that of the playbook's own record here, under the line of unattended running, since
   nothing measured says that it is the right one.
2. Whatever the rules permit, another person is asked first; a dry run stays one.
3. A parameter that is missing, unknown or outside its signed choices and bounds goes to people. The
   host compares the rest with what it enumerates itself.
"""

from sentienguard.model.anomaly import Requested
from sentienguard.model.decision import Candidate, Route, ScoreItem, Verdict
from sentienguard.model.playbook import Parameter, ParamType, Playbook
from sentienguard.playbook import units
from sentienguard.stages.decide import matching
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.parameters import Filled

_WHOLE = 1.0  # the score of what needs no match


def only(asked: Requested, library: Library) -> tuple[Candidate, ...]:
    """Return the playbook that was asked for, as it was signed then; nothing where it left."""
    found = next((one for one in library.playbooks if one.digest == asked.digest), None)
    if found is None or found.name != asked.playbook:
        return ()
    reason = "a person chose it, nothing measured did"
    items = (
        ScoreItem("requested", _WHOLE, "asked for by its name"),
        ScoreItem(matching.AUTONOMY_CAP, 0.0, reason),  # rule 1
    )
    return (Candidate(found.name, found.version, found.digest, _WHOLE, items),)


def at_most(asked: Requested) -> Verdict:
    """Return the most that a request permits, whatever else holds (rule 2)."""
    if asked.dry_run:
        return Verdict("requested", Route.DRY_RUN, "a dry run was asked for")
    return Verdict("requested", Route.ASK, "a person asked for it, and another one decides")


def given(playbook: Playbook, asked: Requested) -> Filled:
    """Return the parameters as they were given, and which of them cannot stand (rule 3)."""
    known = {one.name: one for one in playbook.parameters}
    values = {
        name: value
        for name, one in known.items()
        if (value := asked.parameters.get(name, one.default)) is not None
    }
    wrong = [name for name in known if name not in values or not fits(known[name], values[name])]
    return Filled(values, (*wrong, *sorted(set(asked.parameters) - set(known))))


def fits(parameter: Parameter, value: str) -> bool:
    """Tell whether a value is inside what was signed; what only the host knows is left to it."""
    match parameter.type:
        case ParamType.ENUM:
            return value in parameter.choices
        case ParamType.INTEGER | ParamType.PERCENT | ParamType.DURATION:
            return _bounded(parameter, value)
        case _:
            return bool(value)


def _bounded(parameter: Parameter, value: str) -> bool:
    try:
        number = {
            ParamType.PERCENT: units.percent,
            ParamType.DURATION: units.seconds,
        }.get(parameter.type, _whole)(value)
    except units.NotAQuantity:
        return False
    low = float("-inf") if parameter.minimum is None else parameter.minimum
    high = float("inf") if parameter.maximum is None else parameter.maximum
    return low <= number <= high


def _whole(value: str) -> float:
    if not (value.isascii() and value.isdecimal() and len(value) <= 16):  # noqa: PLR2004 - as the host reads it
        raise units.NotAQuantity(f"expected a whole number, found {value[:20]!r}")
    return float(value)
