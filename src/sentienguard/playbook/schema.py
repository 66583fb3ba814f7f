"""JSON Schema of playbook.yaml, generated from `kinds`, for completion and hints in editors.

Published as docs/reference/playbook.schema.json; a test keeps the two in step. It is a help for
writing: what `parse` and `lint` say decides, and they say more (conditions, parameters, harm).
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from sentienguard.model.playbook import FailAction, ParamType, Risk
from sentienguard.playbook import kinds, parse
from sentienguard.playbook.kinds import FieldSpec, Kind, Operation, Shape

Schema: TypeAlias = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_BOOLEAN: Schema = {"type": "boolean"}
_QUANTITY: Schema = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?[A-Za-z%]*$"},
        {"type": "number", "minimum": 0},
    ]
}
_PARAM: Schema = {
    "type": "object",
    "properties": {"param": {"type": "string"}},
    "required": ["param"],
    "additionalProperties": False,
}
_SHAPES: dict[Shape, Schema] = {
    Shape.SCALAR: {"type": ["string", "number", "boolean"]},
    Shape.DURATION: {"anyOf": [_QUANTITY, _PARAM]},
    Shape.SIZE: _QUANTITY,
    Shape.ARGV: {"type": "array", "minItems": 1, "items": {"anyOf": [_TEXT, _PARAM]}},
    Shape.VALUES: {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [{"type": ["string", "number", "boolean"]}, _PARAM]},
    },
    Shape.WORDS: {"type": "array", "minItems": 1, "items": _TEXT},
    Shape.DIRECTORY: {"anyOf": [{"type": "string", "pattern": "^/"}, _PARAM]},
    Shape.FILE: {"type": "string", "pattern": "^/"},
    Shape.GLOB: {"type": "string", "pattern": "^[^/]+$"},
    Shape.SERVICE: {"anyOf": [_TEXT, _PARAM]},
    Shape.SERVICES: {"type": "array", "minItems": 1, "items": {"anyOf": [_TEXT, _PARAM]}},
    Shape.PID: _PARAM,
    Shape.OBJECT: _PARAM,
}


def schema() -> Schema:
    """Return the schema of a complete playbook (JSON Schema 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "SentienGuard playbook",
        "type": "object",
        "properties": _top(),
        "required": list(parse.NEEDED),
        "additionalProperties": False,
        "$defs": {"step": _any_of(_steps()), "check": _any_of(_checks()), "undo": _undo()},
    }


def _top() -> Schema:
    words: Schema = {"type": "array", "items": _TEXT}
    slots = ("system", "resource", "symptom")
    checks: Schema = {"type": "array", "items": {"$ref": "#/$defs/check"}}
    return {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{1,63}$"},
        "version": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        "description": _TEXT,
        "match": _closed(dict.fromkeys(slots, _TEXT)),
        "metrics": words,
        "risk": {"enum": list(Risk)},
        "risk_reason": {**_TEXT, "maxLength": parse.MAX_RISK_REASON},
        "parameters": {"type": "object", "additionalProperties": _parameter()},
        "guard": _TEXT,
        "pre_execution_checks": checks,
        "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
        "verification": checks,
        "approval_gate": _closed({"required": _BOOLEAN}),
        "exclusions": _closed({"host_pattern": {"anyOf": [_TEXT, words]}}),
        "needs": words,
        "max_per_hour": {"type": "integer", "minimum": 1, "maximum": 60},
        "idempotent": _BOOLEAN,
        "estimated_duration": _QUANTITY,
    }


def _closed(properties: Schema, required: Iterable[str] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _any_of(options: Iterable[Schema]) -> Schema:
    return {"anyOf": list(options)}


def _parameter() -> Schema:
    return _closed(
        {
            "type": {"enum": list(ParamType)},
            "description": _TEXT,
            "choices": {"type": "array", "items": _TEXT},
            "minimum": _QUANTITY,
            "maximum": _QUANTITY,
            "default": {"type": ["string", "number"]},
        },
        ["type"],
    )


def _field(spec: FieldSpec) -> Schema:
    if spec.shape is Shape.CHOICE:
        shape: Schema = {"enum": list(spec.choices)}
    elif spec.shape is Shape.INTEGER:
        bounded = {"type": "integer", "minimum": spec.minimum, "maximum": spec.maximum}
        shape = {"anyOf": [bounded, _PARAM]}
    else:
        shape = _SHAPES.get(spec.shape, _TEXT)
    return {**shape, "description": spec.meaning}


def _body(kind: Kind, operation: Operation) -> tuple[Schema, list[str]]:
    properties = {spec.key: _field(spec) for spec in operation.fields}
    required = [spec.key for spec in operation.fields if spec.required]
    if operation.name:
        properties["operation"] = {"const": operation.name, "description": operation.meaning}
        required.append("operation")
    if kind.shorthand:
        properties["command"] = {**_TEXT, "description": f"split into {kind.shorthand}"}
        if kind.shorthand in required:
            required.remove(kind.shorthand)
    return properties, required


def _steps() -> Iterable[Schema]:
    common: Schema = {
        "name": _TEXT,
        "only_if": _TEXT,
        "timeout": _QUANTITY,
        "verify": {"type": "array", "items": {"$ref": "#/$defs/check"}},
        "verification": {"type": "array", "items": {"$ref": "#/$defs/check"}},
        "rollback": {"$ref": "#/$defs/undo"},
        "rollback_timeout": _QUANTITY,
    }
    for kind in kinds.STEPS.values():
        for operation in kind.operations:
            if operation.undo_only:
                continue
            properties, required = _body(kind, operation)
            action: Schema = {"const": kind.name, "description": kind.meaning}
            needed = ["name", *required]
            if kind.name != "ssh_command":  # `command` alone is enough for that one
                needed.append("action")
            yield _closed({**common, **properties, "action": action}, needed)


def _undo() -> Schema:
    options: list[Schema] = [
        {**_TEXT, "description": "skip, the name of a step, or a command line"},
        _closed({"skip": {**_TEXT, "description": "why it cannot be undone"}}, ["skip"]),
    ]
    for kind in kinds.STEPS.values():
        for operation in kind.operations:
            properties, required = _body(kind, operation)
            action: Schema = {"const": kind.name}
            options.append(_closed({**properties, "action": action}, ["action", *required]))
    return _any_of(options)


def _checks() -> Iterable[Schema]:
    common: Schema = {
        "name": _TEXT,
        "fail_action": {"enum": list(FailAction)},
        "reason": _TEXT,
        "timeout": _QUANTITY,
        "timeout_seconds": _QUANTITY,
        "max_wait": _QUANTITY,
        "max_wait_seconds": _QUANTITY,
        "retry": {"type": "integer", "minimum": 1, "maximum": 20},
        "retry_delay": _QUANTITY,
    }
    for kind in kinds.CHECKS.values():
        properties, required = _body(kind, kind.operations[0])
        kind_of: Schema = {"const": kind.name, "description": kind.meaning}
        yield _closed({**common, **properties, "type": kind_of}, ["type", *required])
