"""A drill on the screen: lines as they happen, and in a terminal the five stages below them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from sentienguard.cli import frame
from sentienguard.cli.drills import story

_TONES = {"good": "green", "bad": "yellow", "": ""}
_STAGE_WIDTH, _TIME_WIDTH = 8, 8
_REFRESH_HZ = 8


class Screen(Protocol):
    """Where a drill tells what happens."""

    def tell(self, line: story.Line) -> None:
        """Add one line; a line whose key was told before is left out."""

    def wait(self, text: str) -> None:
        """Say what is being waited for."""


class Lines:
    """One line after the other; the clock starts at the fault."""

    def __init__(self, console: Console) -> None:
        """Print on this console."""
        self._console = console
        self._told: set[str] = set()
        self._stage = ""
        self.began: datetime | None = None  # of the clock; None: now, at the first line
        self.reached: list[str] = []  # stages, in the order they were reached

    def tell(self, line: story.Line) -> None:
        """Print a line that is new."""
        if line.key in self._told:
            return
        self._told.add(line.key)
        self.began = self.began or line.at
        if line.stage in story.STAGES and line.stage not in self.reached:
            self.reached.append(line.stage)
        heading = line.stage if line.stage != self._stage else ""
        self._stage = line.stage
        since = max(0.0, (line.at - self.began).total_seconds())
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_column(width=_TIME_WIDTH, justify="right", style="dim", no_wrap=True)
        row.add_column(width=_STAGE_WIDTH, style="bold", no_wrap=True)
        row.add_column(overflow="fold")
        text = Text(frame.plain(line.text), style=_TONES[line.tone])
        row.add_row(f"{since:.2f} s", heading.capitalize(), text)
        self._console.print(row)

    def wait(self, text: str) -> None:
        """Print nothing: the next line says what came."""


class Panelled(Lines):
    """The same with a panel below: which stages are done, and what is being waited for."""

    def __init__(self, console: Console, live: Live) -> None:
        """Print on this console, above this live display."""
        super().__init__(console)
        self._live = live
        self._waiting = "starting"
        self._live.update(self._panel())

    def tell(self, line: story.Line) -> None:
        """Print a line, and show the stage."""
        super().tell(line)
        self._live.update(self._panel())

    def wait(self, text: str) -> None:
        """Show what is being waited for."""
        self._waiting = text
        self._live.update(self._panel())

    def _panel(self) -> Panel:
        strip = Text()
        for stage in story.STAGES:
            strip.append("   " if strip else "")
            strip.append_text(self._mark(stage))
        body = Table.grid(padding=(0, 1, 0, 0))
        body.add_row(strip)
        elapsed = (datetime.now(UTC) - self.began).total_seconds() if self.began else 0.0
        waiting = Text(f"{frame.plain(self._waiting)}  {elapsed:.0f} s", style="dim")
        body.add_row(Spinner("line", waiting))
        return Panel(body, expand=False, border_style="dim")

    def _mark(self, stage: str) -> Text:
        if stage not in self.reached:
            return Text(f"  {stage.capitalize()}", style="dim")
        if stage == self.reached[-1]:
            return Text(f"> {stage.capitalize()}", style="bold cyan")
        return Text(f"+ {stage.capitalize()}", style="green")


@contextmanager
def on(console: Console) -> Iterator[Lines]:
    """Return the screen that fits: with the panel in a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with Live(console=console, transient=True, refresh_per_second=_REFRESH_HZ) as live:
        yield Panelled(console, live)
