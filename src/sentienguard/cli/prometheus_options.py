"""How a Prometheus-compatible server is asked for the past of hosts: options, and what they make.

Called by history_commands and backtest_commands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sentienguard.cli.history_sources import Prometheus
from sentienguard.model import addresses, errors

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


@dataclass(frozen=True, slots=True)
class Proof:
    """By what a server knows who asks; files, because everybody here sees a command line."""

    token_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None


def server(url: str, host_label: str, renamed: Sequence[str] | None, proof: Proof) -> Prometheus:
    """Make the source that the options describe. Raises Rejected."""
    require_nobody("--prometheus", url, "give --user and --password-file, or --token-file")
    if (proof.user is None) != (proof.password_file is None):
        raise errors.Rejected("--user and --password-file: expected both or none")
    if proof.user is not None and proof.token_file is not None:
        raise errors.Rejected("expected --token-file, or --user with --password-file, not both")
    return Prometheus(
        url,
        host_label,
        dict(_pair(one) for one in renamed or ()),
        token=_content(proof.token_file),
        user=proof.user or "",
        password=_content(proof.password_file),
    )


def require_nobody(option: str, url: str, way_out: str) -> None:
    """Refuse an address with a name or a password in it, without showing it. Raises Rejected."""
    if addresses.names_somebody(url):
        raise errors.Rejected(
            f"{option}: found a name or a password before the host, which everybody on this "
            f"machine can read; {way_out}"
        )


def _content(file: Path | None) -> str:
    return "" if file is None else file.read_text(encoding="utf-8").strip()


def _pair(text: str) -> tuple[str, str]:
    value, equals, host = text.rpartition("=")
    if not equals or not value:
        raise errors.Rejected(f"--host {text!r}: expected VALUE=HOST")
    return value, host
