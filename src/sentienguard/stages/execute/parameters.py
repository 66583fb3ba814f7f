"""What the parameters of an order may be, and what they stand for.

Called by `admission` (may they be?), by steps and checks (what do they stand for?).

Rules; the line that refuses names its rule:
1. Exactly the declared parameters are given; a declared default fills a gap, nothing else does.
2. No value begins with a minus sign or holds anything but printable ASCII without blanks, so none
   can be taken for an option or for two arguments, whatever program receives it.
3. A mount point, service or process is one that this host enumerates now, compared as a whole.
4. A number is inside the signed bounds; an enum is one of the signed choices.
5. An object is of a signed kind, and on a target where the owner of this relay declared it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from sentienguard.model import errors, playbook
from sentienguard.playbook import objects, units
from sentienguard.ports import processes, services
from sentienguard.stages.execute import host as hosts

_SHAPE = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_./:@%+\-]{0,254}\Z")  # rule 2
_INTEGER = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z")


class ParameterRefused(errors.Rejected):
    """A parameter is missing, unknown, or not a value that this host and the playbook allow."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The parameters of one order, each checked, processes tied to the one that was meant."""

    values: Mapping[str, str]
    started: Mapping[str, int] = field(default_factory=dict)  # pid parameter -> its start tick
    subjects: Mapping[str, str] = field(default_factory=dict)  # mount, service, pid, object

    def text(self, value: playbook.Field | None) -> str:
        """Return a field's text: a parameter's value, or the literal as it stands."""
        if isinstance(value, playbook.Param):
            return self.values[value.name]
        if value is None or isinstance(value, tuple | Mapping):
            raise ParameterRefused(f"expected one value in the playbook, found {value!r}")
        return str(value)

    def argv(self, value: playbook.Field | None) -> tuple[str, ...]:
        """Return one argument for each element; its number never depends on a parameter."""
        if not isinstance(value, tuple):
            raise ParameterRefused(f"expected argv in the playbook, found {value!r}")
        return tuple(self.text(element) for element in value)

    def seconds(self, value: playbook.Field | None, default: float = 0.0) -> float:
        """Return a duration."""
        return default if value is None else units.seconds(self._scalar(value))

    def size(self, value: playbook.Field | None, default: int = 0) -> int:
        """Return a number of bytes."""
        return default if value is None else units.bytes_of(self._scalar(value))

    def integer(self, value: playbook.Field | None, default: int = 0) -> int:
        """Return a whole number; a percentage is that many."""
        if value is None:
            return default
        scalar = self._scalar(value)
        try:
            return int(scalar.removesuffix("%") if isinstance(scalar, str) else scalar)
        except ValueError as error:
            found = str(scalar)[:64]
            raise ParameterRefused(f"expected a whole number, found {found!r}") from error

    def _scalar(self, value: playbook.Field) -> str | float:
        return value if isinstance(value, int | float) else self.text(value)


def bind(
    declared: tuple[playbook.Parameter, ...], given: Mapping[str, str], host: hosts.Host
) -> Bound:
    """Check the parameters of an order against the playbook and this host, now.

    Raises ParameterRefused.
    """
    names = {parameter.name for parameter in declared}
    if unknown := sorted(set(given) - names):
        raise ParameterRefused(f"{unknown[0][:64]!r} is not declared; expected {sorted(names)}")
    values: dict[str, str] = {}
    started: dict[str, int] = {}
    for parameter in declared:
        value = given.get(parameter.name, parameter.default)
        if value is None:
            raise ParameterRefused(f"parameter {parameter.name} is missing")
        _check(parameter, value, host)
        values[parameter.name] = value
        if parameter.type is playbook.ParamType.PID:
            started[parameter.name] = _process(value, host).started
    return Bound(values, started, subjects(declared, values))


def bound_before(
    declared: tuple[playbook.Parameter, ...], values: Mapping[str, str], started: Mapping[str, int]
) -> Bound:
    """Return parameters that were checked when their order was admitted."""
    return Bound(dict(values), dict(started), subjects(declared, values))


_SUBJECTS = {
    playbook.ParamType.MOUNTPOINT: "mount",
    playbook.ParamType.SERVICE: "service",
    playbook.ParamType.PID: "pid",
    playbook.ParamType.OBJECT: "object",
}


def subjects(
    declared: tuple[playbook.Parameter, ...], values: Mapping[str, str]
) -> Mapping[str, str]:
    """Tell what facts are measured of: the parameter of that type, or of that name among several.

    Several parameters of a type, none of them named like its subject, give no subject.
    """
    found: dict[str, str] = {}
    for kind, subject in _SUBJECTS.items():
        names = [one.name for one in declared if one.type is kind]
        name = subject if subject in names else names[0] if len(names) == 1 else None
        if name is not None:
            found[subject] = values[name]
    return found


def _check(parameter: playbook.Parameter, value: str, host: hosts.Host) -> None:
    if _SHAPE.match(value) is None:
        raise ParameterRefused(
            f"parameter {parameter.name} is {value[:64]!r}; expected up to 255 printable "
            "characters without blanks, the first of them no minus sign"
        )
    match parameter.type:
        case playbook.ParamType.MOUNTPOINT:
            _member(parameter, value, host.files.volumes())
        case playbook.ParamType.SERVICE:
            _service(parameter, value, host)
        case playbook.ParamType.PID:
            _process(value, host)
        case playbook.ParamType.OBJECT:
            _object(parameter, value, host)
        case playbook.ParamType.ENUM:
            if value not in parameter.choices:
                raise ParameterRefused(
                    f"{parameter.name} is {value[:64]!r}; signed are {parameter.choices}"
                )
        case playbook.ParamType.PERCENT | playbook.ParamType.DURATION | playbook.ParamType.INTEGER:
            _bounds(parameter, _number(parameter, value))
        case never:
            assert_never(never)


def _member(parameter: playbook.Parameter, value: str, known: frozenset[str]) -> None:
    if value not in known:
        raise ParameterRefused(
            f"{parameter.name} is {value[:64]!r}, which is no {parameter.type} of this "
            f"host; it has {', '.join(sorted(known)[:8]) or 'none'}"
        )


def _service(parameter: playbook.Parameter, value: str, host: hosts.Host) -> None:
    """Ask for it by name: a host looks again before it says that it has none of that name."""
    try:
        host.services.describe(value)
    except services.UnknownService:
        _member(parameter, value, host.services.names())


def _object(parameter: playbook.Parameter, value: str, host: hosts.Host) -> None:
    try:
        kind = objects.read(value).kind
        host.remotes.allow(value)
    except errors.Rejected as error:
        raise ParameterRefused(f"{parameter.name}: {error}") from error
    if kind not in parameter.choices:
        raise ParameterRefused(
            f"{parameter.name} is a {kind}; signed are {', '.join(parameter.choices)}"
        )


def _process(value: str, host: hosts.Host) -> processes.Process:
    found = host.processes.find(int(value)) if _INTEGER.match(value) else None
    if found is None:
        raise ParameterRefused(f"{value[:20]!r} is no live process of this host")
    return found


def _number(parameter: playbook.Parameter, value: str) -> float:
    try:
        match parameter.type:
            case playbook.ParamType.PERCENT:
                return units.percent(value)
            case playbook.ParamType.DURATION:
                return units.seconds(value)
            case _:
                if _INTEGER.match(value):
                    return int(value)
    except units.NotAQuantity as error:
        raise ParameterRefused(f"{parameter.name}: {error}") from error
    raise ParameterRefused(f"{parameter.name} is {value[:64]!r}, expected a whole number")


def _bounds(parameter: playbook.Parameter, number: float) -> None:
    low = float("-inf") if parameter.minimum is None else parameter.minimum
    high = float("inf") if parameter.maximum is None else parameter.maximum
    if not low <= number <= high:
        raise ParameterRefused(f"{parameter.name} is {number:g}, signed is {low:g} to {high:g}")
