"""`notices` and `chat`: how people hear of incidents, and who they are in a chat."""

from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame

notices = typer.Typer(no_args_is_help=True, help="How people hear of incidents.")
chat = typer.Typer(no_args_is_help=True, help="Who is who in chat services.")

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="slack or pagerduty")]
Team = Annotated[
    str, typer.Argument(metavar="TEAM", help="Id of the workspace, T..., or subdomain.")
]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="Id of the person, U... or P...")]


@notices.command("channels")
def channels(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the channels of notices.yaml."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/notices/channels")
    rows = [(one["name"], one["kind"]) for one in found["items"]]
    shown.answer(found, frame.table("channel!", "service", rows=rows, empty="no channels"))


@notices.command("test")
def try_channel(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="As in notices.yaml.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Send a test message through a channel now."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        asked.post(f"/notices/channels/{channel}/test")
    shown.answer({"channel": channel, "sent": True}, Text(f"{channel}: the service took it"))


@notices.command("list")
def list_notices(
    data: frame.Data = None,
    as_json: frame.Json = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 30,
) -> None:
    """List what people were told, newest first, and what became of it."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/notices", limit=limit)
    rows = [
        (frame.local(one["made_at"]), one["channel"], one["status"], one["title"], one["problem"])
        for one in found["items"]
    ]
    shown.answer(
        found,
        frame.table("made", "channel", "state", "message", "why", rows=rows, empty="no messages"),
    )


@chat.command("link")
def link(  # noqa: PLR0917  # one for each part of a link
    service: Service,
    team: Team,
    person: Person,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name of the account here.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Let a person of a chat service answer as an account."""
    shown = frame.open_frame(data, as_json)
    body = {"service": service, "team": team, "person": person, "account": account}
    with client.connect(shown.data) as asked:
        made = asked.put("/chat-identities", body)
    shown.answer(made, Text(frame.plain(f"{service} {team}/{person} answers as {account}")))


@chat.command("unlink")
def unlink(
    service: Service,
    team: Team,
    person: Person,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Take a link away; effective on the next click."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        asked.delete(f"/chat-identities/{service}/{team}/{person}")
    shown.answer({"unlinked": True}, Text(frame.plain(f"{service} {team}/{person}: unlinked")))


@chat.command("list")
def list_links(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List who is linked to which account."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/chat-identities")
    rows = [
        (one["service"], one["team"], one["person"], one["account"], one["made_by"])
        for one in found["items"]
    ]
    shown.answer(
        found,
        frame.table("service", "team", "person", "account", "made by", rows=rows, empty="no links"),
    )
