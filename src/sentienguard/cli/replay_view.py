"""A replayed decision, as the command line shows it. Called by incident_commands."""

from pathlib import Path
from typing import Any

import yaml
from rich.console import RenderableType
from rich.text import Text

from sentienguard.cli import frame
from sentienguard.model import errors


class PolicyFileWrong(errors.Rejected):
    """The file is no policy."""


def read_policy(path: Path) -> Any:
    """Return what a policy file holds. Raises PolicyFileWrong; the server judges what it says."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as cause:
        raise PolicyFileWrong(f"{path}: expected YAML: {cause}") from cause


def shown(replayed: dict[str, Any]) -> list[RenderableType]:
    """Return what people see of a replay."""
    rows = [("incident", replayed["incident"]), ("decision", _decided(replayed["decision"]))]
    if replayed["identical"]:
        rows.append(("replay", f"identical, bit for bit: {replayed['recorded']}"))
    else:
        rows += [
            ("replay", f"DIFFERENT in {len(replayed['differences'])} fields"),
            ("recorded", replayed["recorded"]),
            ("replayed", replayed["replayed"]),
        ]
    rows += [("note", note) for note in replayed["notes"]]
    parts: list[RenderableType] = [frame.pairs(rows)]
    if replayed["differences"]:
        found = [
            (one["field"], one["recorded"], one["replayed"]) for one in replayed["differences"]
        ]
        parts += [
            Text(),
            frame.table("field", "recorded", "replayed now", rows=found, empty=""),
        ]
    if replayed["changes"]:
        found = [(one["what"], one["recorded"], one["today"]) for one in replayed["changes"]]
        parts += [
            Text(),
            frame.table("another version", "then", "today", rows=found, empty=""),
        ]
    if replayed["what_if"]:
        parts += [Text(), *_what_if(replayed["what_if"])]
    return parts


def _what_if(found: dict[str, Any]) -> list[RenderableType]:
    was, under = _route(found["recorded_route"]), _route(found["under_route"])
    changed = f"{was} -> {under}" if was != under else f"{was}, as it was"
    settings = [(one["setting"], one["recorded"], one["under"]) for one in found["settings"]]
    rules = [_rule(one) for one in found["rules"]]
    return [
        frame.pairs([("under the policy", changed)]),
        frame.table(
            "setting", "then", "policy", rows=settings, empty="the policy changes no setting"
        ),
        Text(),
        frame.table("rule!", "then", "policy", "why", rows=rules, empty=""),
    ]


def _rule(one: dict[str, Any]) -> tuple[str | Text, ...]:
    style = "bold" if one["changed"] else ""
    marked = f"{one['rule']} *" if one["deciding"] else one["rule"]
    why = one["under_reason"]
    if one["changed"] and one["recorded_reason"] != why:
        why = f"{one['recorded_reason']} -> {why}"
    return (
        Text(marked, style=style),
        _route(one["recorded_route"]),
        Text(_route(one["under_route"]), style=style),
        why,
    )


def _decided(decision: dict[str, Any]) -> str:
    sure = decision["confidence"]
    confidence = f", confidence {sure['value']:.3f}" if sure else ""
    return f"{_route(decision['route'])}: {decision['playbook'] or 'no playbook'}{confidence}"


def _route(name: str | None) -> str:
    return "-" if name is None else name.lower().replace("_", " ")
