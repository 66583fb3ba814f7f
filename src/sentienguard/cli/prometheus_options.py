"""How a Prometheus-compatible server is asked for the past of hosts: options, and what they make.

Called by history_commands and backtest_commands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.cli.history_sources import MOST_BYTES, TIMEOUT_S, Prometheus
from sentienguard.controlplane import app_secrets
from sentienguard.model import addresses, errors
from sentienguard.ports.secrets import Fetch, Secret

Step = Annotated[int, typer.Option(min=1, help="Seconds between readings.")]
HostLabel = Annotated[str, typer.Option(help="Label that names the host.")]
Renamed = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="VALUE=HOST", help="The host of one value of that label."),
]
Series = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METRIC[LABEL]=EXPR",
        help="What to ask for; LABEL is the subject. Default: what node_exporter measures.",
    ),
]
TokenFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Bearer token for the server.")
]
User = Annotated[str | None, typer.Option(metavar="NAME", help="Name for the server (HTTP basic).")]
PasswordFile = Annotated[Path | None, typer.Option(metavar="FILE", help="The password of --user.")]
Named = Annotated[
    str | None,
    typer.Option("--secret", metavar="NAME", help="Secret that is the token or the password."),
]
Stores = Annotated[
    Path, typer.Option("--secrets", metavar="DIR", help="Where secrets.yaml says of the stores.")
]
Public = Annotated[
    bool, typer.Option("--public", help="Ask no address that is not public.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Proof:
    """By what a server knows who asks; no secret itself, for everybody sees a command line."""

    token_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    named: str | None = None  # in a store of secrets
    stores: Path = Path()  # the directory whose secrets.yaml counts
    public: bool = False  # no address is asked that is not public


def server(url: str, host_label: str, renamed: Sequence[str] | None, proof: Proof) -> Prometheus:
    """Make the source that the options describe. Raises Rejected."""
    require_nobody("--prometheus", url, "give --user and --password-file, or --token-file")
    given = [one for one in (proof.token_file, proof.password_file, proof.named) if one is not None]
    if len(given) > 1:
        raise errors.Rejected("expected one of --token-file, --password-file and --secret")
    if (proof.user is None) != (proof.password_file is None) and proof.named is None:
        raise errors.Rejected("--user and --password-file: expected both or none")
    return Prometheus(
        url,
        host_label,
        dict(_pair(one) for one in renamed or ()),
        way_to(url, public=proof.public),
        _key(proof),
        proof.user or "",
    )


def way_to(url: str, *, public: bool = False) -> GuardedClient:
    """Return the way to an address of the command line, and to no other. Raises NotAllowed."""
    allowed = Allowed.of(url, private=not public)
    return GuardedClient([allowed], limit_s=TIMEOUT_S, longest_answer=MOST_BYTES)


def _key(proof: Proof) -> Fetch | None:
    file, name = proof.token_file or proof.password_file, proof.named
    if name is not None:
        stores = app_secrets.opened(proof.stores, LocalClock())
        stores.check(name)
        return lambda: stores.fetch(name)
    if file is None:
        return None
    found = Secret(file.read_text(encoding="utf-8").strip())  # may be one that is read once: `-`
    return lambda: found


def require_nobody(option: str, url: str, way_out: str) -> None:
    """Refuse an address with a name or a password in it, without showing it. Raises Rejected."""
    if addresses.names_somebody(url):
        raise errors.Rejected(
            f"{option}: found a name or a password before the host, which everybody on this "
            f"machine can read; {way_out}"
        )


def _pair(text: str) -> tuple[str, str]:
    value, equals, host = text.rpartition("=")
    if not equals or not value:
        raise errors.Rejected(f"--host {text!r}: expected VALUE=HOST")
    return value, host
