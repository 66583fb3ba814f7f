"""Write a snapshot in its neutral format, the same bytes for the same snapshot.

Called by flow.diagnosing. What is written here `snapshot.parse` reads, so `sentienguard diagnose`
says from the file what was said when the incident was decided.
"""

import dataclasses
import functools
import json
from typing import Any, Final

import msgspec

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import engine, snapshot

_PARTS: Final = ("objects", "edges", "series", "logs", "traces", "changes", "alerts", "known")


def write(found: diagnosis.Snapshot) -> bytes:
    """Return the JSON document of a snapshot without a cluster's objects, as UTF-8."""
    ordered = engine.in_order(found)
    document: dict[str, Any] = {
        "v": snapshot.VERSION,
        "id": ordered.id,
        "symptom": None if ordered.symptom is None else _fields(ordered.symptom),
        "since_ms": ordered.since_ms,
        "until_ms": ordered.until_ms,
    }
    for name in _PARTS:
        document[name] = [_fields(one) for one in getattr(ordered, name)]
    try:
        return msgspec.json.encode(document)  # a quarter of what `json` takes for a megabyte
    except UnicodeEncodeError:  # half a surrogate pair, in what somebody wrote
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _fields(part: Any) -> dict[str, Any]:
    """Return a part by its fields; `asdict` would copy each of a hundred thousand readings."""
    return {name: getattr(part, name) for name in _names(part.__class__)}


@functools.cache
def _names(kind: type[object]) -> tuple[str, ...]:
    return tuple(one.name for one in dataclasses.fields(kind))  # type: ignore[arg-type]  # a part


def read(stored: bytes) -> diagnosis.Snapshot:
    """Read what `write` wrote. Raises NotASnapshot."""
    try:
        return snapshot.parse(msgspec.json.decode(stored))
    except (msgspec.MsgspecError, ValueError, RecursionError) as cause:
        raise snapshot.NotASnapshot(f"snapshot: expected JSON: {cause}") from cause
