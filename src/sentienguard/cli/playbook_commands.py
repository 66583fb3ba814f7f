"""`playbook`: the signed remedies, and a look at one that somebody writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.cli import (
    client,
    draft_commands,
    frame,
    given_files,
    import_commands,
    proof_commands,
    run_commands,
    signature_commands,
)
from sentienguard.playbook import drafting, parse, readme
from sentienguard.playbook import lint as linting

app = typer.Typer(no_args_is_help=True, help="The remedies that may run.")
app.command("test")(proof_commands.prove)
app.command("import")(import_commands.import_)
app.command("sign")(signature_commands.sign)
app.command("verify")(signature_commands.verify)
app.command("run")(run_commands.run)
app.add_typer(draft_commands.app, name="draft")


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the playbooks of the signed catalogue, with their record."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/playbooks")
    rows = [
        (
            _named(one),
            one["version"],
            one["risk"].lower(),
            str(one["runs"]),
            str(one["resolved"]),
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "playbook, and what it is for!", "version!", "risk!", "runs>", "resolved>", rows=rows,
        empty="none",
    ))  # fmt: skip


def _named(one: Mapping[str, Any]) -> Text:
    """Return a name and below it what it is for: side by side they are wider than a terminal."""
    what = f"{one['system']} {one['resource']} {one['symptom']}"
    return Text.assemble((frame.plain(one["name"]), "bold"), "\n  ", frame.plain(what))


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Show one playbook as it was signed."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get(f"/playbooks/{name}")
    shown.answer(found, frame.pairs([
        ("playbook", f"{found['name']} {found['version']}"),
        ("digest", found["digest"]),
        ("risk", found["risk"].lower()),
        ("why", found["risk_reason"] or "nobody wrote why"),
        ("approval", "always asked for" if found["approval_required"] else "as policy says"),
        ("record", f"{found['resolved']} of {found['runs']} runs resolved the incident"),
        ("about", found["description"]),
    ]))  # fmt: skip
    shown.say()
    shown.say((found["yaml"] or "").rstrip())


@app.command("lint")
def lint(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    as_json: frame.Json = False,
) -> None:
    """Judge a playbook file as signing would; status 1 if it cannot be signed."""
    shown = frame.open_frame(None, as_json)
    findings = _judged(file)
    signable = not any(one["level"] == linting.Level.ERROR for one in findings)
    shown.answer({"file": str(file), "signable": signable, "findings": findings})
    for one in findings:
        line = f":{one['line']}" if one["line"] else ""
        where = f"{one['path']}: " if one["path"] else ""
        shown.say(f"{file}{line}: {one['level']}: {where}{one['message']} [{one['rule']}]")
        if one["way_out"]:
            shown.say(f"    {one['way_out']}")
    if not as_json:
        good = "can be signed" if signable else "cannot be signed"
        count = f"{len(findings)} finding{'s' if len(findings) != 1 else ''}"
        shown.out.print(Text(f"{file}: {good}, {count}"))
    raise typer.Exit(0 if signable else 1)


def _judged(file: Path) -> list[dict[str, Any]]:
    stored = given_files.read(file)
    judged = drafting.judge(stored, origin=str(file), reason_beside=_reason_beside(file, stored))
    return [
        {"level": one.level.value, "line": one.line, "path": one.path, "rule": one.rule,
         "message": one.message, "way_out": one.way_out}
        for one in judged.remarks
    ]  # fmt: skip


def _reason_beside(file: Path, stored: bytes) -> str:
    """Return what the README of the same directory says of the risk; empty: it says nothing."""
    beside = file.with_name(readme.NAME)
    if not beside.is_file():
        return ""
    try:
        risk = parse.load_draft(stored, origin=str(file)).playbook.risk
    except parse.BrokenPlaybook:
        return ""  # judging says what does not read
    return readme.risk_reason(given_files.text(beside), risk)
