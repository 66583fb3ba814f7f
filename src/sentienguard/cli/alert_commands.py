"""`alerts`: what other monitoring systems said, and what became of it."""

from typing import Annotated

import typer

from sentienguard.cli import client, frame

app = typer.Typer(no_args_is_help=True, help="What other monitoring systems said.")


@app.command("list")
def list_(
    data: frame.Data = None,
    as_json: frame.Json = False,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 20,
) -> None:
    """List alerts, newest first, and what became of each."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/alerts", limit=limit)
    rows = [
        (
            frame.local(one["received_at"]),
            one["name"],
            one["status"],
            one["environment"],
            one["result"] or "waits",
            one["incident"] or "-",
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "received", "alert", "status", "where", "result", "incident", rows=rows, empty="no alerts",
    ))  # fmt: skip
