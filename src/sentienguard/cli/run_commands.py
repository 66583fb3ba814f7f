"""`playbook run`: ask for a playbook on a host, through policy and another person's approval.

Called by `playbook_commands`.
"""

import time
from typing import Annotated, Any
from urllib.parse import quote

import typer

from sentienguard.cli import client, frame
from sentienguard.model import errors

LOOK_AGAIN_S = 1.0
PATIENCE_S = 3_600.0  # a question stands for minutes, an order for at most an hour
GOOD = frozenset({"fixed_by_person", "resolved", "no_action_needed"})


def run(  # noqa: PLR0917 - each is an option of the command
    name: Annotated[str, typer.Argument(metavar="NAME")],
    host: Annotated[str, typer.Option("--host", help="Name of an enrolled host, or its agent id.")],
    parameters: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="A parameter; may be given again."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would do, and nothing else.")
    ] = False,
    note: Annotated[str, typer.Option("--note", help="Why; kept in the audit log.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end.")] = False,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Ask for a playbook on one host; policy judges it and another person approves it."""
    shown = frame.open_frame(data, as_json)
    body = {
        "host": host,
        "parameters": _parameters(parameters or []),
        "dry_run": dry_run,
        "note": note,
    }
    with client.connect(shown.data) as asked:
        opened = asked.post(f"/playbooks/{quote(name, safe='')}/runs", body)
        incident = opened["id"]
        if not wait:
            shown.answer(opened)
            shown.say(f"{incident}: {opened['summary']}")
            shown.say(f"follow it with `{frame.program()} incidents show {incident}`")
            return
        with shown.working(f"{incident}: {opened['summary']}") as say:
            ended = _ended(asked, incident, say)
    shown.answer(ended)
    shown.say(f"{incident}: {ended['outcome']}: {ended['summary']}")
    dry = dry_run and str(ended["summary"]).startswith("dry run only")
    raise typer.Exit(0 if ended["outcome"] in GOOD or dry else 1)


def _parameters(given: list[str]) -> dict[str, str]:
    """Read NAME=VALUE. Raises errors.Rejected."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals or name in found:
            raise errors.Rejected(f"--param: expected NAME=VALUE, each name once, found {one!r}")
        found[name] = value
    return found


def _ended(asked: client.Client, incident: str, say: Any) -> dict[str, Any]:
    """Follow an incident to its end. Raises errors.Unavailable when that takes too long."""
    until = time.monotonic() + PATIENCE_S
    before = ""
    while time.monotonic() < until:
        found: dict[str, Any] = asked.get(f"/incidents/{incident}")["incident"]
        if found["status"] == "CLOSED":
            return found
        if (now := f"{found['status']}: {found['summary']}") != before:
            say(now)
            before = now
        time.sleep(LOOK_AGAIN_S)
    raise errors.Unavailable(f"{incident} goes on still; `incidents show {incident}` tells more")
