"""`silence`: leave something alone for a while."""

from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame

app = typer.Typer(no_args_is_help=True, help="Leave something alone for a while.")


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the silences that stand."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/silences")
    rows = [
        (
            one["id"],
            one["host_pattern"],
            one["metric_pattern"],
            frame.local(one["ends_at"]),
            one["by"],
            one["reason"],
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "silence!", "host", "metric", "until", "by", "why", rows=rows, empty="nothing is silenced",
    ))  # fmt: skip


@app.command("add")
def add(  # noqa: PLR0917  # one argument for each option
    host: Annotated[
        str, typer.Argument(metavar="HOST", help="Name or pattern, for example web-*.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit log.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    metric: Annotated[str, typer.Option("--metric", help="Metric or pattern.")] = "*",
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, max=43_200, help="For how long.")
    ] = 60,
) -> None:
    """Leave a host's symptoms to people: still watched, nothing is done about them."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        made = asked.post("/silences", {
            "host_pattern": host, "metric_pattern": metric, "minutes": minutes, "reason": reason,
        })  # fmt: skip
    said = (
        f"{made['id']}: {made['metric_pattern']} of {made['host_pattern']} until "
        f"{frame.local(made['ends_at'])}"
    )
    shown.answer(made, Text(frame.plain(said)))
