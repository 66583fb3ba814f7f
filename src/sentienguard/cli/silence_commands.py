"""`silence`: open no incident for some symptoms for a while."""

from typing import Annotated

import typer

from sentienguard.cli import client, frame, window_words
from sentienguard.cli.window_words import Ended, Every, Lasts, Match, Minutes, Reason, Start, Until
from sentienguard.cli.window_words import Zone as ZoneName

app = typer.Typer(
    no_args_is_help=True,
    help="Open no incident for some symptoms for a while: they are still measured and judged.",
)

Host = Annotated[
    str | None, typer.Argument(metavar="[HOST]", help="Name or pattern, for example web-*.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="For example sil_0123456789abcdef.")]
Metric = Annotated[str | None, typer.Option("--metric", help="Metric or pattern.")]


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False, every: Ended = False) -> None:
    """List silences that have not ended."""
    shown = frame.open_frame(data, as_json)
    window_words.list_all(
        shown, "/silences", every=every, id_column="silence!", empty="nothing is silenced"
    )


@app.command("show")
def show(silence: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Tell one silence, also after its end."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get(f"/silences/{silence}")
    shown.answer(found, window_words.facts(found))


@app.command("add")
def add(  # noqa: PLR0917  # one argument for each option
    reason: Reason,
    host: Host = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
    match: Match = None,
    metric: Metric = None,
    minutes: Minutes = None,
    until: Until = None,
    start: Start = None,
    every: Every = None,
    zone: ZoneName = "UTC",
    lasts: Lasts = 60,
) -> None:
    """Leave symptoms to people: still watched, and nothing is opened or told."""
    shown = frame.open_frame(data, as_json)
    body = window_words.wanted(
        host, match, metric=metric, every=every, zone=zone, lasts=lasts
    ) | window_words.times(minutes, until, start)
    window_words.add(shown, "/silences", {**body, "reason": reason})


@app.command("preview")
def preview(  # noqa: PLR0917  # one argument for each option
    host: Host = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
    match: Match = None,
    metric: Metric = None,
    every: Every = None,
    zone: ZoneName = "UTC",
    lasts: Lasts = 60,
) -> None:
    """Tell what a silence would cover now; nothing is kept."""
    shown = frame.open_frame(data, as_json)
    body = window_words.wanted(host, match, metric=metric, every=every, zone=zone, lasts=lasts)
    with client.connect(shown.data) as asked:
        found = asked.post("/silences/preview", body)
    shown.answer(found, *window_words.preview(found))


@app.command("expire")
def expire(silence: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """End a silence now: what still stands opens its incident with the next sample."""
    shown = frame.open_frame(data, as_json)
    window_words.end(shown, "/silences", silence)
