"""How a Prometheus-compatible server is asked for the past of hosts: options, and what they make.

Called by history_commands and backtest_commands.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sentienguard.cli.history_sources import Prometheus
from sentienguard.model import errors

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


def server(
    url: str, host_label: str, renamed: Sequence[str] | None, token_file: Path | None
) -> Prometheus:
    """Make the source that the options describe. Raises Rejected."""
    token = token_file.read_text(encoding="utf-8").strip() if token_file else ""
    return Prometheus(url, host_label, dict(_pair(one) for one in renamed or ()), token)


def _pair(text: str) -> tuple[str, str]:
    value, equals, host = text.rpartition("=")
    if not equals or not value:
        raise errors.Rejected(f"--host {text!r}: expected VALUE=HOST")
    return value, host
