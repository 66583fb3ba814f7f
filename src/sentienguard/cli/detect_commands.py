"""`detect score`: anomaly scores for a file of readings, with no server and nothing learned before.

The input is CSV with a header: `timestamp` and either `value` or one column for each metric of a
host (a column `label` is not looked at). The output repeats it and adds `anomaly_score`.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO, TypeAlias

import numpy as np
import typer

from sentienguard.cli import frame
from sentienguard.model import errors
from sentienguard.stages.detect.lanes import deviation, novelty

app = typer.Typer(no_args_is_help=True, help="Score readings that are not in a control plane.")

Judge: TypeAlias = Callable[[float, list[float]], float]  # seconds, readings -> score in 0..1

_TELL_EACH = 1_000  # rows
_NOT_METRICS = frozenset({"timestamp", "label", "anomaly_score"})


class NoSuchReading(errors.Rejected):
    """A row or a header is not what `detect score` reads."""


@app.callback()
def group() -> None:
    """Keep `score` a command of its own beside those to come."""


@app.command()
def score(
    readings: Annotated[Path, typer.Argument(metavar="IN.csv", help="timestamp,value or wide.")],
    out: Annotated[Path, typer.Option("--out", metavar="OUT.csv", help="Where the scores go.")],
    lane: Annotated[
        str,
        typer.Option(help="deviation: each reading that is off. novelty: what was never seen."),
    ] = "deviation",
    as_json: frame.Json = False,
) -> None:
    """Add an anomaly_score in 0..1 to each row; from 0.5 on, the lane would raise it.

    The score of a row depends on that row and earlier ones only.
    """
    shown = frame.open_frame(None, as_json)
    if lane not in LANES:
        message = f"--lane {lane}: there are {', '.join(LANES)}"
        raise NoSuchReading(message)
    draft = out.with_name(f".{out.name}.new")
    with (
        readings.open(newline="", encoding="utf-8-sig") as source,
        draft.open("w", newline="", encoding="utf-8") as sink,
        shown.working("scoring") as tell,
    ):
        rows, raised = _score(str(readings), source, sink, LANES[lane], tell)
    draft.replace(out)
    shown.answer({"rows": rows, "raised": raised, "lane": lane, "out": str(out)})
    shown.say(f"{rows} rows, {raised} at 0.5 or above: {out}")


def _deviation(columns: int) -> Judge:
    lane = deviation.Deviation(columns)
    return lambda at, values: deviation.score(lane.judge(at, np.asarray(values)))


def _novelty(columns: int) -> Judge:
    """Return the judge of a host's columns: the newest of them speaks."""
    lanes = [novelty.Novelty() for _ in range(columns)]
    return lambda at, values: max(
        novelty.score(lane.judge(at, value)) for lane, value in zip(lanes, values, strict=True)
    )


LANES: Mapping[str, Callable[[int], Judge]] = {"deviation": _deviation, "novelty": _novelty}


def _score(
    name: str,
    source: TextIO,
    sink: TextIO,
    make: Callable[[int], Judge],
    tell: Callable[[str], None],
) -> tuple[int, int]:
    reader = csv.DictReader(source)
    header = list(reader.fieldnames or ())
    metrics = ["value"] if "value" in header else [one for one in header if one not in _NOT_METRICS]
    if "timestamp" not in header or not metrics:
        message = f"{name}: expected columns timestamp,value, found {','.join(header) or 'nothing'}"
        raise NoSuchReading(message)
    kept = [one for one in header if one != "anomaly_score"]
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([*kept, "anomaly_score"])
    judge = make(len(metrics))
    rows = raised = 0
    for rows, row in _numbered(reader):
        where = f"{name}, row {rows}"
        found = judge(
            _seconds(where, row["timestamp"]), [_value(where, one, row[one]) for one in metrics]
        )
        raised += found >= 0.5  # noqa: PLR2004 - every lane's threshold
        writer.writerow([*(row[one] for one in kept), f"{found:.6f}"])
        if rows % _TELL_EACH == 0:
            tell(f"scoring row {rows}")
    return rows, raised


def _numbered(reader: "csv.DictReader[str]") -> Iterator[tuple[int, dict[str, str]]]:
    try:
        yield from enumerate(reader, start=1)
    except (csv.Error, UnicodeDecodeError) as error:
        message = f"line {reader.line_num + 1} cannot be read as CSV in UTF-8: {error}"
        raise NoSuchReading(message) from error


def _seconds(where: str, text: str | None) -> float:
    """Read a time: ISO 8601, `2026-02-12 11:26:00`, or seconds since 1970; UTC unless it says."""
    try:
        at = datetime.fromisoformat((text or "").strip())
    except ValueError:
        number = _value(where, "timestamp", text)
        if math.isfinite(number):
            return number
        message = f"{where}: timestamp {text!r} is no time"
        raise NoSuchReading(message) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _value(where: str, column: str, text: str | None) -> float:
    """Read a number; an empty field is a missing one."""
    try:
        return float(text) if text and text.strip() else math.nan
    except ValueError:
        message = f"{where}: {column} is {text!r}, expected a number or nothing"
        raise NoSuchReading(message) from None
