"""Fetch history page by page, not faster than agreed, and never the same page twice."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from sentienguard.cli.backtest import plan as plans
from sentienguard.cli.backtest.state import State
from sentienguard.cli.history_sources import Prometheus, Recipe, SourceWrong, Stretch
from sentienguard.model import errors

ATTEMPTS: Final = 4  # at one page that does not come
FIRST_PAUSE_S: Final = 1.0  # before the second attempt; doubled for each further one
SHORTEST_PAGE_S: Final = 3600  # below this a page is not split further
ALERT_GAP: Final = 3  # steps without an alert that still count as the same time it fires
_TOO_MUCH: Final = ("too many samples", "exceeded maximum resolution", "query timed out")
Span: TypeAlias = tuple[int, int]
T = TypeVar("T")


@dataclass
class Pace:
    """So many requests a second and no more."""

    per_second: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    next_at: float = 0.0

    def wait(self) -> None:
        """Wait until the next request may go."""
        now = self.clock()
        if now < self.next_at:
            self.sleep(self.next_at - now)
        self.next_at = max(now, self.next_at) + 1.0 / self.per_second


def missing(state: State) -> list[tuple[Recipe | None, Span]]:
    """Return the pages that are still to be fetched; no recipe: the alerts."""
    wanted: list[Recipe | None] = [*state.plan.recipes, None]
    return [
        (one, span)
        for one in wanted
        for span in state.plan.pages()
        if not state.has_page(_name(one), span[0])
    ]


def fetch(source: Prometheus, state: State, pace: Pace, recipe: Recipe | None, span: Span) -> None:
    """Fetch one page and keep it. Raises SourceWrong, Unavailable."""
    step = state.plan.step_s
    if recipe is None:
        runs = [
            run
            for result in _in_parts(
                lambda start, end: source.page(plans.ALERTS, start, end - step, step), pace, span
            )
            for run in _runs(result, step)
        ]
        state.keep_alerts(_name(recipe), span, runs)
        return
    found = _in_parts(
        lambda start, end: list(source.read(recipe, (start, end - step), step)), pace, span
    )
    state.keep_readings(_name(recipe), span, list(_joined(found)))


def _in_parts(ask: Callable[[int, int], Sequence[T]], pace: Pace, span: Span) -> Iterator[T]:
    """Ask for a span; one that is too much for the server is asked for in halves."""
    try:
        yield from _patiently(lambda: ask(*span), pace)
    except SourceWrong as refusal:
        start, end = span
        if end - start <= SHORTEST_PAGE_S or not any(one in str(refusal) for one in _TOO_MUCH):
            raise
        middle = start + (end - start) // 2 // SHORTEST_PAGE_S * SHORTEST_PAGE_S
        for half in ((start, middle), (middle, end)):
            yield from _in_parts(ask, pace, half)


def _patiently(ask: Callable[[], Sequence[T]], pace: Pace) -> Sequence[T]:
    pause = FIRST_PAUSE_S
    for left in range(ATTEMPTS - 1, -1, -1):
        pace.wait()
        try:
            return ask()
        except errors.Unavailable:
            if not left:
                raise
            pace.sleep(pause)
            pause *= 2
    return ()


def _joined(found: Iterator[Stretch]) -> Iterator[Stretch]:
    """Join the parts of a page, series by series."""
    whole: dict[tuple[str, str], Stretch] = {}
    for one in found:
        kept = whole.setdefault((one.host, one.subject), Stretch(one.host, one.metric, one.subject))
        kept.times_ms += one.times_ms
        kept.values += one.values
    yield from whole.values()


def _runs(result: Mapping[str, Any], step: int) -> Iterator[tuple[Mapping[str, str], int, int]]:
    """Yield the runs of one alert's series: labels, first and last moment."""
    labels = {
        name: value
        for name, value in result["metric"].items()
        if name not in {"__name__", "alertstate"}
    }
    first = last = None
    for at, _ in result["values"]:
        moment = round(float(at))
        if first is None or last is None or moment - last > ALERT_GAP * step:
            if first is not None and last is not None:
                yield labels, first, last
            first = moment
        last = moment
    if first is not None and last is not None:
        yield labels, first, last


def _name(recipe: Recipe | None) -> str:
    if recipe is None:
        return plans.ALERTS
    return f"{recipe.metric}[{recipe.subject_label}]={recipe.expression}"
