"""`playbook draft`: playbooks that are being written, kept by the control plane.

Called by `playbook_commands`. A draft is text: nothing matches or runs it, and the way to a new
version leads over the signers (`show` says the commands). What is wrong with a text, and what
trying it shows, comes from the control plane, as in the dashboard.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.cli import client, frame, given_files
from sentienguard.model import errors

app = typer.Typer(no_args_is_help=True, help="Playbooks that somebody writes, up to signing them.")
ASK_EVERY_S = 0.5
PATIENCE_S = 600.0  # a proof takes seconds; others may wait before it
_AT = "/playbook-drafts"
_FILES = {"yaml": "playbook.yaml", "case": "simulation.yaml"}
_ENDED = frozenset({"done", "failed", "stopped"})

Id = Annotated[str, typer.Argument(metavar="ID", help="As `playbook draft list` names it.")]


class ProofDidNotEnd(errors.Unavailable):
    """The control plane had other things to do; the proof may end later."""


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the drafts: those that are open, then the newest that ended."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get(_AT)
    rows = [
        (
            one["id"],
            one["name"],
            one["version"] or "-",
            one["state"].replace("_", " "),
            _verdict(one),
            one["changed_by"],
            frame.local(one["changed_at"]),
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "id!", "playbook", "version!", "state", "it", "changed by", "at", rows=rows,
        empty="no drafts",
    ))  # fmt: skip


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the playbook.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    digest: Annotated[
        str, typer.Option("--from", metavar="DIGEST", help="A listed version; default: in force.")
    ] = "",
) -> None:
    """Begin a draft from a version in force, or of a playbook that there is not yet."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        base = digest or _in_force(asked, name)
        _tell(shown, asked.post(_AT, {"name": name, "digest": base}))


@app.command("show")
def show(
    draft: Id,
    data: frame.Data = None,
    as_json: frame.Json = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write playbook.yaml and simulation.yaml there."),
    ] = None,
) -> None:
    """Show a draft: its text, what is wrong with it, its proof, and how it gets signed."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get(f"{_AT}/{draft}")
    if out is not None:
        _write(found, out)
    _tell(shown, found)
    if out is None:
        shown.say()
        shown.say(found["yaml"].rstrip())


@app.command("put")
def put(  # noqa: PLR0917  # Typer gives each option by name
    draft: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The playbook's text.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    case: Annotated[
        Path | None,
        typer.Option("--case", metavar="FILE", help="The pretended host; default: as it is."),
    ] = None,
    revision: Annotated[
        int | None,
        typer.Option(
            "--revision", min=1, help="That your text was made from; default: the newest."
        ),
    ] = None,
) -> None:
    """Put a file into a draft, and say what is wrong with it; refused if it moved meanwhile."""
    shown = frame.open_frame(data, as_json)
    text = given_files.text(file)
    with client.connect(shown.data) as asked:
        standing = asked.get(f"{_AT}/{draft}")
        body = {
            "yaml": text,
            "case": standing["case"] if case is None else given_files.text(case),
            "revision": standing["revision"] if revision is None else revision,
        }
        _tell(shown, asked.put(f"{_AT}/{draft}", body))


@app.command("test")
def prove(draft: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Try a draft on its pretended host; status 1 if anything about it does not hold."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked, shown.working(f"trying {draft}"):
        begun = asked.post(f"{_AT}/{draft}/proof")
        found = _tried(asked, draft, begun["id"])
    proof, run = found["proof"], found["run"]
    if run["state"] != "done" or proof is None:
        raise errors.Rejected(f"{draft}: the proof {run['state']}: {run['detail'] or 'no reason'}")
    rows = [
        (
            one["name"],
            one["step"],
            Text("holds" if one["passed"] else "FAILS", "" if one["passed"] else "bold red"),
            one["reason"],
        )
        for one in proof["lines"]
    ]
    shown.answer(found, frame.table("proof!", "step", "!", "seen", rows=rows, empty="none"))
    shown.say()
    shown.say(f"{proof['held']} of {len(rows)} hold")
    raise typer.Exit(1 if proof["failed"] else 0)


@app.command("drop")
def drop(draft: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Drop a draft; its text stays to be read for a while."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        asked.delete(f"{_AT}/{draft}")
    shown.answer({"id": draft, "state": "dropped"}, Text(f"{draft} is dropped"))


def _in_force(asked: client.Client, name: str) -> str:
    """Return the digest of the version in force; empty: the catalogue lists no such playbook."""
    for one in asked.get("/playbooks")["items"]:
        if one["name"] == name:
            return str(one["digest"])
    return ""


def _tried(asked: client.Client, draft: str, run: str) -> Mapping[str, Any]:
    """Wait for the end of a proof, and return the draft. Raises ProofDidNotEnd."""
    until = time.monotonic() + PATIENCE_S
    while True:
        found: Mapping[str, Any] = asked.get(f"{_AT}/{draft}")
        if found["run"]["id"] == run and found["run"]["state"] in _ENDED:
            return found
        if time.monotonic() > until:
            raise ProofDidNotEnd(
                f"{draft}: no proof within {PATIENCE_S:.0f} s; `playbook draft show {draft}` has it"
                " when it ends"
            )
        time.sleep(ASK_EVERY_S)


def _write(found: Mapping[str, Any], out: Path) -> None:
    """Write both files below a directory. Raises errors.Rejected where one is there already."""
    out.mkdir(parents=True, exist_ok=True)
    for key, name in _FILES.items():
        try:
            with (out / name).open("x", encoding="utf-8") as file:
                file.write(found[key])
        except FileExistsError as cause:
            raise errors.Rejected(
                f"{out / name}: is there already and stays; name another directory"
            ) from cause


def _verdict(one: Mapping[str, Any]) -> str:
    if one["signable"]:
        return "can be signed"
    return f"{one['errors']} errors" if one["errors"] else "cannot be signed yet"


def _tell(shown: frame.Frame, found: Mapping[str, Any]) -> None:
    """Show a draft without its text."""
    proof = found["proof"]
    tried = "not tried" if proof is None else f"{proof['held']} hold, {proof['failed']} fail"
    shown.answer(found, frame.pairs([
        ("draft", f"{found['id']}, revision {found['revision']}"),
        ("playbook", f"{found['name']} {found['version'] or 'without a version'}"),
        ("state", f"{found['state'].replace('_', ' ')}, {_verdict(found)}"),
        ("tried", tried),
        ("changed", f"by {found['changed_by']}, {frame.local(found['changed_at'])}"),
    ]))  # fmt: skip
    for one in found["findings"]:
        line = f"line {one['line']}: " if one["line"] else ""
        where = f"{one['path']}: " if one["path"] else ""
        shown.say(f"{one['level']}: {line}{where}{one['message']} [{one['rule']}]")
        if one["way_out"]:
            shown.say(f"    {one['way_out']}")
    for step in found["signing"] if found["signable"] else ():
        shown.say(f"{step['where']}: {step['what']}")
        shown.say(f"    {step['command']}")
