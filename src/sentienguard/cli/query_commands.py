"""`query`: ask the control plane's readings in PromQL."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from sentienguard.cli import client, frame
from sentienguard.model import errors


def query(  # noqa: PLR0917  the options of a command
    expression: Annotated[str, typer.Argument(metavar="EXPR", help="An expression in PromQL.")],
    at: Annotated[str | None, typer.Option(help="When; RFC 3339 or seconds. Default: now.")] = None,
    start: Annotated[str | None, typer.Option(help="Begin of a range query.")] = None,
    end: Annotated[str | None, typer.Option(help="End of a range query. Default: now.")] = None,
    step: Annotated[str | None, typer.Option(help="Step of a range query, such as 5m.")] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Ask the readings in PromQL, at one moment or over a range."""
    shown = frame.open_frame(data, as_json)
    if start is None and (end is not None or step is not None):
        raise errors.Rejected("--end and --step belong to a range query: give --start as well")
    if start is not None and at is not None:
        raise errors.Rejected("--at asks for one moment and --start for a range: give one of them")
    with client.connect(shown.data) as asked:
        if start is None:
            answer = asked.get("/query", query=expression, time=at)
        else:
            now = str(datetime.now(UTC).timestamp())
            answer = asked.get(
                "/query_range", query=expression, start=start, end=end or now, step=step or "1m"
            )
    found = answer["data"]
    result = found["result"]
    if found["resultType"] in {"scalar", "string"}:
        shown.answer(found)
        shown.say(str(result[1]))
        return
    rows = [(_named(one["metric"]), _at(one), _values(one)) for one in result]
    shown.answer(found, frame.table("series", "at", "value>", rows=rows, empty="no series"))


def _named(metric: dict[str, str]) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in metric.items() if name != "__name__")
    return metric.get("__name__", "") + (f" {{{labels}}}" if labels else "")


def _at(one: dict[str, Any]) -> str:
    pairs = one.get("values") or [one["value"]]
    ends = [frame.local(_moment(pair[0])) for pair in (pairs[0], pairs[-1])]
    return ends[0] if len(pairs) == 1 else " - ".join(ends)


def _values(one: dict[str, Any]) -> str:
    pairs = one.get("values") or [one["value"]]
    if len(pairs) == 1:
        return str(pairs[0][1])
    numbers = [float(value) for _, value in pairs]
    least, most = (frame.number(number) for number in (min(numbers), max(numbers)))
    return f"{len(numbers)} values, {least} to {most}, last {frame.number(numbers[-1])}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
