"""`hosts`: who is there, and what they last said."""

from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.cli import client, frame
from sentienguard.model import errors

app = typer.Typer(no_args_is_help=True, help="Who is watched, and what they last said.")
Host = Annotated[str, typer.Argument(metavar="HOST", help="Name or agent id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


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
    host: Host,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Show one host and its newest readings."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        one = _named(asked, host)
    shown.answer(one, frame.pairs([
        ("host", one["host"]),
        ("agent", one["agent_id"]),
        ("where", one["environment"]),
        ("tags", ", ".join(f"{key}={value}" for key, value in one["tags"].items()) or "-"),
        ("enrolled", frame.local(one["enrolled_at"])),
        ("last seen", frame.local(one["last_seen"])),
        ("state", _state(one).plain),
        ("quarantine", one["quarantined"] or "-"),
        ("certificate until", _until(one)),
        ("root document", str(one["root_version"] or "not known")),
    ]))  # fmt: skip
    shown.say()
    if not as_json:
        rows = [(name, frame.number(value)) for name, value in sorted(one["metrics"].items())]
        shown.out.print(frame.table("reading", "newest>", rows=rows, empty="no readings yet"))


@app.command("release")
def release(
    host: Host, reason: Reason, data: frame.Data = None, as_json: frame.Json = False
) -> None:
    """Let orders go to a host in quarantine again, after you looked: it is one host."""
    _judge(host, "release", reason, data, as_json)


@app.command("strike-off")
def strike_off(
    host: Host, reason: Reason, data: frame.Data = None, as_json: frame.Json = False
) -> None:
    """Refuse a host's key from now on; what it did stays on record. It may be enrolled anew."""
    _judge(host, "strike-off", reason, data, as_json)


def _judge(host: str, what: str, reason: str, data: frame.Data, as_json: frame.Json) -> None:
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        one = _named(asked, host)
        judged = asked.post(f"/hosts/{one['agent_id']}/{what}", {"reason": reason})
    said = "orders go there again" if what == "release" else "its key is refused from now on"
    shown.answer(judged, frame.pairs([
        ("host", judged["host"]),
        ("agent", judged["agent_id"]),
        ("now", said),
    ]))  # fmt: skip


def _named(asked: client.Client, host: str) -> dict[str, Any]:
    """Return the one host of this name or agent id. Raises Rejected."""
    items = asked.get("/hosts")["items"]
    found = [one for one in items if host in {one["host"], one["agent_id"]}]
    if len(found) != 1:
        names = ", ".join(f"{one['host']} ({one['agent_id']})" for one in found or items)
        what = "is the name of several; use the agent id" if found else "is not enrolled"
        raise errors.Rejected(f"host {host!r} {what}: {names or 'none'}")
    chosen: dict[str, Any] = found[0]
    return chosen


def _until(one: dict[str, Any]) -> str:
    return frame.local(one["certificate_ends"]) if one["certificate_ends"] else "not known"


def _state(one: dict[str, Any]) -> Text:
    if one["quarantined"]:
        return Text("quarantine", style="red")
    return Text("silent", style="yellow") if one["silent"] else Text("speaking")


def _metric(one: dict[str, Any], name: str) -> str:
    value = one["metrics"].get(name)
    return "-" if value is None else f"{value:.0f}"
