"""`maintenance`: start no remedy on some hosts for a while."""

from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame, window_words
from sentienguard.cli.window_words import Ended, Every, Lasts, Match, Minutes, Reason, Start, Until
from sentienguard.cli.window_words import Zone as ZoneName

app = typer.Typer(
    no_args_is_help=True,
    help="Start no remedy on some hosts for a while: incidents are opened and go to people.",
)

Host = Annotated[
    str | None, typer.Argument(metavar="[HOST]", help="Name or pattern, for example web-*.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="For example mnt_0123456789abcdef.")]


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False, every: Ended = False) -> None:
    """List maintenance that has not ended."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/maintenance", ended="true" if every else None)
    shown.answer(found, frame.table(
        "maintenance!", "covers", "state", "when", "by", "why",
        rows=window_words.rows(found), empty="no maintenance is planned",
    ))  # fmt: skip


@app.command("add")
def add(  # noqa: PLR0917  # one argument for each option
    reason: Reason,
    host: Host = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
    match: Match = None,
    minutes: Minutes = None,
    until: Until = None,
    start: Start = None,
    every: Every = None,
    zone: ZoneName = "UTC",
    lasts: Lasts = 60,
) -> None:
    """Keep remedies from starting, by host, environment or tag."""
    shown = frame.open_frame(data, as_json)
    body = window_words.wanted(
        host, match, every=every, zone=zone, lasts=lasts
    ) | window_words.times(minutes, until, start)
    with client.connect(shown.data) as asked:
        made = asked.post("/maintenance", {**body, "reason": reason})
    said = f"{made['id']}: {window_words.covered(made)} {window_words.when(made)}"
    shown.answer(made, Text(frame.plain(said)))


@app.command("end")
def end(maintenance: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """End a maintenance now: remedies may start again."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        ended = asked.delete(f"/maintenance/{maintenance}")
    shown.answer(ended, Text(f"{maintenance}: ended"))
