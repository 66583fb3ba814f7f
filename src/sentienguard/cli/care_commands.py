"""What people do about an incident, as commands of `incidents`."""

from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.cli import client, frame

Id = Annotated[str, typer.Argument(metavar="ID", help="For example inc_20260212_112600_a8f3b2c1.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit log.")]


def ack(
    incident: Id,
    data: frame.Data = None,
    as_json: frame.Json = False,
    note: Annotated[str, typer.Option(help="What you are about to do.")] = "",
) -> None:
    """Say that you have it in hand: nobody is reminded of it any more."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        care = asked.post(f"/incidents/{incident}/acknowledge", {"note": note})
    shown.answer(care, Text(f"{incident}: {care['acknowledged_by']} has it in hand"))


def assign(
    incident: Id,
    person: Annotated[
        str | None, typer.Argument(metavar="[PERSON]", help="Account name; left out: nobody.")
    ] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Give it to a person, or to nobody."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        care = asked.post(f"/incidents/{incident}/assign", {"to": person})
    shown.answer(care, Text(f"{incident}: assigned to {care['assigned_to'] or 'nobody'}"))


def note(
    incident: Id,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to write into its story.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Write a note into its story; it stays as it is."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        kept = asked.post(f"/incidents/{incident}/notes", {"text": text})
    shown.answer(kept, Text(f"{incident}: noted, entry {kept['index']} of the audit log"))


def close(incident: Id, reason: Why, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Close it by hand: a person fixed it, and no playbook is credited."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        care = asked.post(f"/incidents/{incident}/close", {"reason": reason})
    shown.answer(care, Text(frame.plain(f"{incident}: closed by {care['settled_by']}: {reason}")))


def reopen(incident: Id, reason: Why, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Go on with a closed incident as a new one, linked to it."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        opened = asked.post(f"/incidents/{incident}/reopen", {"reason": reason})
    shown.answer(opened, Text(f"{incident}: goes on as {opened['id']}"))


def facts(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the story of an incident says of who looks after it."""
    care = told.get("care") or {}
    rows = []
    if care.get("acknowledged_by"):
        since = frame.local(care["acknowledged_at"])
        rows.append(("in hand", f"{care['acknowledged_by']}, since {since}"))
    if care.get("assigned_to"):
        rows.append(("assigned to", care["assigned_to"]))
    if care.get("settled_by"):
        rows.append(("closed by", f"{care['settled_by']}: {care['settled_because']}"))
    if care.get("reopens"):
        rows.append(("goes on with", care["reopens"]))
    if care.get("reopened_as"):
        rows.append(("goes on as", care["reopened_as"]))
    return rows
