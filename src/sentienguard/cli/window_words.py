"""What `silence` and `maintenance` share: reading matchers and times, showing windows.

Called by silence_commands and maintenance_commands.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.text import Text

from sentienguard.cli import client, frame

_MATCHER: Final = re.compile(r"\s*([^=!~\"\s]+)\s*(=~|!~|!=|=)\s*(.*?)\s*\Z", re.DOTALL)
_QUOTED_AT_LEAST: Final = 2  # characters of a quoted text, the quotes

Match = Annotated[
    list[str] | None,
    typer.Option(
        "--match",
        help='A matcher as in Alertmanager, for example tag.role=db or metric=~"system.*"; '
        "all of them must hold.",
    ),
]
Minutes = Annotated[int | None, typer.Option("--minutes", min=1, max=527_040, help="For how long.")]
Until = Annotated[
    str | None, typer.Option("--until", help="Or until when, such as 2026-02-12T18:00.")
]
Start = Annotated[str | None, typer.Option("--from", help="From when; else from now.")]
Every = Annotated[
    str | None,
    typer.Option(
        "--every", help="Again and again, as cron says it: '0 2 * * sun' on Sundays at 2."
    ),
]
Zone = Annotated[str, typer.Option("--zone", help="Time zone of --every, such as Europe/Berlin.")]
Lasts = Annotated[
    int, typer.Option("--lasts", min=1, max=10_080, help="Minutes that each time of --every lasts.")
]
Reason = Annotated[
    str, typer.Option("--reason", "--comment", help="Why; it is kept in the audit log.")
]
Ended = Annotated[bool, typer.Option("--all", help="Also those that have ended.")]


def matcher(text: str) -> dict[str, str]:
    """Read one matcher. Raises BadParameter."""
    found = _MATCHER.match(text)
    if found is None:
        message = f"{text!r}: expected LABEL=VALUE, LABEL!=VALUE, LABEL=~REGEX or LABEL!~REGEX"
        raise typer.BadParameter(message, param_hint="--match")
    label, comparison, value = found.groups()
    if len(value) >= _QUOTED_AT_LEAST and value[0] == value[-1] == '"':
        value = value[1:-1]
    return {"label": label, "comparison": comparison, "value": value}


def wanted(  # one argument for each option
    host: str | None,
    match: list[str] | None,
    *,
    metric: str | None = None,
    every: str | None = None,
    zone: str = "UTC",
    lasts: int = 60,
) -> dict[str, Any]:
    """Return what a request says of what it covers, and when again."""
    body: dict[str, Any] = {"matchers": [matcher(one) for one in match or []]}
    if host:
        body["host_pattern"] = host
    if metric:
        body["metric_pattern"] = metric
    if every:
        body["recurrence"] = {"cron": every, "zone": zone, "minutes": lasts}
    return body


def times(minutes: int | None, until: str | None, start: str | None) -> dict[str, Any]:
    """Return from when until when; an hour where nothing is said. Raises BadParameter."""
    body: dict[str, Any] = {}
    if start:
        body["starts_at"] = _moment(start, "--from")
    if until:
        body["ends_at"] = _moment(until, "--until")
    if minutes is not None:
        body["minutes"] = minutes
    return body if until or minutes is not None else {**body, "minutes": 60}


def rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of a list."""
    return [
        (
            one["id"],
            covered(one),
            one["state"],
            when(one),
            one["by"],
            one["reason"],
        )
        for one in found["items"]
    ]


def facts(one: dict[str, Any]) -> RenderableType:
    """Show one window."""
    again = one["recurrence"]
    lines = [
        ("id", one["id"]),
        ("covers", covered(one)),
        ("state", one["state"]),
        ("from", frame.local(one["starts_at"])),
        ("until", frame.local(one["ends_at"])),
    ]
    if again:
        lines.append(
            ("again", f"{again['cron']}  {again['zone']}, {again['minutes']} minutes each time")
        )
    if one["next_starts_at"] and one["state"] == "waiting":
        lines.append(("next", frame.local(one["next_starts_at"])))
    return frame.pairs([*lines, ("by", one["by"]), ("why", one["reason"])])


def preview(found: dict[str, Any]) -> list[RenderableType]:
    """Show what matchers would cover."""
    hosts, total = found["hosts"], found["hosts_total"]
    named = ", ".join(hosts[:8]) + (f" and {total - 8} more" if total > 8 else "")  # noqa: PLR2004  # a line of names
    shown: list[RenderableType] = [
        frame.pairs([("hosts", f"{total}: {named}" if total else "none")])
    ]
    incidents = [*found["open_incidents"], *found["recent_incidents"]]
    shown.append(
        frame.table(
            "opened", "incident!", "host", "what",
            rows=[(frame.local(one["opened_at"]), one["id"], one["host"], one["summary"])
                  for one in incidents],
            empty="no incident of the last 7 days",
        )
    )  # fmt: skip
    if found["spans"]:
        spans = [(frame.local(one["starts_at"]), frame.local(one["ends_at"]))
                 for one in found["spans"]]  # fmt: skip
        shown.append(frame.table("from", "until", rows=spans, empty=""))
    return shown


def covered(one: dict[str, Any]) -> str:
    """Return the matchers as people write them."""
    return " ".join(f'{m["label"]}{m["comparison"]}"{m["value"]}"' for m in one["matchers"])


def when(one: dict[str, Any]) -> str:
    """Return until when it stands, or when it comes."""
    if one["state"] == "active":
        return f"until {frame.local(one['next_ends_at'])}"
    if one["state"] == "waiting":
        return f"from {frame.local(one['next_starts_at'])}"
    return f"ended {frame.local(one['ends_at'])}"


def _moment(text: str, option: str) -> str:
    """Return a time of this machine's zone with its offset. Raises BadParameter."""
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except ValueError as error:
        message = f"{text!r}: expected a time such as 2026-02-12T18:00 or 2026-02-12T17:00Z"
        raise typer.BadParameter(message, param_hint=option) from error


def list_all(shown: frame.Frame, path: str, *, every: bool, id_column: str, empty: str) -> None:
    """Show the windows of one purpose."""
    with client.connect(shown.data) as asked:
        found = asked.get(path, ended="true" if every else None)
    columns = (id_column, "covers", "state", "when", "by", "why")
    shown.answer(found, frame.table(*columns, rows=rows(found), empty=empty))


def add(shown: frame.Frame, path: str, body: dict[str, Any]) -> None:
    """Make a window and tell it."""
    with client.connect(shown.data) as asked:
        made = asked.post(path, body)
    shown.answer(made, Text(frame.plain(f"{made['id']}: {covered(made)} {when(made)}")))


def end(shown: frame.Frame, path: str, window: str) -> None:
    """End a window now."""
    with client.connect(shown.data) as asked:
        ended = asked.delete(f"{path}/{window}")
    shown.answer(ended, Text(f"{window}: ended"))
