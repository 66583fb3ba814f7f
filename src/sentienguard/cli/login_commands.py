"""`login`: use a control plane that runs elsewhere, or another account."""

from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame, user_commands
from sentienguard.model import addresses


def login(
    name: Annotated[str, typer.Option("--name", help="Your account.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            help="https://host:port; else the one of this data directory.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Log in and keep the session; password and code are asked for, or piped in as lines."""
    shown = frame.open_frame(data, as_json)
    address = (server or client.local_server(shown.data)).rstrip("/")
    if addresses.names_somebody(address):
        raise typer.BadParameter(
            "--server: found a name or a password before the host, which everybody on this machine "
            "can read; give --name, and the password when it is asked for"
        )
    if not address.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
        raise typer.BadParameter(
            f"--server {address}: expected https://host:port; a password crosses no network in "
            "clear text"
        )
    with client.Client(address) as asked:
        asked.ask_code = lambda: user_commands.read_password(client.CODE_PROMPT)
        granted = asked.login(name, user_commands.read_password(f"password for {name}: "))
    kept = client.Session(granted.token, server and address, name, granted.refresh)
    client.write_session(shown.data, kept)
    shown.answer({"server": address, "name": name}, Text(f"logged in at {address} as {name}"))
