"""`detect score`: anomaly scores for a file of readings, with no server and nothing learned before.

The input is CSV with a header: `timestamp` and either `value` or one column for each metric of a
host (a column `label` is not looked at). The output repeats it and adds `anomaly_score`, and for
several metrics `anomaly_metrics`, which names what a raised row is about.
"""

import contextlib
import csv
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO, TypeAlias

import numpy as np
import typer
from numpy.typing import NDArray

from sentienguard.cli import frame
from sentienguard.model import errors
from sentienguard.stages.detect.lanes import deviation, host, novelty

app = typer.Typer(no_args_is_help=True, help="Score readings that are not in a control plane.")

Scored: TypeAlias = tuple[float, list[int]]  # score in 0..1; columns that it is made of
Judge: TypeAlias = Callable[[float, list[float]], Scored]  # seconds, readings

_TELL_EACH = 1_000  # rows
_RAISED = 0.5  # every lane's threshold
_BELOW = 0.999  # keeps what only deviates below what is raised
_ADDED = frozenset({"anomaly_score", "anomaly_metrics"})
_NOT_METRICS = frozenset({"timestamp", "label"}) | _ADDED


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
        str | None,
        typer.Option(
            help="novelty: what was never seen. deviation: each reading that is off. joined: from "
            "0.5 on what novelty raises, from 0.25 on what deviates. host: several metrics "
            "together. Without it: joined for one metric, host for several."
        ),
    ] = None,
    as_json: frame.Json = False,
) -> None:
    """Add an anomaly_score in 0..1 to each row.

    The score of a row depends on that row and earlier ones only. Several metrics give one score,
    and rows that are raised name the metrics that it is made of.
    """
    shown = frame.open_frame(None, as_json)
    if lane is not None and lane not in LANES:
        message = f"--lane {lane}: there are {', '.join(LANES)}"
        raise NoSuchReading(message)
    draft = out.with_name(f".{out.name}.new")
    with (
        readings.open(newline="", encoding="utf-8-sig") as source,
        draft.open("w", newline="", encoding="utf-8") as sink,
        shown.working("scoring") as tell,
    ):
        rows, raised, used = _score(str(readings), source, sink, lane, tell)
    draft.replace(out)
    shown.answer({"rows": rows, "raised": raised, "lane": used, "out": str(out)})
    shown.say(f"{rows} rows, {raised} at 0.5 or above: {out}")


def _deviation(columns: int) -> Judge:
    lane = deviation.Deviation(columns)
    return lambda at, values: _furthest(deviation.score, lane.judge(at, np.asarray(values)))


def _novelty(columns: int) -> Judge:
    lane = novelty.Novelty(columns)
    return lambda at, values: _furthest(novelty.score, lane.judge(at, np.asarray(values)))


def _joined(columns: int) -> Judge:
    """Return the judge of one metric: what is new on top, below it how far the reading is off."""
    new, off = novelty.Novelty(columns), deviation.Deviation(columns)

    def judge(at: float, values: list[float]) -> Scored:
        readings = np.asarray(values)
        told, _ = _furthest(novelty.score, new.judge(at, readings))
        far, columns_off = _furthest(deviation.score, off.judge(at, readings))
        return (told if told >= _RAISED else far / 2 * _BELOW), columns_off

    return judge


def _furthest(score: Callable[[float], float], found: NDArray[np.floating]) -> Scored:
    """Let the column speak that stands out most."""
    most = int(found.argmax())
    return score(float(found[most])), [most] if found[most] > 0 else []


def _host(columns: int) -> Judge:
    lane = host.Host(columns)

    def judge(at: float, values: list[float]) -> Scored:
        found = host.score(lane.judge(at, np.asarray(values)))
        return found, lane.leading()

    return judge


LANES: Mapping[str, Callable[[int], Judge]] = {
    "joined": _joined,
    "deviation": _deviation,
    "novelty": _novelty,
    "host": _host,
}


def _score(
    name: str, source: TextIO, sink: TextIO, wanted: str | None, tell: Callable[[str], None]
) -> tuple[int, int, str]:
    reader = csv.DictReader(source)
    header = list(reader.fieldnames or ())
    metrics = ["value"] if "value" in header else [one for one in header if one not in _NOT_METRICS]
    if "timestamp" not in header or not metrics:
        message = f"{name}: expected columns timestamp,value, found {','.join(header) or 'nothing'}"
        raise NoSuchReading(message)
    lane = wanted or ("joined" if len(metrics) == 1 else "host")
    kept = [one for one in header if one not in _ADDED]
    names = len(metrics) > 1
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([*kept, "anomaly_score", *(["anomaly_metrics"] if names else [])])
    judge = LANES[lane](len(metrics))
    rows = raised = 0
    for rows, row in _numbered(reader):
        where = f"{name}, row {rows}"
        found, columns = judge(
            _seconds(where, row["timestamp"]), [_value(where, one, row[one]) for one in metrics]
        )
        raised += found >= _RAISED
        said = " ".join(metrics[one] for one in columns) if found >= _RAISED else ""
        writer.writerow([*(row[one] for one in kept), f"{found:.6f}", *([said] if names else [])])
        if rows % _TELL_EACH == 0:
            tell(f"scoring row {rows}")
    return rows, raised, lane


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
        with contextlib.suppress(ValueError):
            number = float(text or "")
            if math.isfinite(number):
                return number
        message = (
            f"{where}: timestamp is {text!r}, expected a time such as 2026-02-12 11:26:00, or "
            "seconds since 1970"
        )
        raise NoSuchReading(message) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _value(where: str, column: str, text: str | None) -> float:
    """Read a number; an empty field is a missing one."""
    try:
        return float(text) if text and text.strip() else math.nan
    except ValueError:
        message = f"{where}: {column} is {text!r}, expected a number or nothing"
        raise NoSuchReading(message) from None
