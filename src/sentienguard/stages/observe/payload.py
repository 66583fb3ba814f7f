"""The JSON text of one sample, and back, with every field checked.

Called by `agent.sampler` (encode) and by the control plane's ingest (parse). The shape, in the
order in which it is written, so that two texts of one host differ in as few places as possible:

    {"v":1, "agent_id":"<uuid>", "host":"prod-db-01", "environment":"production", "tags":{"k":"v"},
     "seq":17, "at_ms":1770895560000,
     "metrics":{"system":{"cpu_percent":42.3, "disk_usage_percent":{"/var":94.8}}},
     "top":{"cpu":[{"pid":7,"name":"gzip","cpu_percent":99.1,"memory_bytes":4096}], "memory":[...],
            "io":[{"pid":7,"name":"gzip","cpu_percent":99.1,"memory_bytes":4096,
                   "io_bytes_per_s":5e7}],
            "paths":{"/var":[{"path":"/var/log/a","bytes":4096,"growth_bytes_per_hour":0}]}},
     "logs":[{"at_ms":1770895559000,"file":"/var/log/syslog","text":"..."}]}

A metric is `group.name`; its reading is a number for the host as a whole, or an object with one
number for each subject (mount point, interface, service). `top` and `logs`, and the members of
`top`, are left out where they are empty. `v`, `agent_id`, `seq` and `at_ms` are never left out.

Rules:

1. `parse` gives a whole Sample or raises Malformed with the path of the first bad field.
2. A number is finite; true is not a number; an integer where one is asked for.
3. A name holds printable characters only (no control characters, no line breaks, no lone
   surrogates), because people and terminals will see it.
4. Everything is bounded: `MAX_VALUES` readings, `MAX_NAME` characters of a name.
5. A field that is not in the shape is refused, and so is one that comes twice.
"""

import functools
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeGuard, TypeVar

from sentienguard.model import errors, ids, telemetry

T = TypeVar("T")

VERSION = 1
MAX_VALUES = 2000  # readings in one sample; 64 disks, 32 interfaces and 300 services fit
MAX_NAME = 512  # characters of a mount point, a path, a subject
MAX_TEXT = 512  # characters of a log line, see telemetry.LogLine
MAX_TAGS = 64
MAX_TOP = 32  # processes or paths in one list
MAX_VOLUMES = 64  # volumes with top paths
MAX_LOG_LINES = 256
MAX_COUNT = 2**53 - 1  # the largest integer that every JSON reader keeps

_NAMES_REMEMBERED = 4096  # of metrics, from hosts

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MS = 253_402_300_799_999  # the last millisecond of the year 9999
_AGENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,62}")
_METRIC = re.compile(r"[a-z][a-z0-9_]{0,63}(\.[a-z0-9_]{1,64}){1,4}")

_SHAPE = frozenset({"v", "agent_id", "host", "environment", "tags", "seq", "at_ms", "metrics"})
_OPTIONAL = frozenset({"top", "logs"})


class Malformed(errors.Rejected):
    """The text is not a sample; the message starts with the path of the field that is wrong."""


def milliseconds(at: datetime) -> int:
    """Return the whole milliseconds from 1970 to `at`, which has a time zone."""
    return (at - _EPOCH) // _MILLISECOND


def moment(at_ms: int) -> datetime:
    """Return the UTC time of a number of milliseconds since 1970, below the year 10000."""
    return _EPOCH + at_ms * _MILLISECOND


def encode(sample: telemetry.Sample) -> bytes:
    """Write a sample as UTF-8 JSON; equal samples give equal bytes.

    The caller has made names printable (`redact.printable`) and times whole milliseconds; what
    `parse` would refuse comes out as it is and is refused there. Raises Malformed for a text that
    is not Unicode.
    """
    record: dict[str, object] = {
        "v": VERSION,
        "agent_id": sample.agent,
        "host": sample.host,
        "environment": sample.environment,
        "tags": dict(sorted(sample.tags.items())),
        "seq": sample.seq,
        "at_ms": milliseconds(sample.at),
        "metrics": _nest(sample.values),
    }
    top = {
        "cpu": [_write_process(use) for use in sample.top_cpu],
        "memory": [_write_process(use) for use in sample.top_memory],
        "io": [_write_process(use) for use in sample.top_io],
        "paths": {
            volume: [_write_path(use) for use in uses]
            for volume, uses in sorted(sample.top_paths.items())
        },
    }
    if present := {name: found for name, found in top.items() if found}:
        record["top"] = present
    if sample.log_lines:
        record["logs"] = [
            {"at_ms": milliseconds(line.at), "file": line.file, "text": line.text}
            for line in sample.log_lines
        ]
    try:
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise Malformed(f"sample {sample.seq}: a text is not Unicode ({error.reason})") from error


def parse(text: bytes) -> telemetry.Sample:
    """Read a sample from its JSON text.

    Raises Malformed with the path of the first bad field, for example
    `metrics.system.cpu_percent: expected a finite number, got "high"`.
    """
    record = _object(_load(text), "sample")
    _fields(record, _SHAPE, _OPTIONAL, "")
    version = _count(record["v"], "v")
    if version != VERSION:
        raise Malformed(f"v: expected {VERSION}, got {version}; update the older side")
    top = _object(record.get("top", {}), "top")
    _fields(top, frozenset(), frozenset({"cpu", "memory", "io", "paths"}), "top.")
    return telemetry.Sample(
        agent=ids.AgentId(_matching(record["agent_id"], _AGENT_ID, "agent_id")),
        host=_name(record["host"], "host", most=253),
        environment=_matching(record["environment"], _ENVIRONMENT, "environment"),
        tags=_tags(record["tags"]),
        seq=_count(record["seq"], "seq", least=1, most=0xFFFFFFFF),
        at=_time(record["at_ms"], "at_ms"),
        values=_flatten(_object(record["metrics"], "metrics")),
        top_cpu=_list(top.get("cpu", []), "top.cpu", MAX_TOP, _process),
        top_memory=_list(top.get("memory", []), "top.memory", MAX_TOP, _process),
        top_io=_list(top.get("io", []), "top.io", MAX_TOP, _process),
        top_paths=_paths(top.get("paths", {})),
        log_lines=_list(record.get("logs", []), "logs", MAX_LOG_LINES, _log_line),
    )


def environment_name(text: str) -> bool:
    """Tell whether an environment may have this name."""
    return _ENVIRONMENT.fullmatch(text) is not None


def _nest(values: Mapping[tuple[str, str], float]) -> dict[str, dict[str, object]]:
    """Turn (metric, subject) -> reading into the nested shape, sorted."""
    by_metric: dict[str, dict[str, float]] = {}
    for (metric, subject), value in sorted(values.items()):
        by_metric.setdefault(metric, {})[subject] = _shortest(value)
    nested: dict[str, dict[str, object]] = {}
    for metric, subjects in by_metric.items():
        group, _, name = metric.partition(".")
        alone = len(subjects) == 1 and "" in subjects
        nested.setdefault(group, {})[name] = subjects[""] if alone else subjects
    return nested


def _shortest(value: float) -> float:
    """Write whole numbers without their `.0`."""
    return int(value) if value == int(value) and abs(value) <= MAX_COUNT else value


def _write_process(use: telemetry.ProcessUse) -> dict[str, object]:
    record: dict[str, object] = {
        "pid": use.pid,
        "name": use.name,
        "cpu_percent": _shortest(use.cpu_percent),
        "memory_bytes": use.memory_bytes,
    }
    if use.io_bytes_per_s:
        record["io_bytes_per_s"] = _shortest(use.io_bytes_per_s)
    return record


def _write_path(use: telemetry.PathUse) -> dict[str, object]:
    growth = _shortest(use.growth_bytes_per_hour)
    return {"path": use.path, "bytes": use.bytes, "growth_bytes_per_hour": growth}


def _load(text: bytes) -> Any:
    try:
        return json.loads(
            text.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Malformed(f"sample: not JSON in UTF-8 ({error})") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"sample: {_show(twice)} comes twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"sample: expected finite numbers, got {name}")


def _fields(
    record: Mapping[str, Any], needed: frozenset[str], optional: frozenset[str], path: str
) -> None:
    if missing := sorted(needed - record.keys()):
        raise Malformed(f"{path}{missing[0]}: expected a value, got nothing")
    if unknown := sorted(record.keys() - needed - optional):
        raise Malformed(f"{path or 'sample'}: {_show(unknown[0])} is not a field of a sample")


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{path}: expected an object, got {_show(value)}")
    return value


def _list(value: Any, path: str, most: int, read: Callable[[Any, str], T]) -> tuple[T, ...]:
    if not isinstance(value, list) or len(value) > most:
        raise Malformed(f"{path}: expected a list of at most {most}, got {_show(value)}")
    return tuple(read(item, f"{path}[{index}]") for index, item in enumerate(value))


def _is_name(value: Any, most: int = MAX_NAME) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= most and value.isprintable()


def _name(value: Any, path: str, *, most: int = MAX_NAME) -> str:
    if not _is_name(value, most):
        raise Malformed(f"{path}: expected 1 to {most} printable characters, got {_show(value)}")
    return value


def _matching(value: Any, pattern: re.Pattern[str], path: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise Malformed(f"{path}: expected {pattern.pattern}, got {_show(value)}")
    return value


def _number(value: Any, path: str, subject: str | None = None) -> float:
    """Accept any finite JSON number; comparing refuses NaN and both infinities."""
    if type(value) in {int, float} and -1.7e308 < value < 1.7e308:  # noqa: PLR2004 - a float's range
        return float(value)
    place = path if subject is None else f"{path}[{_show(subject)}]"
    raise Malformed(f"{place}: expected a finite number, got {_show(value)}")


def _count(value: Any, path: str, *, least: int = 0, most: int = MAX_COUNT) -> int:
    if type(value) is not int or not least <= value <= most:
        raise Malformed(f"{path}: expected an integer from {least} to {most}, got {_show(value)}")
    return value


def _time(value: Any, path: str) -> datetime:
    return moment(_count(value, path, most=_LAST_MS))


def _tags(value: Any) -> dict[str, str]:
    tags = _object(value, "tags")
    if len(tags) > MAX_TAGS:
        raise Malformed(f"tags: expected at most {MAX_TAGS}, got {len(tags)}")
    return {
        _matching(tag, _TAG, "tags"): _name(text, f"tags.{tag}", most=256)
        for tag, text in tags.items()
    }


def _flatten(groups: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    values: dict[tuple[str, str], float] = {}
    for group, members in groups.items():
        if not isinstance(members, dict):
            _object(members, f"metrics.{_show(group)}")  # says why
        for name, reading in members.items():
            metric = _metric(f"{group}.{name}")
            if isinstance(reading, dict):
                for subject, value in reading.items():
                    if subject and not _is_name(subject):
                        _name(subject, f"metrics.{metric}")  # says why
                    values[metric, subject] = _reading(value, metric, subject)
            else:
                values[metric, ""] = _reading(reading, metric)
            if len(values) > MAX_VALUES:
                raise Malformed(f"metrics: expected at most {MAX_VALUES} readings, got more")
    return values


@functools.lru_cache(maxsize=_NAMES_REMEMBERED)
def _metric(name: str) -> str:
    return _matching(name, _METRIC, "metrics")


def _reading(value: Any, metric: str, subject: str | None = None) -> float:
    """Do as `_number`, for what every host sends: a path is only made to be shown."""
    if type(value) is float and -1.7e308 < value < 1.7e308:  # noqa: PLR2004 - a float's range
        return value
    return _number(value, f"metrics.{metric}", subject)


def _process(value: Any, path: str) -> telemetry.ProcessUse:
    record = _object(value, path)
    fields = frozenset({"pid", "name", "cpu_percent", "memory_bytes"})
    _fields(record, fields, frozenset({"io_bytes_per_s"}), f"{path}.")
    return telemetry.ProcessUse(
        pid=_count(record["pid"], f"{path}.pid", least=1),
        name=_name(record["name"], f"{path}.name", most=64),
        cpu_percent=_number(record["cpu_percent"], f"{path}.cpu_percent"),
        memory_bytes=_count(record["memory_bytes"], f"{path}.memory_bytes"),
        io_bytes_per_s=_number(record.get("io_bytes_per_s", 0), f"{path}.io_bytes_per_s"),
    )


def _paths(value: Any) -> dict[str, tuple[telemetry.PathUse, ...]]:
    volumes = _object(value, "top.paths")
    if len(volumes) > MAX_VOLUMES:
        raise Malformed(f"top.paths: expected at most {MAX_VOLUMES} volumes, got {len(volumes)}")
    return {
        _name(volume, "top.paths"): _list(uses, f"top.paths[{_show(volume)}]", MAX_TOP, _path)
        for volume, uses in volumes.items()
    }


def _path(value: Any, path: str) -> telemetry.PathUse:
    record = _object(value, path)
    _fields(record, frozenset({"path", "bytes", "growth_bytes_per_hour"}), frozenset(), f"{path}.")
    growth = _number(record["growth_bytes_per_hour"], f"{path}.growth_bytes_per_hour")
    return telemetry.PathUse(
        path=_name(record["path"], f"{path}.path"),
        bytes=_count(record["bytes"], f"{path}.bytes"),
        growth_bytes_per_hour=growth,
    )


def _log_line(value: Any, path: str) -> telemetry.LogLine:
    record = _object(value, path)
    _fields(record, frozenset({"at_ms", "file", "text"}), frozenset(), f"{path}.")
    return telemetry.LogLine(
        at=_time(record["at_ms"], f"{path}.at_ms"),
        file=_name(record["file"], f"{path}.file"),
        text=_name(record["text"], f"{path}.text", most=MAX_TEXT),
    )


def _show(value: object) -> str:
    """Show a value that came from outside, short and in ASCII."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, int) and abs(value) > MAX_COUNT:
        return "an integer beyond 2**53"
    shown = ascii(value)
    return shown if len(shown) <= 64 else f"{shown[:64]}..."  # noqa: PLR2004 - one line of a log
