"""`users` and `tokens`: who may do what, and how an agent joins."""

import getpass
import sys
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.text import Text

from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.cli import client, frame, read_token_commands
from sentienguard.model import errors

users = typer.Typer(no_args_is_help=True, help="Who may do what, where.")
tokens = typer.Typer(
    no_args_is_help=True, help="How an agent joins, who sends alerts, which machines read."
)
tokens.add_typer(read_token_commands.app, name="read-only")

Name = Annotated[str, typer.Argument(metavar="NAME")]
Roles = Annotated[
    list[str],
    typer.Option(
        "--role", metavar="ENVIRONMENT=ROLE",
        help="observer, remediation_authority, administrator or auditor in an environment, or in * "
        "(all); may be given again.",
    ),
]  # fmt: skip
Days = Annotated[
    int | None,
    typer.Option(
        "--days", min=1, show_default=False,
        help="The roles end after so many days; an auditor's have to, within 30.",
    ),
]  # fmt: skip


@users.command("list")
def list_(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """List the accounts."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/users")
    rows = [(one["name"], _said(one)) for one in found["items"]]
    shown.answer(found, frame.table("name", "roles", rows=rows, empty="no accounts"))


@users.command("add")
def add(
    name: Name,
    role: Roles,
    data: frame.Data = None,
    as_json: frame.Json = False,
    days: Days = None,
) -> None:
    """Make an account; the password (12 characters or more) is asked for, or read from a pipe."""
    shown = frame.open_frame(data, as_json)
    roles = _pairs(role)
    with client.connect(shown.data) as asked:
        password = read_password(f"password for {name}: ", twice=True)
        wanted = {"name": name, "password": password, "roles": roles, "ends": _ends(roles, days)}
        made = asked.post("/users", wanted)
    shown.answer(made, Text(frame.plain(f"{made['name']}: {_said(made)}")))


@users.command("roles")
def roles(
    name: Name,
    role: Roles,
    data: frame.Data = None,
    as_json: frame.Json = False,
    days: Days = None,
) -> None:
    """Replace somebody's roles; effective on their next request."""
    shown = frame.open_frame(data, as_json)
    wanted = _pairs(role)
    with client.connect(shown.data) as asked:
        body = {"roles": wanted, "ends": _ends(wanted, days)}
        made = asked.put(f"/users/{name}/roles", body)
    shown.answer(made, Text(frame.plain(f"{made['name']}: {_said(made)}")))


@users.command("sign-out")
def sign_out(name: Name, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """End all logins of somebody, from their next request on."""
    _end(name, "logins", data, as_json=as_json)


@users.command("take-factors")
def take_factors(name: Name, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Take the second factors of somebody who lost theirs, and end their logins."""
    _end(name, "factors", data, as_json=as_json)


@users.command("erase")
def erase(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="For example the number of a request.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Forget somebody for good: account, logins, factors, and whose their pseudonym was."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        done = asked.post(f"/users/{quote(name, safe='')}/erase", {"reason": reason})
    shown.answer(done, frame.pairs([
        ("the log goes on to say", done["pseudonym"]),
        ("rows changed", str(done["changed"])),
    ]))  # fmt: skip


@users.command("who")
def who(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_PSEUDONYM")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Tell whose a pseudonym of the log is, or what stands there for a name."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get(f"/people/{quote(name, safe='')}")
    shown.answer(found, frame.pairs([
        ("name", found["name"] or "nobody's here any more, or never was"),
        ("in the log", found["pseudonym"] or "-"),
        ("where it was only claimed", found["as_stranger"] or "-"),
    ]))  # fmt: skip


def _end(name: str, what: str, data: frame.Data, *, as_json: bool) -> None:
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        ended = asked.delete(f"/users/{name}/{what}")
    shown.answer(ended, Text(frame.plain(f"{name}: {ended['ended']} logins ended")))


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
            help="agent: to join once. Until revoked: alertmanager, grafana, datadog, pagerduty, "
            "eventbridge, eventgrid or cloudevents to send alerts; prometheus or otlp to push "
            "telemetry; changes to tell of deployments.",
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
        "id!", "for", "where", "made by", "made", "revoked", rows=rows, empty="no tokens",
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


def _ends(roles: dict[str, str], days: int | None) -> dict[str, str]:
    if days is None:
        return {}
    end = LocalClock().now() + timedelta(days=days)
    return dict.fromkeys(roles, end.isoformat())


def _said(user: dict[str, Any]) -> str:
    found = []
    for where, role in user["roles"].items():
        end = user["ends"].get(where)
        until = f" until {frame.local(end)}" if end else ""
        found.append(f"{role.replace('_', ' ')} in {where}{until}")
    return ", ".join(found) or "-"
