"""`approvals`: questions to people, and their answers."""

import base64
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame, trust_files
from sentienguard.model import errors
from sentienguard.trust import canonical, dsse, keys
from sentienguard.trust import order as orders

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
    approval: Id,
    data: frame.Data = None,
    as_json: frame.Json = False,
    note: Note = "",
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Sign with this key file, where hosts want signed approvals."),
    ] = None,
) -> None:
    """Say yes: the remedy is released."""
    shown = frame.open_frame(data, as_json)
    signature = None if key is None else _signed(shown, approval, trust_files.open_key(key, None))
    _decide(shown, approval, "approve", note, signature)


@app.command("deny")
def deny(
    approval: Id,
    data: frame.Data = None,
    as_json: frame.Json = False,
    note: Annotated[
        str, typer.Option("--note", help="Why not, which has to be said; kept in the audit log.")
    ] = "",
) -> None:
    """Say no, and why: the incident goes to people."""
    shown = frame.open_frame(data, as_json)
    if not note.strip():
        raise errors.Rejected(f"{approval}: a denial needs a reason; say it with --note WHY")
    _decide(shown, approval, "deny", note)


def _signed(shown: frame.Frame, approval: str, key: keys.SigningKey) -> dict[str, str]:
    """Show what is to be signed and sign it: on this machine, not by what the page says."""
    with client.connect(shown.data) as asked:
        payload = base64.b64decode(asked.get(f"/approvals/{approval}/to-sign")["payload"])
    for name, value in canonical.decode_object(payload).items():
        shown.note(frame.plain(f"{name}: {value}"))
    if not typer.confirm("sign this?", err=True):
        raise errors.Rejected(f"{approval}: nothing was signed; the question stays open")
    sealed = dsse.seal(orders.APPROVAL_TYPE, payload, [key])
    return {"payload": sealed["payload"], **sealed["signatures"][0]}


def _decide(
    shown: frame.Frame,
    approval: str,
    answer: str,
    note: str,
    signature: dict[str, str] | None = None,
) -> None:
    said_with = {} if signature is None else {"signature": signature}
    with client.connect(shown.data) as asked:
        decided = asked.post(f"/approvals/{approval}/{answer}", {"note": note, **said_with})
    for one in decided.get("lapsed", ()):
        shown.note(frame.plain(f"counts no more: {one}"))
    said = f"{decided['status']}: {decided['playbook']} for {decided['incident']}"
    shown.answer(decided, Text(frame.plain(said)))
