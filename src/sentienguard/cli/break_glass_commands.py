"""`break-glass`: a right for minutes in an emergency, given by two people, told to everybody."""

from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.cli import client, frame

app = typer.Typer(
    no_args_is_help=True,
    help="A right for minutes in an emergency, given by two people, told to everybody.",
)
Id = Annotated[str, typer.Argument(metavar="ID", help="For example brk_0123456789abcdef.")]


@app.command("request")
def request(  # noqa: PLR0917 - Typer reads them from the signature
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Where.")],
    purpose: Annotated[
        str, typer.Argument(metavar="PURPOSE", help="The right, such as run_playbook.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; everybody is told.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    minutes: Annotated[int, typer.Option(help="How long, at most 60.")] = 30,
) -> None:
    """Ask for one right in one environment; a second person has to agree within 15 minutes."""
    shown = frame.open_frame(data, as_json)
    body = {
        "environment": environment,
        "purpose": purpose,
        "reason": reason,
        "minutes": minutes,
    }
    with client.connect(shown.data) as asked:
        made = asked.post("/break-glass", body)
    told = (
        f"{made['id']}: asked; a second person runs `sentienguard break-glass agree {made['id']}`"
    )
    shown.answer(made, Text(told))


@app.command("agree")
def agree(emergency: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Be the second person: the right stands from now on, for its minutes."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        made = asked.post(f"/break-glass/{emergency}/agree")
    told = f"{made['user']} may {made['purpose']} in {made['environment']} until {made['ends_at']}"
    shown.answer(made, Text(frame.plain(told)))


@app.command("end")
def end(emergency: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """End it early, or withdraw the request."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        ended = asked.post(f"/break-glass/{emergency}/end")
    shown.answer(ended, Text(f"{emergency}: ended; it opens nothing from the next request on"))


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List emergencies, newest first."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/break-glass")
    rows = [_row(one) for one in found["items"]]
    columns = ("id!", "phase", "who", "may", "where", "agreed to by", "ends", "reason")
    shown.answer(found, frame.table(*columns, rows=rows, empty="no glass was broken"))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["id"],
        one["phase"],
        one["user"],
        one["purpose"],
        one["environment"],
        one["agreed_by"] or "-",
        one["ended_at"] or one["ends_at"] or "-",
        one["reason"],
    )
