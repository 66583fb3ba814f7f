"""What our API server says it has: groups, resources, and the OpenAPI documents of Kubernetes.

Called by `kubernetes`. kubectl asks for these before it does anything; `GROUPS` is what is served.
The OpenAPI documents (v3) carry the published schemas of `kubernetes_schema`, nothing of ours.
"""

import json
from typing import Any

from tests.servers import kubernetes_schema

GROUPS = {
    "api/v1": {"pods": "Pod", "nodes": "Node", "namespaces": "Namespace", "events": "Event"},
    "apis/apps/v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "apis/autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "apis/policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}
OF_NO_NAMESPACE = ("nodes", "namespaces")
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
_OF_OTHERS = {  # subresources that are another group's kind
    "deployments": ("scale", "autoscaling/v1", "Scale"),
    "pods": ("eviction", "policy/v1", "Eviction"),
}
_SCHEMAS = "#/components/schemas/"


def version_of(place: str) -> str:
    """Return the apiVersion that is served at a place, such as apps/v1 at apis/apps/v1."""
    return place.removeprefix("apis/").removeprefix("api/")


def answer(path: str) -> tuple[str, str, Any] | None:
    """Return apiVersion, kind and document of a path of discovery; None for any other path."""
    if path == "api":
        here = {"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}
        found = {"versions": ["v1"], "serverAddressByClientCIDRs": [here]}
        return "v1", "APIVersions", {"kind": "APIVersions", **found}
    if path == "apis":
        groups = [_group(version_of(place)) for place in GROUPS if place.startswith("apis/")]
        found = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        return "v1", "APIGroupList", found
    if path in GROUPS:
        found = {"groupVersion": version_of(path), "resources": _resources(GROUPS[path])}
        return "v1", "APIResourceList", {"kind": "APIResourceList", "apiVersion": "v1", **found}
    return None


def openapi(path: str) -> Any:
    """Return the index of OpenAPI documents, one of them, or None."""
    if path == "openapi/v3":
        places = {one: {"serverRelativeURL": f"/openapi/v3/{one}?hash=1"} for one in GROUPS}
        return {"paths": places}
    place = path.removeprefix("openapi/v3/")
    if place == path or place not in GROUPS:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version()["gitVersion"]},
        "paths": dict(_path_of(place, *one) for one in GROUPS[place].items()),
        "components": {"schemas": _with_all_below(place)},
    }


def version() -> dict[str, str]:
    """Return which Kubernetes this is like."""
    number = {"major": "1", "minor": str(kubernetes_schema.MINOR)}
    unknown = ("gitCommit", "buildDate", "goVersion", "compiler", "platform")
    return {
        **number,
        "gitVersion": f"v1.{kubernetes_schema.MINOR}.0",
        "gitTreeState": "clean",
        **dict.fromkeys(unknown, "of the tests"),
    }


def _group(name: str) -> dict[str, Any]:
    version = {"groupVersion": name, "version": name.partition("/")[2]}
    return {"name": name.partition("/")[0], "versions": [version], "preferredVersion": version}


def _resources(kinds: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, kind in kinds.items():
        whole = {"namespaced": name not in OF_NO_NAMESPACE, "singularName": kind.lower()}
        found.append({"name": name, "kind": kind, "verbs": _VERBS, **whole})
        if name in _OF_OTHERS:
            below, of, its_kind = _OF_OTHERS[name]
            group, _, number = of.partition("/")
            one = {"name": f"{name}/{below}", "kind": its_kind, "group": group, "version": number}
            found.append({**one, "namespaced": True, "singularName": "", "verbs": _VERBS})
    return found


def _path_of(place: str, resource: str, kind: str) -> tuple[str, dict[str, Any]]:
    """Return the path of one object, with what kubectl looks at: that a patch can be strict."""
    group, _, number = version_of(place).rpartition("/")
    of = {"group": group, "version": number, "kind": kind}
    within = "" if resource in OF_NO_NAMESPACE else "namespaces/{namespace}/"
    queries = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    done = {"description": "OK"}
    act = {"parameters": queries, "responses": {"200": done}, "x-kubernetes-group-version-kind": of}
    patch = {**act, "x-kubernetes-action": "patch"}
    return f"/{place}/{within}{resource}/{{name}}", {"patch": patch}


def _with_all_below(place: str) -> dict[str, Any]:
    known = kubernetes_schema.definitions()
    names = [kubernetes_schema.name_of(version_of(place), kind) for kind in GROUPS[place].values()]
    found: dict[str, Any] = {}
    while names:
        name = names.pop()
        if name is None or name in found:
            continue
        stored = json.dumps(known[name])
        names += [part.partition('"')[0] for part in stored.split("#/$defs/")[1:]]
        found[name] = json.loads(stored.replace("#/$defs/", _SCHEMAS), object_hook=_plain)
    return found


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Write `type: [string, null]` as OpenAPI 3.0 does, which knows one type only."""
    kinds = schema.get("type")
    if isinstance(kinds, list) and all(isinstance(one, str) for one in kinds):
        (kind,) = (one for one in kinds if one != "null")
        return {**schema, "type": kind, "nullable": True}
    return schema
