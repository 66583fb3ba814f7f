"""Bodies of OpenTelemetry over HTTP, protobuf or JSON, as the same plain objects.

Called by `otlp_metrics`, `otlp_logs` and `otlp_traces`. A protobuf message becomes what its JSON
would have been read as, so each of those is written once. Tables say which fields are read; any
other is skipped. Rules:

1. Nothing but Malformed leaves, whatever the bytes.
2. What is looked at has the type that the protocol says, or the message is refused by its path.
3. Values in values (arrays, maps) go MAX_DEPTH deep.
4. What a body is read into is bounded, not only the body: an object of two bytes takes sixty here.

Format: https://opentelemetry.io/docs/specs/otlp/, opentelemetry-proto 1.x
"""

import base64
import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from sentienguard.stages.observe import protobuf
from sentienguard.stages.observe.outside import Malformed
from sentienguard.stages.observe.protobuf import FIXED64, LEN, VARINT, Value

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
MAX_DEPTH: Final = 8
MAX_JSON: Final = 4 * 1024 * 1024  # bytes; rule 4
MAX_MESSAGES: Final = 500_000  # in one body; rule 4
MAX_ATTRIBUTES: Final = 256  # of one thing; more is refused
Object: TypeAlias = Mapping[str, Any]
Table: TypeAlias = "dict[int, Field]"

_DOUBLE: Final = struct.Struct("<d")
_UNSIGNED: Final = struct.Struct("<Q")
_SIGNED: Final = struct.Struct("<q")
_LARGEST: Final = (1 << 64) - 1
_SPECIAL: Final = {"NaN", "Infinity", "-Infinity"}


@dataclass(frozen=True, slots=True)
class Field:
    """How one field of a message is read."""

    name: str  # as JSON has it
    read: Callable[[Any], Any] | None  # None: a message
    table: "Table | None" = None  # of the message
    is_list: bool = False
    is_packed: bool = False  # `read` returns all of them


def _text(value: bytes) -> str:
    return protobuf.text(value, "text")


def _double(value: bytes) -> float:
    return float(_DOUBLE.unpack(value)[0])


def _unsigned(value: bytes) -> int:
    return int(_UNSIGNED.unpack(value)[0])


def _signed(value: bytes) -> int:
    return int(_SIGNED.unpack(value)[0])


def _same(value: Any) -> Any:
    return value


def _message(name: str, table: Table, *, many: bool = False) -> Field:
    return Field(name, None, table, is_list=many)


ANY: Final[Table] = {
    1 << 3 | LEN: Field("stringValue", _text),
    2 << 3 | VARINT: Field("boolValue", bool),
    3 << 3 | VARINT: Field("intValue", protobuf.signed),
    4 << 3 | FIXED64: Field("doubleValue", _double),
    7 << 3 | LEN: Field("bytesValue", lambda value: base64.b64encode(value).decode()),
}
ATTRIBUTE: Final[Table] = {1 << 3 | LEN: Field("key", _text), 2 << 3 | LEN: _message("value", ANY)}
ANY[5 << 3 | LEN] = _message("arrayValue", {1 << 3 | LEN: _message("values", ANY, many=True)})
ANY[6 << 3 | LEN] = _message(
    "kvlistValue", {1 << 3 | LEN: _message("values", ATTRIBUTE, many=True)}
)
_RESOURCE: Final[Table] = {1 << 3 | LEN: _message("attributes", ATTRIBUTE, many=True)}

_NUMBER: Final[Table] = {
    3 << 3 | FIXED64: Field("timeUnixNano", _unsigned),
    4 << 3 | FIXED64: Field("asDouble", _double),
    6 << 3 | FIXED64: Field("asInt", _signed),
    7 << 3 | LEN: _message("attributes", ATTRIBUTE, many=True),
    8 << 3 | VARINT: Field("flags", _same),
}
_HISTOGRAM: Final[Table] = {
    3 << 3 | FIXED64: Field("timeUnixNano", _unsigned),
    4 << 3 | FIXED64: Field("count", _unsigned),
    5 << 3 | FIXED64: Field("sum", _double),
    6 << 3 | LEN: Field("bucketCounts", protobuf.unsigned64, is_list=True, is_packed=True),
    6 << 3 | FIXED64: Field("bucketCounts", _unsigned, is_list=True),
    7 << 3 | LEN: Field("explicitBounds", protobuf.doubles, is_list=True, is_packed=True),
    7 << 3 | FIXED64: Field("explicitBounds", _double, is_list=True),
    9 << 3 | LEN: _message("attributes", ATTRIBUTE, many=True),
    10 << 3 | VARINT: Field("flags", _same),
}
_QUANTILE: Final[Table] = {
    1 << 3 | FIXED64: Field("quantile", _double),
    2 << 3 | FIXED64: Field("value", _double),
}
_SUMMARY: Final[Table] = {
    3 << 3 | FIXED64: Field("timeUnixNano", _unsigned),
    4 << 3 | FIXED64: Field("count", _unsigned),
    5 << 3 | FIXED64: Field("sum", _double),
    6 << 3 | LEN: _message("quantileValues", _QUANTILE, many=True),
    7 << 3 | LEN: _message("attributes", ATTRIBUTE, many=True),
    8 << 3 | VARINT: Field("flags", _same),
}


def _points(table: Table) -> Table:
    return {
        1 << 3 | LEN: _message("dataPoints", table, many=True),
        2 << 3 | VARINT: Field("aggregationTemporality", _same),
        3 << 3 | VARINT: Field("isMonotonic", bool),
    }


_METRIC: Final[Table] = {
    1 << 3 | LEN: Field("name", _text),
    5 << 3 | LEN: _message("gauge", _points(_NUMBER)),
    7 << 3 | LEN: _message("sum", _points(_NUMBER)),
    9 << 3 | LEN: _message("histogram", _points(_HISTOGRAM)),
    10 << 3 | LEN: _message("exponentialHistogram", _points({})),
    11 << 3 | LEN: _message("summary", _points(_SUMMARY)),
}
_RECORD: Final[Table] = {
    1 << 3 | FIXED64: Field("timeUnixNano", _unsigned),
    2 << 3 | VARINT: Field("severityNumber", _same),
    3 << 3 | LEN: Field("severityText", _text),
    5 << 3 | LEN: _message("body", ANY),
    11 << 3 | FIXED64: Field("observedTimeUnixNano", _unsigned),
}
_SPAN: Final[Table] = {
    1 << 3 | LEN: Field("traceId", bytes.hex),
    2 << 3 | LEN: Field("spanId", bytes.hex),
    4 << 3 | LEN: Field("parentSpanId", bytes.hex),
    6 << 3 | VARINT: Field("kind", _same),
    9 << 3 | LEN: _message("attributes", ATTRIBUTE, many=True),
}


def _request(kind: str, item: str, table: Table) -> Table:
    scope = {2 << 3 | LEN: _message(item, table, many=True)}
    resource = {
        1 << 3 | LEN: _message("resource", _RESOURCE),
        2 << 3 | LEN: _message(f"scope{kind}", scope, many=True),
    }
    return {1 << 3 | LEN: _message(f"resource{kind}", resource, many=True)}


METRICS: Final = _request("Metrics", "metrics", _METRIC)
LOGS: Final = _request("Logs", "logRecords", _RECORD)
TRACES: Final = _request("Spans", "spans", _SPAN)


def parse(body: bytes, media_type: str, table: Table) -> Object:
    """Read an unpacked body of PROTOBUF or JSON. Raises Malformed."""
    if media_type == JSON and len(body) > MAX_JSON:
        raise Malformed(f"body: expected at most {MAX_JSON} bytes of JSON, found {len(body)}; send "
                        f"protobuf, or less in one")  # fmt: skip
    try:
        if media_type == PROTOBUF:
            return _Decoder().decode(body, table, 0)
        found = msgspec.json.decode(body)
    except (protobuf.Malformed, msgspec.MsgspecError, UnicodeError, RecursionError, ValueError,
            struct.error) as cause:  # fmt: skip
        raise Malformed(f"body: expected a message of OpenTelemetry: {cause}") from cause
    if not isinstance(found, dict):
        raise Malformed(f"body: expected an object, found {type(found).__name__}")
    return found


class _Decoder:
    """Reads one body."""

    def __init__(self) -> None:
        self._left = MAX_MESSAGES

    def decode(self, message: bytes, table: Table, depth: int) -> dict[str, Any]:
        self._left -= 1
        if self._left < 0 or depth > 3 * MAX_DEPTH:
            raise Malformed(
                f"body: expected at most {MAX_MESSAGES} messages, and values at most {MAX_DEPTH} "
                "deep"
            )
        found: dict[str, Any] = {}
        for key, value in protobuf.fields(message):
            field = table.get(key)
            if field is None:
                continue
            read = self._value(field, value, depth)
            if field.is_packed:
                found.setdefault(field.name, []).extend(read)
            elif field.is_list:
                found.setdefault(field.name, []).append(read)
            else:
                found[field.name] = read
        return found

    def _value(self, field: Field, value: Value, depth: int) -> Any:
        if field.read is not None:
            return field.read(value)
        return self.decode(value if isinstance(value, bytes) else b"", field.table or {}, depth + 1)


def items(parent: Object, name: str) -> Iterator[Object]:
    """Yield the objects of a list that may be missing. Raises Malformed."""
    found = parent.get(name)
    if found is None:
        return
    if not isinstance(found, list):
        raise Malformed(f"{name}: expected a list, found {type(found).__name__}")
    for one in found:
        if not isinstance(one, dict):
            raise Malformed(f"{name}: expected objects, found {type(one).__name__}")
        yield one


def inner(parent: Object, name: str) -> Object:
    """Return an object that may be missing. Raises Malformed."""
    found = parent.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Malformed(f"{name}: expected an object, found {type(found).__name__}")
    return found


def text(parent: Object, name: str) -> str:
    """Return a text that may be missing. Raises Malformed."""
    found = parent.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Malformed(f"{name}: expected text, found {type(found).__name__}")
    return found


def whole(parent: Object, name: str) -> int:
    """Return a whole number, which JSON may have as text; 0 where it is missing."""
    return to_whole(parent.get(name, 0), name)


def to_whole(value: Any, name: str) -> int:
    """Return a whole number of at most 64 bits. Raises Malformed."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST:
        raise Malformed(f"{name}: expected a whole number, found {str(value)[:40]!a}")
    return value


def to_number(value: Any, name: str) -> float:
    """Return a number, which JSON may have as text if it is none. Raises Malformed."""
    if isinstance(value, str) and value in _SPECIAL:
        return float(value.replace("Infinity", "inf"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"{name}: expected a number, found {str(value)[:40]!a}")
    try:
        return float(value)
    except OverflowError as cause:
        raise Malformed(f"{name}: expected a number of 64 bits, found a longer one") from cause


def attributes(parent: Object) -> dict[str, str]:
    """Return attributes as text by key; of one that is there twice the last. Raises Malformed."""
    found: dict[str, str] = {}
    for one in items(parent, "attributes"):
        key = text(one, "key")
        if key:
            found[key] = shown(inner(one, "value"))
        if len(found) > MAX_ATTRIBUTES:
            raise Malformed(f"attributes: expected at most {MAX_ATTRIBUTES}")
    return found


def shown(value: Object) -> str:
    """Return a value as text: texts as they are, numbers and booleans as JSON, others too."""
    plain = _plain(value, 0)
    if isinstance(plain, str):
        return plain
    return "" if plain is None else json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Object, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Malformed(f"value: expected at most {MAX_DEPTH} deep")
    name = next((one for one in _READ if value.get(one) is not None), "")
    return _READ[name](value, name, depth) if name else None


def _array(value: Object, name: str, depth: int) -> list[Any]:
    return [_plain(one, depth + 1) for one in items(inner(value, name), "values")]


def _map(value: Object, name: str, depth: int) -> dict[str, Any]:
    pairs = items(inner(value, name), "values")
    return {text(one, "key"): _plain(inner(one, "value"), depth + 1) for one in pairs}


_READ: Final[Mapping[str, Callable[[Object, str, int], Any]]] = {
    "stringValue": lambda value, name, _: text(value, name),
    "bytesValue": lambda value, name, _: text(value, name),
    "boolValue": lambda value, name, _: bool(value[name]),
    "intValue": lambda value, name, _: whole(value, name),
    "doubleValue": lambda value, name, _: to_number(value[name], name),
    "arrayValue": _array,
    "kvlistValue": _map,
}
