"""`ask` and `incidents postmortem`: what the record says, with the entries that it rests on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame

Id = Annotated[str, typer.Argument(metavar="ID", help="For example inc_20260212_112600_a8f3b2c1.")]


def ask(
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help='For example "what changed before inc_...?".')
    ],
    data: frame.Data = None,
    as_json: frame.Json = False,
    incident: Annotated[
        str, typer.Option(help="Which incident is meant; left out: as named, else the newest.")
    ] = "",
) -> None:
    """Answer a question about an incident from its record, with the entries it rests on."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.post("/ask", {"text": question, "incident": incident})
    named = [] if not found["about"] or found["about"] in question else [found["about"]]
    lines = [f"About {one}:" for one in named] + [
        " ".join([one["text"], *(f"[{index}]" for index in one["entries"])])
        for one in found["sentences"]
    ]
    if found["known"]:
        lines += ["I can answer:", *(f"  {one}" for one in found["known"])]
    if found["pointed_by"]:
        lines.append(f"Chosen by {found['pointed_by']}; the sentences are the record's own.")
    shown.answer(found, *(Text(frame.plain(line)) for line in lines))
    if not found["understood"]:
        raise typer.Exit(1)


def postmortem(
    incident: Id,
    data: frame.Data = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of to the terminal.")
    ] = None,
) -> None:
    """Draft a post-mortem in Markdown from the log; every sentence links to its entry."""
    shown = frame.open_frame(data, as_json=False)
    with client.connect(shown.data) as asked:
        text = asked.download(f"/incidents/{incident}/postmortem").decode()
    if output is None:
        shown.out.print(Text(frame.plain(text)), soft_wrap=True)
        return
    output.write_text(text, encoding="utf-8")
    shown.note(f"written to {output}")
