"""How far a backtest is, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sentienguard.cli import frame

Begin: TypeAlias = Callable[[str], None]  # says that the next one begins, and its name


@contextmanager
def shown(at: frame.Frame, what: str, total: int) -> Iterator[Begin]:
    """Show a bar on a terminal, else a line for each tenth; yields what says that one begins."""
    if not at.err.is_terminal:
        tenth, done = max(total // 10, 1), 0

        def line(name: str) -> None:
            nonlocal done
            if done % tenth == 0:
                at.note(f"{what}: {done} of {total}, {name}")
            done += 1

        yield line
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=at.err, transient=True) as bar:
        task = bar.add_task(what, total=total)
        begun = False

        def begin(name: str) -> None:
            nonlocal begun
            bar.update(task, advance=int(begun), description=f"{what}: {frame.plain(name)[:40]}")
            begun = True

        yield begin
