"""Judges events by the excerpt of OCSF 1.8.0 in tests/fixtures/ocsf.

The excerpt is of github.com/ocsf/ocsf-schema (Apache-2.0), commit
3dcb905d26523ce4d5d0ba3c28c8507e2c859407, whose version.json says 1.8.0. It holds what our classes
and objects require, which attributes they know, of which type, and the numbers that are enumerated.
"""

import json
import pathlib

EXCERPT = json.loads(
    (pathlib.Path(__file__).parents[1] / "fixtures/ocsf/ocsf-1.8.0-excerpt.json").read_text()
)
KINDS = {"string_t": str, "integer_t": int, "long_t": int, "boolean_t": bool, "float_t": float}


def problems(event):
    """Return what is wrong with an event; nothing is wrong with a valid one."""
    found = EXCERPT["classes"].get(str(event.get("class_uid")))
    if found is None:
        return [f"class_uid {event.get('class_uid')} is not in the excerpt"]
    wrong = list(_attributes("event", event, found))
    if event["category_uid"] != found["category_uid"]:
        wrong.append("category_uid is of another category")
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        wrong.append("type_uid is not class and activity")
    if event["metadata"]["version"] != EXCERPT["version"]:
        wrong.append("metadata.version is another version")
    return wrong


def _attributes(where, value, found):
    known = found["attributes"]
    for name in sorted(set(value) - set(known)):
        yield f"{where}: unknown attribute {name}"
    for name, one in known.items():
        if name not in value:
            if one["requirement"] == "required":
                yield f"{where}: {name} is required"
            continue
        if one.get("is_array") and not isinstance(value[name], list):
            yield f"{where}.{name}: an array is due"
            continue
        for each in value[name] if one.get("is_array") else [value[name]]:
            yield from _typed(f"{where}.{name}", each, one)
    least = found["constraints"].get("at_least_one")
    if least and not set(least) & set(value):
        yield f"{where}: at least one of {least} is due"


def _typed(where, value, one):
    if one["type"] in KINDS:
        kind = KINDS[one["type"]]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            yield f"{where}: {one['type']} is due, not {value!r}"
        elif "enum" in one and value not in one["enum"]:
            yield f"{where}: {value} is not among {one['enum']}"
    elif one["type"] == "object":
        if not isinstance(value, dict):
            yield f"{where}: an object is due"
    elif one["type"] in EXCERPT["objects"]:
        if isinstance(value, dict):
            yield from _attributes(where, value, EXCERPT["objects"][one["type"]])
        else:
            yield f"{where}: an object is due"
    elif one["type"] != "json_t":
        yield f"{where}: {one['type']} is not in the excerpt"
