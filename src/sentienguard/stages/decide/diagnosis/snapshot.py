"""Read a snapshot from plain JSON data, or say which field is wrong.

Called with what `json.loads` gave. Rules, cited below:
1. Unknown fields are refused, so that a misspelt one is not silently without effect.
2. What is observed about an object that is not in the inventory is refused; aliases are resolved.
3. There are limits on how much of everything there is (`LIMITS`), because a host can cause data.
4. Numbers are finite; times are integers in milliseconds of UTC and rise within a series.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sentienguard.model import diagnosis, errors

VERSION: Final = 1

LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "objects": 20_000,
        "edges": 100_000,
        "series": 50_000,
        "logs": 50_000,
        "traces": 100_000,
        "changes": 10_000,
        "alerts": 10_000,
        "known": 10_000,
        "points": 5_000_000,  # readings of all series together
        "text": 20_000,  # characters of one text; longer ones are cut, not refused
    }
)

_Kind = TypeVar("_Kind", diagnosis.EdgeKind, diagnosis.MetricKind, diagnosis.ChangeKind)
_Part = TypeVar("_Part")


class NotASnapshot(errors.Rejected):
    """The data is not a snapshot; the message names the field and what was expected there."""


def parse(data: object) -> diagnosis.Snapshot:
    """Make a snapshot of parsed JSON.

    Raises NotASnapshot for anything else.
    """
    top = _Fields(data, "snapshot")
    version = top.whole("v", VERSION)
    if version != VERSION:
        message = f"snapshot.v: expected {VERSION}, found {version}; another release wrote it"
        raise NotASnapshot(message)
    objects = top.each("objects", _inventory_object)
    names = _names(objects)
    snapshot = diagnosis.Snapshot(
        id=top.text("id", ""),
        symptom=top.one("symptom", lambda fields: _symptom(fields, names)),
        since_ms=top.whole("since_ms"),
        until_ms=top.whole("until_ms"),
        objects=objects,
        edges=top.each("edges", lambda fields: _edge(fields, names)),
        series=top.each("series", lambda fields: _series(fields, names)),
        logs=top.each("logs", lambda fields: _log(fields, names)),
        traces=top.each("traces", lambda fields: _trace(fields, names)),
        changes=top.each("changes", lambda fields: _change(fields, names)),
        alerts=top.each("alerts", lambda fields: _alert(fields, names)),
        known=top.each("known", lambda fields: _known(fields, names)),
        kubernetes=top.one("kubernetes", _kubernetes),
    )
    top.done()
    points = sum(len(series.times_ms) for series in snapshot.series)
    if points > LIMITS["points"]:
        message = f"snapshot.series: {points} readings, at most {LIMITS['points']}; thin them out"
        raise NotASnapshot(message)
    if snapshot.until_ms < snapshot.since_ms:
        message = f"snapshot.until_ms: {snapshot.until_ms} lies before since_ms"
        raise NotASnapshot(message)
    return snapshot


def _names(objects: Sequence[diagnosis.InventoryObject]) -> Mapping[str, str]:
    """Map each name and alias to the name that a verdict uses."""
    names: dict[str, str] = {}
    for number, thing in enumerate(objects):
        if not thing.name:
            message = f"snapshot.objects[{number}].name: expected a name, found an empty one"
            raise NotASnapshot(message)
        if names.get(thing.name) == thing.name:
            message = f"snapshot.objects[{number}].name: {thing.name!r} is there twice"
            raise NotASnapshot(message)
        names[thing.name] = thing.name
    for number, thing in enumerate(objects):
        for alias in thing.aliases:
            if names.setdefault(alias, thing.name) != thing.name:
                message = (
                    f"snapshot.objects[{number}].aliases: {alias!r} is also {names[alias]!r};"
                    " one spelling is for one object"
                )
                raise NotASnapshot(message)
    return names


def _inventory_object(fields: "_Fields") -> diagnosis.InventoryObject:
    return diagnosis.InventoryObject(
        name=fields.text("name"),
        kind=fields.text("kind", "service"),
        aliases=fields.texts("aliases"),
        group=fields.text("group", ""),
    )


def _symptom(fields: "_Fields", names: Mapping[str, str]) -> diagnosis.Symptom:
    return diagnosis.Symptom(
        object=fields.known("object", names, optional=True),
        kind=fields.word("kind", diagnosis.MetricKind),
        at_ms=fields.whole("at_ms"),
        text=fields.text("text", ""),
        metric=fields.text("metric", ""),
    )


def _edge(fields: "_Fields", names: Mapping[str, str]) -> diagnosis.Edge:
    return diagnosis.Edge(
        source=fields.known("source", names),
        target=fields.known("target", names),
        kind=fields.word("kind", diagnosis.EdgeKind),
    )


def _series(fields: "_Fields", names: Mapping[str, str]) -> diagnosis.MetricSeries:
    series = diagnosis.MetricSeries(
        object=fields.known("object", names),
        kind=fields.word("kind", diagnosis.MetricKind),
        name=fields.text("name", ""),
        times_ms=fields.wholes("times_ms"),
        values=fields.numbers("values"),
    )
    if len(series.times_ms) != len(series.values):
        message = (
            f"{fields.where}.values: expected one for each of {len(series.times_ms)} times,"
            f" found {len(series.values)}"
        )
        raise NotASnapshot(message)
    times = series.times_ms
    if not all(map(operator.lt, times, times[1:])):  # there are a hundred thousand of them
        message = f"{fields.where}.times_ms: expected rising times (rule 4)"
        raise NotASnapshot(message)
    return series


def _log(fields: "_Fields", names: Mapping[str, str]) -> diagnosis.LogTemplate:
    return diagnosis.LogTemplate(
        object=fields.known("object", names),
        text=fields.text("text"),
        severity=fields.text("severity", "info").lower(),
        count=fields.number("count", 1.0),
        usual=fields.maybe_number("usual"),
        first_ms=fields.maybe_whole("first_ms"),
        operation=fields.text("operation", ""),
    )


def _trace(fields: "_Fields", names: Mapping[str, str]) -> diagnosis.TraceEdge:
    return diagnosis.TraceEdge(
        caller=fields.known("caller", names, optional=True),
        callee=fields.known("callee", names),
        operation=fields.text("operation", ""),
        calls=fields.number("calls"),
        errors=fields.number("errors", 0.0),
        self_ms=fields.number("self_ms", 0.0),
        total_ms=fields.number("total_ms", 0.0),
        usual_calls=fields.maybe_number("usual_calls"),
        usual_errors=fields.maybe_number("usual_errors"),
        usual_self_ms=fields.maybe_number("usual_self_ms"),
        usual_total_ms=fields.maybe_number("usual_total_ms"),
        wire_ms=fields.maybe_number("wire_ms"),
        usual_wire_ms=fields.maybe_number("usual_wire_ms"),
        within=fields.text("within", ""),
    )


def _change(fields: "_Fields", names: Mapping[str, str]) -> diagnosis.ChangeEvent:
    return diagnosis.ChangeEvent(
        id=fields.text("id"),
        object=fields.known("object", names, optional=True),
        kind=fields.word("kind", diagnosis.ChangeKind),
        at_ms=fields.whole("at_ms"),
        summary=fields.text("summary", ""),
        files=fields.texts("files"),
        diff=fields.text("diff", ""),
        carried_by=fields.text("carried_by", ""),
    )


def _alert(fields: "_Fields", names: Mapping[str, str]) -> diagnosis.Alert:
    return diagnosis.Alert(
        id=fields.text("id"),
        object=fields.known("object", names, optional=True),
        name=fields.text("name", ""),
        at_ms=fields.whole("at_ms"),
        severity=fields.text("severity", "").lower(),
        text=fields.text("text", ""),
        metric=fields.text("metric", ""),
        value=fields.maybe_number("value"),
        threshold=fields.maybe_number("threshold"),
        resolved_after_s=fields.maybe_number("resolved_after_s"),
        fired_last_hour=fields.whole("fired_last_hour", 1),
        topic=fields.text("topic", ""),
        errors_grew=fields.maybe_number("errors_grew"),
    )


def _known(fields: "_Fields", names: Mapping[str, str]) -> diagnosis.KnownIncident:
    return diagnosis.KnownIncident(
        id=fields.text("id"),
        object=fields.known("object", names),
        metric=fields.text("metric", ""),
        since_ms=fields.whole("since_ms"),
    )


def _kubernetes(fields: "_Fields") -> diagnosis.KubernetesState:
    groups = fields.mapping("objects")
    return diagnosis.KubernetesState(
        namespace=fields.text("namespace", ""),
        objects=MappingProxyType(
            {
                kind: _plain_objects(groups[kind], f"{fields.where}.objects.{kind}")
                for kind in sorted(groups)
            }
        ),
        events=_plain_objects(fields.raw("events", []), f"{fields.where}.events"),
        outputs=fields.mapping_of_text("outputs"),
    )


def _plain_objects(value: object, where: str) -> tuple[diagnosis.PlainObject, ...]:
    if not isinstance(value, list):
        raise NotASnapshot(_expected(where, "a list of objects", value))
    for number, one in enumerate(value):
        if not isinstance(one, dict):
            raise NotASnapshot(_expected(f"{where}[{number}]", "an object", one))
    return tuple(value)


def _expected(where: str, wanted: str, found: object) -> str:
    shown = repr(found)
    return f"{where}: expected {wanted}, found {shown[:60]}"


class _Fields:
    """One JSON object whose fields are taken one after the other, and then asked for leftovers."""

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise NotASnapshot(_expected(where, "an object", data))
        self.where = where
        self._data: dict[str, Any] = data
        self._taken: set[str] = set()

    def raw(self, name: str, default: object = ...) -> Any:
        self._taken.add(name)
        found = self._data.get(name, default)
        if found is ...:
            message = f"{self.where}.{name}: is missing"
            raise NotASnapshot(message)
        return found

    def done(self) -> None:
        """Refuse what nobody took (rule 1)."""
        if not self._data.keys() <= self._taken:
            unknown = sorted(set(self._data) - self._taken)
            known = ", ".join(sorted(self._taken))
            message = f"{self.where}: {unknown[0]!r} is unknown; known are {known}"
            raise NotASnapshot(message)

    def text(self, name: str, default: object = ...) -> str:
        found = self.raw(name, default)
        if not isinstance(found, str):
            raise NotASnapshot(_expected(f"{self.where}.{name}", "a text", found))
        return found[: LIMITS["text"]]

    def texts(self, name: str) -> tuple[str, ...]:
        found = self.raw(name, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise NotASnapshot(_expected(f"{self.where}.{name}", "a list of texts", found))
        return tuple(one[: LIMITS["text"]] for one in found)

    def whole(self, name: str, default: object = ...) -> int:
        found = self.raw(name, default)
        if not isinstance(found, int) or isinstance(found, bool):
            raise NotASnapshot(_expected(f"{self.where}.{name}", "a whole number", found))
        return found

    def maybe_whole(self, name: str) -> int | None:
        return None if self.raw(name, None) is None else self.whole(name)

    def number(self, name: str, default: object = ...) -> float:
        return self._finite(self.raw(name, default), f"{self.where}.{name}")

    def maybe_number(self, name: str) -> float | None:
        return None if self.raw(name, None) is None else self.number(name)

    def wholes(self, name: str) -> tuple[int, ...]:
        found = self.raw(name)
        if not isinstance(found, list) or not set(map(type, found)) <= {int}:
            raise NotASnapshot(_expected(f"{self.where}.{name}", "a list of whole numbers", found))
        return tuple(found)

    def numbers(self, name: str) -> tuple[float, ...]:
        found = self.raw(name)
        where = f"{self.where}.{name}"
        if not isinstance(found, list):
            raise NotASnapshot(_expected(where, "a list of numbers", found))
        if set(map(type, found)) <= {float} and all(map(math.isfinite, found)):
            return tuple(found)  # nearly always: each by itself takes ten times as long
        return tuple(self._finite(one, where) for one in found)

    @staticmethod
    def _finite(found: object, where: str) -> float:
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise NotASnapshot(_expected(where, "a number", found))
        try:
            number = float(found)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise NotASnapshot(_expected(where, "a finite number (rule 4)", found))
        return number

    def word(self, name: str, kinds: type[_Kind]) -> _Kind:
        found = self.text(name)
        try:
            return kinds(found)
        except ValueError:
            wanted = "one of " + ", ".join(kinds)
            raise NotASnapshot(_expected(f"{self.where}.{name}", wanted, found)) from None

    def known(self, name: str, names: Mapping[str, str], *, optional: bool = False) -> str:
        """Take the name or alias of an object of the inventory (rule 2)."""
        found = self.text(name, "" if optional else ...)
        if optional and not found:
            return ""
        if found not in names:
            wanted = "the name or alias of an object of snapshot.objects (rule 2)"
            raise NotASnapshot(_expected(f"{self.where}.{name}", wanted, found))
        return names[found]

    def mapping(self, name: str) -> dict[str, Any]:
        found = self.raw(name, {})
        if not isinstance(found, dict):
            raise NotASnapshot(_expected(f"{self.where}.{name}", "an object", found))
        return found

    def mapping_of_text(self, name: str) -> Mapping[str, str]:
        found = self.mapping(name)
        for key, value in found.items():
            if not isinstance(value, str):
                raise NotASnapshot(_expected(f"{self.where}.{name}.{key}", "a text", value))
        return MappingProxyType({key: found[key] for key in sorted(found)})

    def one(self, name: str, read: "Callable[[_Fields], _Part]") -> _Part | None:
        found = self.raw(name, None)
        if found is None:
            return None
        fields = _Fields(found, f"{self.where}.{name}")
        part = read(fields)
        fields.done()
        return part

    def each(self, name: str, read: "Callable[[_Fields], _Part]") -> tuple[_Part, ...]:
        found = self.raw(name, [])
        if not isinstance(found, list):
            raise NotASnapshot(_expected(f"{self.where}.{name}", "a list", found))
        if len(found) > LIMITS[name]:  # rule 3
            message = f"{self.where}.{name}: {len(found)} entries, at most {LIMITS[name]}"
            raise NotASnapshot(message)
        parts: list[_Part] = []
        for number, one in enumerate(found):
            fields = _Fields(one, f"{self.where}.{name}[{number}]")
            parts.append(read(fields))
            fields.done()
        return tuple(parts)
