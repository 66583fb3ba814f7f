"""`approvals`: questions to people, and their answers."""

from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame

app = typer.Typer(no_args_is_help=True, help="Questions to people, and their answers.")

Id = Annotated[str, typer.Argument(metavar="ID", help="For example apr_0123456789abcdef.")]
Note = Annotated[str, typer.Option("--note", help="Why; it is kept in the audit log.")]


@app.command("list")
def list_(
    data: frame.Data = None,
    as_json: frame.Json = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that are answered.")] = False,
) -> None:
    """List the questions that wait for an answer."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/approvals", status=None if every else "pending")
    rows = [
        (
            one["id"],
            one["status"],
            one["environment"],
            one["question"],
            frame.local(one["expires_at"]),
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "approval!", "state", "where", "question", "until", rows=rows,
        empty="nothing waits for a person",
    ))  # fmt: skip


@app.command("approve")
def approve(
    approval: Id, data: frame.Data = None, as_json: frame.Json = False, note: Note = ""
) -> None:
    """Say yes: the remedy is released."""
    _decide(frame.open_frame(data, as_json), approval, "approve", note)


@app.command("deny")
def deny(
    approval: Id, data: frame.Data = None, as_json: frame.Json = False, note: Note = ""
) -> None:
    """Say no: the incident goes to people."""
    _decide(frame.open_frame(data, as_json), approval, "deny", note)


def _decide(shown: frame.Frame, approval: str, answer: str, note: str) -> None:
    with client.connect(shown.data) as asked:
        decided = asked.post(f"/approvals/{approval}/{answer}", {"note": note})
    said = f"{decided['status']}: {decided['playbook']} for {decided['incident']}"
    shown.answer(decided, Text(frame.plain(said)))
