"""`roles`: what each role may do, as the control plane enforces it."""

from typing import Annotated, Any

import typer

from sentienguard.cli import client, frame
from sentienguard.model import errors

app = typer.Typer(no_args_is_help=True, help="What each role may do.")


@app.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the roles with what each is for."""
    shown = frame.open_frame(data, as_json)
    found = _ask(shown)
    rows = [
        (one["role"], one["meaning"], f"{one['most_days']} days" if one["most_days"] else "-")
        for one in found["items"]
    ]
    shown.answer(found, frame.table("role", "is for", "at most", rows=rows, empty="no roles"))


@app.command("show")
def show(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="For example auditor.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Show what one role may do, and what it may not."""
    shown = frame.open_frame(data, as_json)
    found = _ask(shown)
    named = {one["role"]: one for one in found["items"]}
    if role not in named:
        raise errors.Rejected(f"no role is called {role!r}; there are {', '.join(named)}")
    rows = [
        (name, "yes" if name in named[role]["permissions"] else "no")
        for name in found["permissions"]
    ]
    table = frame.table("permission", role, rows=rows, empty="no permissions")
    shown.answer(named[role], table)


def _ask(shown: frame.Frame) -> Any:
    with client.connect(shown.data) as asked:
        return asked.get("/roles")
