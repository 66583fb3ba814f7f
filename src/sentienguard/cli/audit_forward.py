"""`audit forward`: every entry to a syslog receiver over TLS, as it is written.

Rules of delivery, at least once:

1. Entries go in the order of the log; the position is kept in a file and moved only when the
   receiver has read all of a batch (adapters.syslog_tls).
2. After a batch that failed, and at each start, the last AGAIN entries before the position go
   again: what a receiver had in memory when it died. Index and leaf hash tell copies.
3. A position belongs to one log: where the entry before it is another one, nothing is sent.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from sentienguard import __version__
from sentienguard.adapters.evidence_files import store
from sentienguard.adapters.syslog_tls import sender
from sentienguard.cli import audit_sources, frame
from sentienguard.cli.audit_sources import Source
from sentienguard.model import errors
from sentienguard.stages.audit.evidence.population import Row
from sentienguard.stages.audit.export import formats, syslog

DEFAULT_PORT: Final = 6514  # RFC 5425
AGAIN: Final = 100  # entries sent again after a connection was lost
ASK_EVERY_S: Final = 1.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0  # between attempts to reach somebody who is away


class OtherLog(errors.Rejected):
    """The kept position is of another log, or this log was rewritten."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a receiver has the log."""

    origin: str = ""
    next: int = 0  # index of the entry that it does not have yet
    last_leaf: str = ""  # hex, of the entry before that


class Keeper:
    """Keeps a position in a file."""

    def __init__(self, path: Path) -> None:
        """Name the file; its directory is made."""
        self._path = path

    def read(self) -> Position:
        """Return what was kept; the beginning where nothing was. Raises errors.Rejected."""
        try:
            return Position(**json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return Position()
        except (OSError, ValueError, TypeError) as error:
            raise errors.Rejected(f"{self._path}: expected a kept position: {error}") from error

    def keep(self, position: Position) -> None:
        """Write it, whole or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        found = {
            "origin": position.origin, "next": position.next, "last_leaf": position.last_leaf,
        }  # fmt: skip
        store.write_whole(self._path, json.dumps(found).encode())


class Forwarder:
    """Sends what is not sent yet."""

    def __init__(
        self,
        source: Source,
        keeper: Keeper,
        deliver: Callable[[bytes], None],
        text: Callable[[Row, str], str],
        enterprise: int,
    ) -> None:
        """`deliver` returns when the receiver has read all the frames that it is given."""
        self._source = source
        self._keeper = keeper
        self._deliver = deliver
        self._text = text
        self._enterprise = enterprise
        self._from: int | None = None  # where the next batch begins; None: rule 2

    def step(self) -> int:
        """Send one batch; return how many entries of it are new, 0 where nothing is left.

        Raises errors.Unavailable where somebody is away: call again later. Raises OtherLog.
        """
        position = self._keeper.read()
        if self._from is None:
            self._check(position)
            self._from = max(0, position.next - AGAIN)
        page = self._source.page(self._from)
        if not page.rows:
            return 0
        self._from, behind = None, page.rows[-1].index + 1
        self._deliver(b"".join(self._framed(row, page.origin) for row in page.rows))
        self._from = behind
        if behind <= position.next:
            return 0
        self._keeper.keep(Position(page.origin, behind, page.rows[-1].leaf_hash.hex()))
        return behind - position.next

    def _framed(self, row: Row, origin: str) -> bytes:
        text = self._text(row, __version__)
        return syslog.frame(syslog.message(formats.meant(row), origin, text, self._enterprise))

    def _check(self, position: Position) -> None:
        """Rule 3."""
        if position.next == 0:
            return
        page = self._source.page(position.next - 1)
        found = page.rows[0].leaf_hash.hex() if page.rows else "nothing"
        if (page.origin, found) != (position.origin, position.last_leaf):
            raise OtherLog(
                f"entry {position.next - 1} of {page.origin} is {found[:16]}, the kept position is "
                f"of {position.origin} and {position.last_leaf[:16]}; name another --position"
            )


def forward(  # noqa: PLR0917  the options of a command
    to: Annotated[str, typer.Option("--to", metavar="HOST:PORT", help="The receiver; port 6514.")],
    authority: Annotated[
        Path, typer.Option("--ca", metavar="FILE", help="Certificates that vouch for it, PEM.")
    ],
    wanted: Annotated[
        str, typer.Option("--format", metavar="|".join(formats.TEXTS), help="What a message says.")
    ] = "json",
    certificate: Annotated[
        Path | None, typer.Option("--cert", metavar="FILE", help="Our certificate, PEM.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Its key, PEM.")] = None,
    position: Annotated[
        Path | None,
        typer.Option("--position", metavar="FILE", help="How far it is; default DIR/forward/..."),
    ] = None,
    enterprise: Annotated[
        int, typer.Option("--enterprise", min=1, help="Your private enterprise number.")
    ] = syslog.EXAMPLE_ENTERPRISE,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="PATH", help="A log's directory; else ask the server."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when everything is sent.")] = False,
    names: Annotated[
        bool, typer.Option("--names", help="Call people by their names; else by pseudonyms.")
    ] = False,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Send every entry to a syslog receiver (RFC 5424 over TLS, RFC 5425) as it is written.

    Goes on until it is ended; where it stopped, it goes on the next time. Some entries may come
    twice: their index and leaf hash say which.
    """
    shown = frame.open_frame(data, as_json)
    host, port = address(to)
    if wanted not in formats.TEXTS:
        raise errors.Rejected(f"format {wanted[:20]!r}: expected one of {', '.join(formats.TEXTS)}")
    context = sender.trusting(authority, certificate, key)
    if names and log is not None:
        raise audit_sources.nameless()
    source: Source = (
        audit_sources.Directory(log)
        if log is not None
        else audit_sources.Asked(shown.data, names=names)
    )
    forwarder = Forwarder(
        source,
        Keeper(position or shown.data / "forward" / f"{host}_{port}.json"),
        lambda frames: sender.deliver(host, port, context, frames),
        formats.TEXTS[wanted],
        enterprise,
    )
    sent = _follow(forwarder, shown, once=once)
    shown.answer({"sent": sent, "to": f"{host}:{port}"})
    shown.say(f"{sent:,} entries sent to {host}:{port}")


def _follow(forwarder: Forwarder, shown: frame.Frame, *, once: bool) -> int:
    sent, idle, wait = 0, 0, FIRST_WAIT_S
    while True:
        try:
            new = forwarder.step()
        except errors.Unavailable as error:
            if once:
                raise
            shown.note(f"{error}; again in {wait:.0f} s")
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)
            continue
        sent, wait = sent + new, FIRST_WAIT_S
        idle = 0 if new else idle + 1
        if new:
            shown.note(f"{sent:,} entries sent")
        elif once and idle > 1:  # the first idle step may only have sent some again
            return sent
        elif idle > 1:
            time.sleep(ASK_EVERY_S)


def address(to: str) -> tuple[str, int]:
    """Read HOST:PORT; an IPv6 address stands in brackets. Raises errors.Rejected."""
    host, _, port = to.rpartition(":") if not to.endswith("]") else (to, "", "")
    if not host and port and not port.isdigit():
        host, port = port, ""
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port or str(DEFAULT_PORT)).isdigit() or not 0 < int(port or 1) < 1 << 16:
        raise errors.Rejected(f"--to {to[:80]!r}: expected HOST:PORT, such as siem.example:6514")
    return host, int(port or DEFAULT_PORT)
