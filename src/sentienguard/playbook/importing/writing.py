"""A draft as the text of a playbook.yaml. Called by the CLI; `parse.load_draft` reads it."""

from typing import Any

import yaml

from sentienguard.playbook.importing.drafts import Draft, plain

VERSION = "0.1.0"  # of every draft: nobody has used it
_HEAD = (
    "# A draft, imported from {source}. It cannot be signed: what was lost on the way, and what\n"
    "# to write instead, is in the report beside it. Nothing in it has been tried.\n"
)


class _Dumper(yaml.SafeDumper):
    """Writes every value out; our language knows no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's own signature
        del indentless
        super().increase_indent(flow, indentless=False)


def yaml_of(draft: Draft, source: str) -> str:
    """Return the text of the draft; `source` names the file it is from."""
    about = plain(draft.description, 600) or f"Imported from {plain(source, 80)}."
    whole: dict[str, Any] = {
        "name": draft.name,
        "version": VERSION,
        "description": about,
        "risk": draft.risk.value,
        "idempotent": False,
        "approval_gate": {"required": True},
    }
    if draft.needs:
        whole["needs"] = draft.needs
    if draft.parameters:
        whole["parameters"] = draft.parameters
    whole["steps"] = [
        {"name": step.name, **step.action, **({"rollback": step.undo} if step.undo else {})}
        for step in draft.steps
    ]
    if draft.checks:
        whole["verification"] = draft.checks
    text = yaml.dump(_clean(whole), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=96)
    return _HEAD.format(source=plain(source, 80)) + text


def _clean(value: Any) -> Any:
    """Take out of every text what a playbook may not hold."""
    if isinstance(value, str):
        return "".join(one if one.isprintable() or one == "\n" else " " for one in value)
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list) else value
