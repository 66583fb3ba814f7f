"""`users` and `tokens`: who may do what, and how an agent joins."""

import getpass
import sys
from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame
from sentienguard.model import errors

users = typer.Typer(no_args_is_help=True, help="Who may do what, where.")
tokens = typer.Typer(no_args_is_help=True, help="How an agent joins, and who sends alerts.")

Name = Annotated[str, typer.Argument(metavar="NAME")]
Roles = Annotated[
    list[str],
    typer.Option(
        "--role", metavar="ENVIRONMENT=ROLE",
        help="observer, remediation_authority or administrator in an environment, or in * (all); "
        "may be given again.",
    ),
]  # fmt: skip


@users.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the accounts."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/users")
    rows = [(one["name"], _said(one["roles"])) for one in found["items"]]
    shown.answer(found, frame.table("name", "roles", rows=rows, empty="no accounts"))


@users.command("add")
def add(name: Name, role: Roles, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Make an account; the password (12 characters or more) is asked for, or read from a pipe."""
    shown = frame.open_frame(data, as_json)
    roles = _pairs(role)
    with client.connect(shown.data) as asked:
        password = read_password(f"password for {name}: ", twice=True)
        made = asked.post("/users", {"name": name, "password": password, "roles": roles})
    shown.answer(made, Text(frame.plain(f"{made['name']}: {_said(made['roles'])}")))


@users.command("roles")
def roles(name: Name, role: Roles, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Replace somebody's roles; effective on their next request."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        made = asked.put(f"/users/{name}/roles", {"roles": _pairs(role)})
    shown.answer(made, Text(frame.plain(f"{made['name']}: {_said(made['roles'])}")))


@tokens.command("add")
def add_token(
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    host: Annotated[
        str | None, typer.Option("--host", help="Only a host of this name may use it.")
    ] = None,
    purpose: Annotated[
        str,
        typer.Option(
            "--for",
            help="agent: to join once. Until revoked: alertmanager, grafana, datadog, pagerduty or "
            "cloudevents to send alerts; prometheus or otlp to push telemetry.",
        ),
    ] = "agent",
) -> None:
    """Make a token for an agent that joins or a sender of alerts, and show how to use it."""
    shown = frame.open_frame(data, as_json)
    if purpose != "agent":
        _add_webhook_token(shown, environment, purpose, host)
        return
    with client.connect(shown.data) as asked:
        made = asked.post("/tokens", {"environment": environment, "host": host})
    command = (
        f"sentienguard-agent enroll --server {made['server']} --token-file - "
        f"--pin {made['pin']} --root-digest {made['root_digest']} --environment {environment}"
    )
    shown.answer(made, frame.unbroken([
        ("token", made["token"]),
        ("until", frame.local(made["expires_at"])),
        ("on the host", command),
    ]))  # fmt: skip


@tokens.command("list")
def list_tokens(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the tokens that send alerts; tokens of agents are used up when they join."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/webhook-tokens")
    rows = [
        (
            one["id"],
            one["purpose"],
            one["environment"],
            one["made_by"],
            frame.local(one["made_at"]),
            frame.local(one["revoked_at"]) if one["revoked_at"] else "-",
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "id", "for", "where", "made by", "made", "revoked", rows=rows, empty="no tokens",
    ))  # fmt: skip


@tokens.command("secret")
def set_secret(
    token: Annotated[str, typer.Argument(metavar="ID", help="For example tok_0123456789abcdef.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    keep: Annotated[
        int, typer.Option("--lines", min=1, max=3, help="How many secrets are read, one a line.")
    ] = 1,
) -> None:
    """Register the secret with which a sender signs, instead of those before."""
    shown = frame.open_frame(data, as_json)
    secrets = [read_password("signing secret: ") for _ in range(keep)]
    with client.connect(shown.data) as asked:
        made = asked.put(f"/webhook-tokens/{token}/signing-secrets", {"secrets": secrets})
    shown.answer(made, Text(frame.plain(f"{made['id']} has {made['signing_secrets']} secrets")))


@tokens.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(metavar="ID", help="For example tok_0123456789abcdef.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """End a token that sends alerts; it is refused from its next request on."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        ended = asked.delete(f"/webhook-tokens/{token}")
    shown.answer(ended, Text(frame.plain(f"{ended['id']} is revoked")))


def _add_webhook_token(
    shown: frame.Frame, environment: str, purpose: str, host: str | None
) -> None:
    if host is not None:
        raise typer.BadParameter("--host goes with tokens of agents; alerts name their hosts")
    wanted = {"purpose": purpose, "environment": environment}
    with client.connect(shown.data) as asked:
        made = asked.post("/webhook-tokens", wanted)
        url = asked.server + made["path"]
    shown.answer(made, frame.unbroken([
        ("token", made["token"]),
        ("id", made["id"]),
        ("url", url),
    ]))  # fmt: skip


def read_password(prompt: str, *, twice: bool = False) -> str:
    """Ask for a password in a terminal, else read one line. Raises errors.Rejected."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(prompt)
    if twice and getpass.getpass("again: ") != password:
        raise errors.Rejected("the two passwords differ; nothing was changed")
    return password


def _pairs(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        environment, equals, role = one.partition("=")
        if not equals or not environment or not role:
            raise typer.BadParameter(
                f"--role {one}: expected ENVIRONMENT=ROLE, for example production=observer"
            )
        found[environment] = role
    return found


def _said(roles: dict[str, str]) -> str:
    return ", ".join(f"{role.replace('_', ' ')} in {where}" for where, role in roles.items()) or "-"
