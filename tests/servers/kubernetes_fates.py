"""How objects of the tests' cluster fare, and which are valid.

Pure; called by `kubernetes_cluster`.
A container's fate is told by its image, or by a command that cannot last; see `kubernetes_cluster`.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


class Failure(Exception):
    """What the API answers instead: its status, reason and message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


def states(fate: str) -> tuple[Object, Object, bool]:
    def ended(code: int, reason: str) -> Object:
        return {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                "startedAt": now(),
                "finishedAt": now(),
            }
        }

    def waiting(reason: str) -> Object:
        return {"waiting": {"reason": reason, "message": "told by the test's cluster"}}

    match fate:
        case "crash":
            return waiting("CrashLoopBackOff"), ended(1, "Error"), False
        case "oom":
            return waiting("CrashLoopBackOff"), ended(137, "OOMKilled"), False
        case "missing":
            return waiting("ImagePullBackOff"), {}, False
        case "no-config":
            return waiting("CreateContainerConfigError"), {}, False
        case "slow":
            return {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, {}, False
        case _:
            return {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, {}, True


def valid(resource: str, wanted: Object) -> None:
    spec = wanted.get("spec", {})
    if resource == "deployments":
        if not isinstance(spec.get("replicas"), int) or spec["replicas"] < 0:
            raise Failure(422, "Invalid", "spec.replicas: must be greater than or equal to 0")
        labels = spec["template"]["metadata"].get("labels", {})
        if not spec["selector"]["matchLabels"].items() <= labels.items():
            raise Failure(422, "Invalid", "`selector` does not match template `labels`")
        if not spec["template"]["spec"].get("containers"):
            raise Failure(422, "Invalid", "spec.template.spec.containers: Required value")
    if resource == "horizontalpodautoscalers" and spec["maxReplicas"] < spec.get("minReplicas", 1):
        raise Failure(422, "Invalid", "spec.maxReplicas: must be greater than minReplicas")


def is_ready(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("containerStatuses", [{}])[0].get("ready"))


def owner(one: Object) -> Object:
    return {
        "apiVersion": one["apiVersion"],
        "kind": one["kind"],
        "name": one["metadata"]["name"],
        "uid": one["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def conditions(states: Mapping[str, str]) -> list[Object]:
    return [{"type": name, "status": status, "reason": ""} for name, status in states.items()]


def mebibytes(quantity: str) -> float:
    return float(quantity[:-2]) if quantity.endswith("Mi") else float(quantity) / 2**20


def of_container(container: Object) -> str:
    if container.get("command") == ["false"]:
        return "crash"
    return str(container["image"]).rpartition(":")[2]


def selected(selector: str, held: Mapping[str, str]) -> bool:
    """Judge `name=value`, `name==value` and `name!=value`, with commas between."""
    for term in filter(None, selector.split(",")):
        read = re.fullmatch(r"([^=!]+)(!=|==|=)([^=]*)", term)
        if read is None:
            raise Failure(400, "BadRequest", f"this server of tests reads no selector {term!r}")
        name, sign, value = read.groups()
        if (held.get(name) == value) is (sign == "!="):
            return False
    return True


def fields_of(one: Object, selector: str) -> dict[str, str]:
    """Return the fields that a field selector names."""
    found = {}
    for name in re.findall(r"([^=!,]+)!?=", selector):
        held: Any = one
        for part in name.split("."):
            held = held.get(part, "") if isinstance(held, dict) else ""
        found[name] = str(held)
    return found


def now() -> str:
    # To the hour: a status that is made anew does not differ from the one before.
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:00Z")
