"""`hosts`: who is there, and what they last said."""

from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.cli import client, frame
from sentienguard.model import errors

app = typer.Typer(no_args_is_help=True, help="Who is watched, and what they last said.")


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the enrolled hosts."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/hosts")
    rows = [
        (
            one["host"],
            one["environment"],
            _state(one),
            frame.local(one["last_seen"]),
            str(one["open_incidents"]),
            _metric(one, "system.cpu_percent"),
            _metric(one, "system.memory_percent"),
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "host", "where", "state", "last seen", "open>", "cpu %>", "memory %>", rows=rows,
        empty="no host is enrolled",
    ))  # fmt: skip


@app.command("show")
def show(
    host: Annotated[str, typer.Argument(metavar="HOST", help="Name or agent id.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Show one host and its newest readings."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        items = asked.get("/hosts")["items"]
    found = [one for one in items if host in {one["host"], one["agent_id"]}]
    if len(found) != 1:
        names = ", ".join(f"{one['host']} ({one['agent_id']})" for one in found or items)
        what = "is the name of several; use the agent id" if found else "is not enrolled"
        raise errors.Rejected(f"host {host!r} {what}: {names or 'none'}")
    one = found[0]
    shown.answer(one, frame.pairs([
        ("host", one["host"]),
        ("agent", one["agent_id"]),
        ("where", one["environment"]),
        ("tags", ", ".join(f"{key}={value}" for key, value in one["tags"].items()) or "-"),
        ("enrolled", frame.local(one["enrolled_at"])),
        ("last seen", frame.local(one["last_seen"])),
        ("state", _state(one).plain),
    ]))  # fmt: skip
    shown.say()
    if not as_json:
        rows = [(name, frame.number(value)) for name, value in sorted(one["metrics"].items())]
        shown.out.print(frame.table("reading", "newest>", rows=rows, empty="no readings yet"))


def _state(one: dict[str, Any]) -> Text:
    return Text("silent", style="yellow") if one["silent"] else Text("speaking")


def _metric(one: dict[str, Any], name: str) -> str:
    value = one["metrics"].get(name)
    return "-" if value is None else f"{value:.0f}"
