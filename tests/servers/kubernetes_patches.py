"""Patches as the Kubernetes API takes them: JSON patch, merge patch, strategic merge patch.

Pure; called by `kubernetes`.
"""

import copy
import json
from typing import Any

from tests.servers import kubernetes_fates as fates


def patched(old: Any, content: str, body: bytes) -> Any:
    change = json.loads(body)
    match content.partition(";")[0]:
        case "":
            return change
        case "application/json-patch+json":
            return _json_patched(copy.deepcopy(old), change)
        case "application/merge-patch+json" | "application/strategic-merge-patch+json" as kind:
            return _merged(old, change, by_name="strategic" in kind)
        case other:
            raise fates.Failure(415, "UnsupportedMediaType", other)


def _json_patched(found: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902, the operations that clients of these objects send."""
    for operation in operations:
        *way, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        parent = found
        for key in way:
            parent = parent[int(key)] if isinstance(parent, list) else parent.get(key)
            if parent is None:
                raise fates.Failure(422, "Invalid", f"{operation['path']}: missing path")
        match operation["op"]:
            case "add" | "replace" as op:
                if op == "replace" and last not in parent:
                    raise fates.Failure(422, "Invalid", f"{operation['path']}: missing key")
                parent[last] = operation["value"]
            case "remove":
                if last not in parent:
                    raise fates.Failure(422, "Invalid", f"{operation['path']}: missing key")
                del parent[last]
            case "test":
                if parent.get(last) != operation["value"]:
                    raise fates.Failure(422, "Invalid", f"testing {operation['path']} failed")
            case other:
                raise fates.Failure(400, "BadRequest", f"no operation {other}")
    return found


def _merged(old: Any, change: Any, *, by_name: bool) -> Any:
    """RFC 7386; the strategic kind merges lists of named things by their names."""
    if not isinstance(change, dict) or not isinstance(old, dict):
        named = isinstance(change, list) and change and "name" in change[0]
        if by_name and named and isinstance(old, list):
            kept = {one["name"]: one for one in old}
            for one in change:
                kept[one["name"]] = _merged(kept.get(one["name"], {}), one, by_name=True)
            return list(kept.values())
        return change
    merged = dict(old)
    for key, value in change.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(old.get(key, {}), value, by_name=by_name)
    return merged
