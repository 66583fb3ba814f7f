"""What all commands share: data directory, `--json`, progress, tables, and how text is shown.

Rules:

1. With `--json` standard output holds one JSON document and nothing else; progress and errors go
   to standard error.
2. Text from outside is shown as text: no markup, no control characters.
3. Times are local in tables and UTC in JSON.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

VARIABLE = "SENTIENGUARD_DATA"
DEMO_DIRECTORY = Path(".demo")  # of the current directory, where `demo` keeps what it makes
UNREACHED = "check the address, and whether this machine reaches it"  # of somebody's server

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help=f"Data directory; default ${VARIABLE}, else ~/.local/share/sentienguard.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def data_directory(given: Path | None) -> Path:
    """Return the data directory that was given, or the default, as an absolute path."""
    if given is not None:
        return given.expanduser().absolute()
    from_environment = os.environ.get(VARIABLE)
    if from_environment:
        return Path(from_environment).expanduser().absolute()
    return Path.home() / ".local/share/sentienguard"


def console(stream: TextIO) -> Console:
    """Return a console that shows text as it is; it honours NO_COLOR and the terminal's width."""
    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=False)


@dataclass(frozen=True)
class Frame:
    """One call of one command."""

    data: Path  # absolute
    as_json: bool
    out: Console = field(default_factory=lambda: console(sys.stdout))
    err: Console = field(default_factory=lambda: console(sys.stderr))

    def answer(self, document: Any, *shown: RenderableType) -> None:
        """Print the document with --json, else what is meant for people."""
        if self.as_json:
            written = json.dumps(document, ensure_ascii=False, indent=1)
            self.out.file.write(_escaped(written) + "\n")
            return
        for each in shown:
            self.out.print(each, soft_wrap=isinstance(each, Text))

    def say(self, text: str = "") -> None:
        """Print a line for people, unbroken so that it can be copied; nothing with --json."""
        if not self.as_json:
            self.out.print(Text(plain(text)), soft_wrap=True)

    def explain(self, text: str) -> None:
        """Print a paragraph for people, broken between words; nothing with --json."""
        if not self.as_json:
            self.out.print(Text(plain(text)))

    def note(self, text: str) -> None:
        """Print a line beside the answer."""
        self.err.print(Text(plain(text)), style="dim")

    @contextmanager
    def working(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that something is going on; yields how to say what."""
        if not self.err.is_terminal:
            self.err.print(Text(f"{text} ..."))
            yield lambda now: self.err.print(Text(f"{now} ..."))
            return
        with self.err.status(Text(f"{text} ...")) as status:
            yield lambda now: status.update(Text(f"{now} ..."))


def open_frame(data: Path | None, as_json: bool) -> Frame:
    """Return the frame of a command."""
    return Frame(data_directory(data), as_json)


def table(*headings: str, rows: Sequence[Sequence[str | Text]], empty: str) -> RenderableType:
    """Return a calm table; under a heading that ends in `>` right-aligned, in `!` never broken."""
    if not rows:
        return Text(empty)
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        right, whole = heading.endswith(">"), heading.endswith("!")
        made.add_column(
            heading.rstrip(">!"),
            justify="right" if right else "left",
            overflow="ignore" if whole else "fold",
            no_wrap=whole or right,
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    return made


def pairs(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """Return a table of names and values."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(Text(plain(name)), Text(plain(value)))
    return made


def unbroken(rows: Sequence[tuple[str, str]]) -> Text:
    """Return names and values, a line each, for values that somebody copies."""
    width = max(len(name) for name, _ in rows) + 2
    made = Text()
    for at, (name, value) in enumerate(rows):
        made.append("\n" if at else "").append(plain(name).ljust(width), style="dim")
        made.append(plain(value).replace("\n", "\n" + " " * width))
    return made


def plain(text: str) -> str:
    """Return text without control characters, which could rewrite a terminal."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )


def _escaped(written: str) -> str:
    """Return JSON without characters that are not printed; in JSON each has an escape."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1]
        for letter in written
    )


def local(moment: str | None, *, now: datetime | None = None) -> str:
    """Return an RFC 3339 time as local time, with its date where it is not today's."""
    if not moment:
        return "-"
    at = parse_time(moment).astimezone()
    today = (now or datetime.now(UTC)).astimezone().date()
    return f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M}"


def parse_time(moment: str) -> datetime:
    """Read an RFC 3339 time; one without a zone is UTC."""
    at = datetime.fromisoformat(moment)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def seconds(value: float | None) -> str:
    """Return a duration as people say it."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:  # noqa: PLR2004  # up to two minutes people count in seconds
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def program() -> str:
    """Return how the person at this terminal calls us: by name where that finds this program."""
    ours = Path(sys.executable).with_name("sentienguard")
    found = shutil.which("sentienguard")
    if found and Path(found).resolve() == ours.resolve():
        return "sentienguard"
    return short_path(ours) if ours.exists() else "python -m sentienguard.cli.main"


def short_path(path: Path) -> str:
    """Return a path as seen from the current directory, where it lies below that."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def number(value: float) -> str:
    """Return a reading without digits that say nothing."""
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"  # noqa: PLR2004
