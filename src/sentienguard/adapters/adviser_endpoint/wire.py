"""Read foreign JSON member by member: what is missing or of another kind is said with its place."""

import json
from collections.abc import Mapping
from typing import Any

from sentienguard.model import errors


class NotTheProtocol(errors.Rejected):
    """What came is not what the protocol says."""


def parsed(body: bytes | str) -> Mapping[str, Any]:
    """Return a JSON object. Raises NotTheProtocol."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as cause:
        raise NotTheProtocol("the answer is no JSON") from cause
    if not isinstance(found, Mapping):
        raise NotTheProtocol("the answer is no JSON object")
    return found


def member(found: Any, name: str) -> Mapping[str, Any]:
    """Return an object inside another."""
    value = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(value, Mapping):
        raise NotTheProtocol(f"the answer has no object `{name}`")
    return value


def rows(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return a list of objects inside an object; null and absence are an empty one."""
    value = found.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise NotTheProtocol(f"the answer's `{name}` is no list of objects")
    return value


def text(found: Mapping[str, Any], name: str) -> str:
    """Return a text inside an object; null and absence are an empty one."""
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotTheProtocol(f"the answer's `{name}` is no text")
    return value


def count(found: Any, name: str) -> int | None:
    """Return a number of tokens; None where it is not told, or not as a number."""
    value = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value
