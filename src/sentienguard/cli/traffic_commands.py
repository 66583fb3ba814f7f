"""`verify-agent-traffic`: judge a capture of what an agent sends, without trusting the agent."""

import dataclasses
import socket
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import frame
from sentienguard.cli.traffic import capture, connections, verdict
from sentienguard.model import errors

_STYLES = {"PASS": "green", "FAIL": "bold red", "UNKNOWN": "yellow"}


class NotAnAddress(errors.Rejected):
    """An option names no address."""


def verify_agent_traffic(
    file: Annotated[Path, typer.Argument(metavar="CAPTURE", help="pcap or pcapng of tcpdump.")],
    server: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="Where the agent may connect to; repeatable."),
    ] = None,
    agent: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The agent's host in the capture.")
    ] = None,
    as_json: frame.Json = False,
) -> None:
    """Check who opens connections, with which encryption, to where, and how much is sent.

    Capture on the agent's host, or on a device in between that the agent cannot touch:

        tcpdump -i any -w agent.pcap host ADDRESS-OF-THE-CONTROL-PLANE

    Ends with status 1 where a check fails, and where the capture does not show enough.
    """
    shown = frame.open_frame(None, as_json)
    servers = [end for one in server or () for end in _ends(one)]
    with shown.working(f"reading {file.name}"):
        traffic = connections.gather(capture.packets(file.read_bytes()))
        found = verdict.checks(traffic, servers, agent)
    passed = all(check.outcome is verdict.Outcome.PASS for check in found)
    pattern = verdict.pattern(traffic.connections)
    document = {
        "passed": passed,
        "checks": [
            {"name": one.name, "outcome": one.outcome.value, "detail": one.detail} for one in found
        ],
        "connections": len(traffic.connections),
        "packets": traffic.packets,
        "seconds": round(traffic.ended - (traffic.began or traffic.ended), 3),
        "pattern": dataclasses.asdict(pattern),
    }
    lines = Text()
    for one in found:
        lines.append(f"[{one.outcome.value}] ", _STYLES[one.outcome.value])
        lines.append(frame.plain(f"{one.name}: {one.detail}\n"))
    answer = "nothing speaks against it" if passed else "not shown to be what it should be"
    lines.append(f"verdict: {answer}", "bold")
    shown.answer(document, lines)
    if not passed:
        raise typer.Exit(1)


def _ends(text: str) -> list[connections.End]:
    """Return every address of host:port."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) <= 0xFFFF:  # noqa: PLR2004 - ports
        raise NotAnAddress(f"--server {text}: expected HOST:PORT, for example ops.example.org:7444")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotAnAddress(f"--server {text}: {host} has no address ({error})") from error
    return sorted({(str(address[0]), int(port)) for *_, address in found})
