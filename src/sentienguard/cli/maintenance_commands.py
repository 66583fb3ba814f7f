"""`maintenance`: start no remedy on some hosts for a while."""

from typing import Annotated

import typer

from sentienguard.cli import frame, window_words
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
    window_words.list_all(
        shown,
        "/maintenance",
        every=every,
        id_column="maintenance!",
        empty="no maintenance is planned",
    )


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
    window_words.add(shown, "/maintenance", {**body, "reason": reason})


@app.command("end")
def end(maintenance: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """End a maintenance now: remedies may start again."""
    shown = frame.open_frame(data, as_json)
    window_words.end(shown, "/maintenance", maintenance)
