"""`playbook import`: what others wrote for other tools, as drafts and a report of what was lost.

Called by `playbook_commands`. Reading and writing out are `playbook.importing`'s; here are files.
Nothing that is there already is overwritten.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sentienguard.cli import frame, given_files
from sentienguard.model import errors
from sentienguard.playbook.importing import report, sources, writing

REPORT = "import-report"
KINDS = ", ".join(sources.SOURCES)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    source: Annotated[
        str | None,
        typer.Option("--from", help=f"{KINDS}; else what the file surely is.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Write drafts and report there; else print them."
        ),
    ] = None,
    as_json: frame.Json = False,
) -> None:
    """Make drafts of what was written for another tool, and say what could not be carried over."""
    shown = frame.open_frame(None, as_json)
    if source is not None and source not in sources.SOURCES:
        raise errors.Rejected(f"--from: expected one of {KINDS}, found {source!r:.60}")
    made = sources.read(given_files.read(file), origin=str(file), kind=source)
    texts = {draft.name: writing.yaml_of(draft, file.name) for draft in made.drafts}
    found = report.document(made, texts, file.name)
    page = report.markdown(found)
    if out is not None:
        written = _write(out, texts, found, page)
        shown.answer({**found, "written": [str(one) for one in written]})
        for one in written:
            shown.say(str(one))
        lost = sum(len(draft.losses) for draft in made.drafts)
        shown.say(f"{len(texts)} drafts, {lost} things not carried over")
        return
    shown.answer({**found, "playbooks": texts})
    for text in texts.values():
        shown.say(text.rstrip())
        shown.say()
    shown.say(page.rstrip())


def _write(out: Path, texts: dict[str, str], found: dict[str, Any], page: str) -> list[Path]:
    """Write every file, or none where one is there already. Raises errors.Rejected."""
    wanted = {out / name / "playbook.yaml": text for name, text in texts.items()}
    wanted[out / f"{REPORT}.md"] = page
    wanted[out / f"{REPORT}.json"] = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    there = [path for path in wanted if path.exists() or path.is_symlink()]
    if there:
        raise errors.Rejected(f"{there[0]}: is there already; name another directory with --out")
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as opened:
            opened.write(text)
    return list(wanted)
