"""`tokens read-only`: tokens of machines that see one environment and change nothing."""

from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame

app = typer.Typer(no_args_is_help=True, help="Tokens of machines that only read, such as Grafana.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    environment: Annotated[
        str, typer.Option("--environment", help="The one environment that it sees.")
    ],
    data: frame.Data = None,
    as_json: frame.Json = False,
    days: Annotated[
        int, typer.Option("--days", min=1, max=366, help="How long it is good for.")
    ] = 90,
) -> None:
    """Make a token that only reads, and show it this once."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        wanted = {"name": name, "environment": environment, "days": days}
        made = asked.post("/read-tokens", wanted)
    shown.answer(made, frame.unbroken([
        ("token", made["token"]),
        ("id", made["id"]),
        ("until", frame.local(made["expires_at"])),
    ]))  # fmt: skip


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the tokens that only read, ended ones included."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/read-tokens")
    rows = [
        (
            one["id"],
            one["name"],
            one["environment"],
            one["made_by"],
            frame.local(one["expires_at"]),
            frame.local(one["revoked_at"]) if one["revoked_at"] else "-",
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "id!", "name", "sees", "made by", "ends", "revoked", rows=rows, empty="no tokens",
    ))  # fmt: skip


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="For example rot_0123456789abcdef.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """End a token that only reads; it is refused from its next request on."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        ended = asked.delete(f"/read-tokens/{token}")
    shown.answer(ended, Text(frame.plain(f"{ended['id']} is revoked")))
