"""What Kubernetes publishes of its objects: it judges all that our API server takes and tells.

Called by `kubernetes` and its discovery. The schemas are Kubernetes' own OpenAPI document as the
package kubernetes-validate ships it. Rules:

1. A field that is not published for its object is wrong (the strict variant of the schemas).
2. What is asked decides which schema judges, not what an object says of itself.
3. A time has to be a time of RFC 3339; the schemas only call it one.
"""

import functools
import importlib.resources
import json
import re
from typing import Any

import jsonschema

MINOR = 32  # of Kubernetes 1.x: what our server says that it is
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_FORMATS = jsonschema.FormatChecker(formats=())
_FORMATS.checks("date-time")(lambda one: not isinstance(one, str) or bool(_TIME.fullmatch(one)))
INFO = "io.k8s.apimachinery.pkg.version.Info"  # the one answer that has no kind


@functools.cache
def definitions() -> dict[str, Any]:
    """Return the published schemas by name, such as io.k8s.api.core.v1.Pod."""
    place = importlib.resources.files("kubernetes_validate") / "kubernetes-json-schema"
    stored = place / f"v1.{MINOR}.0-local-strict" / "_definitions.json"
    known: dict[str, Any] = json.loads(stored.read_text())["$defs"]
    return known


@functools.cache
def name_of(api_version: str, kind: str) -> str | None:
    """Return which schema is published for a kind, or None."""
    group, _, version = api_version.rpartition("/")
    wanted = {"group": group, "version": version, "kind": kind}
    return next(
        (
            name
            for name, one in definitions().items()
            if wanted in one.get("x-kubernetes-group-version-kind", ())
        ),
        None,
    )


def problems(api_version: str, kind: str, said: Any) -> list[str]:
    """Say what is wrong with an object that ought to be of this kind; nothing where it is right."""
    name = name_of(api_version, kind)
    if name is None:
        return [f"Kubernetes 1.{MINOR} publishes no {kind} of {api_version}"]
    found = problems_of(name, said)
    for field, wanted in (("kind", kind), ("apiVersion", api_version)):
        if isinstance(said, dict) and said.get(field, wanted) != wanted:
            found.append(f"{kind}.{field}: {said[field]!r} instead of {wanted!r}")
    return found


def problems_of(name: str, said: Any) -> list[str]:
    """Say what is wrong by one schema, in the order of the fields."""
    label = name.rpartition(".")[2]
    if said is None:  # the schemas let every object be null
        return [f"{label}: nothing instead of an object"]
    errors = sorted(_judge(name).iter_errors(said), key=lambda one: one.json_path)
    return [f"{label}{one.json_path.removeprefix('$')}: {one.message[:200]}" for one in errors]


@functools.cache
def _judge(name: str) -> Any:
    schema = {"$ref": f"#/$defs/{name}", "$defs": definitions()}
    return jsonschema.Draft202012Validator(schema, format_checker=_FORMATS)
