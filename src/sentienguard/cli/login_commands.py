"""`login`: use a control plane that runs elsewhere, or another account."""

from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame, provider_login, user_commands
from sentienguard.model import addresses


def login(
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Your account; needed without --sso. With it: only as this one.",
            show_default=False,
        ),
    ] = None,
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
    *,
    sso: Annotated[
        bool, typer.Option("--sso", help="Sign in with your identity provider, in a browser.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser", help="With --sso: open the browser of this machine.")
    ] = False,
    paste: Annotated[
        bool,
        typer.Option("--paste", help="With --sso: the browser is elsewhere; paste its code here."),
    ] = False,
) -> None:
    """Log in and keep the session; password and code are asked for, or piped in as lines."""
    _require_one_way(name, sso=sso, browser=browser, paste=paste)
    shown = frame.open_frame(data, as_json)
    address = _address(server or client.local_server(shown.data))
    with client.Client(address) as asked:
        if sso:
            granted = provider_login.log_in(asked, shown, paste=paste, open_browser=browser)
            name = _whose(asked, name)
        else:
            name = name or ""
            asked.ask_code = lambda: user_commands.read_password(client.CODE_PROMPT)
            granted = asked.login(name, user_commands.read_password(f"password for {name}: "))
    kept = client.Session(granted.token, server and address, name, granted.refresh)
    client.write_session(shown.data, kept)
    shown.answer({"server": address, "name": name}, Text(f"logged in at {address} as {name}"))


def _require_one_way(name: str | None, *, sso: bool, browser: bool, paste: bool) -> None:
    if not sso and (browser or paste):
        raise typer.BadParameter("--browser and --paste go with --sso")
    if browser and paste:
        raise typer.BadParameter("--paste is for a browser elsewhere; leave out --browser")
    if not sso and not name:
        raise typer.BadParameter("--name is needed: your account; or --sso, with your provider")


def _address(given: str) -> str:
    address = given.rstrip("/")
    if addresses.names_somebody(address):
        raise typer.BadParameter(
            "--server: found a name or a password before the host, which everybody on this machine "
            "can read; give --name, and the password when it is asked for"
        )
    if not addresses.crosses_no_network_in_the_clear(address):
        raise typer.BadParameter(
            f"--server {address}: expected https://host:port; a password crosses no network in "
            "clear text"
        )
    return address


def _whose(asked: client.Client, expected: str | None) -> str:
    """Return whose login it is; another one's than expected is ended. Raises Refused."""
    found = str(asked.get("/auth/me")["name"])
    if expected not in {None, found}:
        asked.post("/auth/logout")
        raise client.Refused(
            f"the browser signed in as {found}, expected {expected}; nothing was kept here"
        )
    return found
