"""Which change of which field an act is. Pure: what was found in, what to write out.

Called by `target`. An edit says what a field was and what it becomes, so that one record tells the
act what to write, whether somebody else wrote meanwhile, and the undo what to put back.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sentienguard.adapters.kubernetes import reading
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects

RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"  # what `kubectl rollout restart` sets, too
Edit = dict[str, Any]  # {path: [key...], before: JSON or None, after: JSON or None}; None: absent
_TEMPLATE: Final = ("spec", "template")


def of_workload(asked: remote_objects.Asked, found: reading.Workload) -> list[Edit]:
    """Return the edits of a Deployment that an act is. Raises Refused."""
    deployment = found.deployment
    match asked.step:
        case "kubectl_scale":
            return [_edit(deployment, ("spec", "replicas"), int(asked.arguments["replicas"]))]
        case "kubectl_rollout_restart":
            place = (*_TEMPLATE, "metadata", "annotations")
            old = reading.at(deployment, *place) or {}
            return [_edit(deployment, place, {**old, RESTARTED: found.now.isoformat()})]
        case "kubectl_rollout_undo":
            return [_edit(deployment, _TEMPLATE, _earlier(asked, found))]
        case "kubectl_set_limits":
            return _limits(asked, found)
        case _:
            raise remote_objects.UnknownObject(f"{asked.step} does nothing to a deployment")


def of_node(asked: remote_objects.Asked, node: reading.Json) -> list[Edit]:
    """Return the edits of a Node that an act is."""
    after = True if asked.step == "kubectl_cordon" else None
    if after is None and reading.schedulable(node):
        return []
    return [_edit(node, ("spec", "unschedulable"), after)]


def of_autoscaler(asked: remote_objects.Asked, autoscaler: reading.Json) -> list[Edit]:
    """Return the edits of a HorizontalPodAutoscaler that an act is. Raises Refused."""
    old = int(reading.at(autoscaler, "spec", "maxReplicas") or 0)
    new = _raised(old, int(asked.arguments["by_percent"]), int(asked.arguments["at_most"]))
    return [_edit(autoscaler, ("spec", "maxReplicas"), new)]


def pending(found: reading.Json, edits: Sequence[Edit], *, undo: bool = False) -> list[Edit]:
    """Return the edits still to make. Raises Changed where a field is neither old nor new."""
    to_make = []
    for edit in edits:
        before, after = (edit["after"], edit["before"]) if undo else (edit["before"], edit["after"])
        now = reading.at(found, *edit["path"])
        if now == after:
            continue
        if now != before:
            raise remote_objects.Changed(
                f"{'.'.join(edit['path'])} of {reading.at(found, 'metadata', 'name')} was changed "
                "by somebody else meanwhile"
            )
        to_make.append({"path": edit["path"], "before": before, "after": after})
    return to_make


def patch(found: reading.Json, to_make: Sequence[Edit]) -> list[dict[str, Any]]:
    """Write edits as a JSON patch that holds only for the version that was found."""
    version = reading.at(found, "metadata", "resourceVersion")
    operations = [{"op": "replace", "path": "/metadata/resourceVersion", "value": version}]
    for edit in to_make:
        pointer = "".join(f"/{_escaped(key)}" for key in _indexed(found, edit["path"]))
        if edit["after"] is None:
            operations.append({"op": "remove", "path": pointer})
        else:
            operations.append({"op": "add", "path": pointer, "value": edit["after"]})
    return operations


def _raised(old: int, by_percent: int, at_most: int) -> int:
    new = objects.raised(old, by_percent, at_most)
    if new is None:
        raise remote_objects.Refused(f"it is {old} and may not go beyond {at_most}")
    return new


def _edit(found: reading.Json, path: tuple[str, ...], after: object) -> Edit:
    return {"path": list(path), "before": reading.at(found, *path), "after": after}


def _earlier(asked: remote_objects.Asked, found: reading.Workload) -> Mapping[str, Any]:
    earlier = found.earlier
    if earlier is None:
        raise remote_objects.Refused(f"{asked.object} has no earlier revision to go back to")
    return reading.template(earlier)


def _limits(asked: remote_objects.Asked, found: reading.Workload) -> list[Edit]:
    """Write the whole list of containers: a position in it is no name."""
    killed = found.killed_containers()
    if not killed:
        raise remote_objects.Refused(f"no container of {asked.object} was killed for memory")
    path = (*_TEMPLATE, "spec", "containers")
    containers = reading.at(found.deployment, *path) or []
    at_most, percent = int(asked.arguments["at_most_bytes"]), int(asked.arguments["by_percent"])
    return [
        _edit(
            found.deployment,
            path,
            [
                _with_more(one, percent, at_most) if one.get("name") in killed else one
                for one in containers
            ],
        )
    ]


def _with_more(container: reading.Json, percent: int, at_most: int) -> dict[str, Any]:
    old = reading.size(reading.at(container, "resources", "limits", "memory"))
    new = _raised(old, percent, at_most)
    resources = container["resources"]
    limits = {**resources["limits"], "memory": str(new)}
    return {**container, "resources": {**resources, "limits": limits}}


def _indexed(found: reading.Json, path: Sequence[str]) -> Sequence[str]:
    for depth in range(1, len(path)):
        if reading.at(found, *path[:depth]) is None:
            raise remote_objects.Refused(f"{'.'.join(path[:depth])} is not there")
    return path


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
