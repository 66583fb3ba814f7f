"""The questions that an adviser may ask back, and their answers in words it can read.

Called by flow.advising, which asks ports.context. Read only, three of them, with closed arguments:
what a model writes beside them is refused with the reason, which it is told.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

from sentienguard.model import errors
from sentienguard.ports.adviser import Call, Tool
from sentienguard.ports.context import DeploymentAnswer, LogAnswer, MetricAnswer
from sentienguard.stages.decide.advice_answer import clean

LONGEST_ANSWER: Final = 12_000  # characters of what one tool returns
_LONGEST: Final[Mapping[str, int]] = {
    "promql": 1_000, "service": 200, "timeframe": 6, "environment": 100,
}  # fmt: skip
_FRAME: Final = re.compile(r"([1-9][0-9]{0,3})([smh])", re.ASCII)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_LONGEST_FRAME: Final = timedelta(days=1)


class CallWrong(errors.Rejected):
    """The model asked for what is not there, or not as it has to be asked."""


@dataclass(frozen=True, slots=True)
class QueryMetrics:
    """Readings, by PromQL."""

    promql: str


@dataclass(frozen=True, slots=True)
class FetchLogs:
    """Log lines of a service."""

    service: str
    timeframe: timedelta


@dataclass(frozen=True, slots=True)
class ListDeployments:
    """Changes in an environment."""

    environment: str


Wanted: TypeAlias = QueryMetrics | FetchLogs | ListDeployments


def _tool(name: str, description: str, **members: str) -> Tool:
    properties = {
        member: {"type": "string", "description": said} for member, said in members.items()
    }
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }
    return Tool(name, description, schema)


TOOLS: Final = (
    _tool(
        "query_metrics",
        "Readings of the two hours before the decision.",
        promql="A PromQL expression.",
    ),
    _tool(
        "fetch_recent_logs",
        "The newest log lines of one service, redacted.",
        service="The service's name.",
        timeframe="How far back, such as 30m or 2h; at most 24h.",
    ),
    _tool(
        "list_recent_deployments",
        "What was deployed or changed in the last day.",
        environment="The incident's environment.",
    ),
)
_SCHEMAS: Final = {one.name: one.schema for one in TOOLS}


def read(call: Call) -> Wanted:
    """Return what a call asks. Raises CallWrong."""
    if call.name not in _SCHEMAS:
        raise CallWrong(
            f"there is no tool {clean(call.name, 40)!r}; there are {', '.join(_SCHEMAS)}"
        )
    given = _arguments(call)
    match call.name:
        case "query_metrics":
            return QueryMetrics(given["promql"])
        case "fetch_recent_logs":
            return FetchLogs(given["service"], _frame(given["timeframe"]))
        case _:
            return ListDeployments(given["environment"])


def said(wanted: Wanted) -> str:
    """Return a question in words, for the record."""
    match wanted:
        case QueryMetrics(promql):
            return f"query_metrics({clean(promql, 200)})"
        case FetchLogs(service, timeframe):
            minutes = timeframe.total_seconds() / 60
            return f"fetch_recent_logs({clean(service, 100)}, {minutes:g} min)"
        case ListDeployments(environment):
            return f"list_recent_deployments({clean(environment, 100)})"


def metrics(found: MetricAnswer) -> str:
    """Return readings as JSON."""
    return _bounded(
        [
            {
                "labels": dict(one.labels),
                "points": [
                    [at.isoformat(timespec="seconds"), float(f"{value:.6g}")]
                    for at, value in one.points
                ],
            }
            for one in found.series
        ],
        more=found.more,
        newest=False,
    )


def logs(found: LogAnswer) -> str:
    """Return log lines as JSON, the newest where not all have room."""
    return _bounded(
        [
            {"at": one.at.isoformat(), "from": one.service, "where": one.where, "line": one.text}
            for one in found.lines
        ],
        more=found.more,
        newest=True,
    )


def deployments(found: DeploymentAnswer) -> str:
    """Return changes as JSON, the newest first."""
    return _bounded(
        [
            {
                "at": one.at.isoformat(),
                "service": one.service,
                "version": one.version,
                "kind": one.kind,
                "by": one.by,
                "summary": one.summary,
            }
            for one in found.deployments
        ],
        more=found.more,
        newest=False,
    )


def _bounded(rows: list[dict[str, Any]], *, more: bool, newest: bool) -> str:
    """Return as many rows as have room: the last ones of `newest`, else the first ones."""
    kept: list[str] = []
    room = LONGEST_ANSWER
    for row in reversed(rows) if newest else rows:
        text = json.dumps(row, ensure_ascii=True, sort_keys=True)
        if len(text) > room:
            more = True
            break
        kept.append(text)
        room -= len(text) + 1
    ordered = kept[::-1] if newest else kept
    return f'{{"rows":[{",".join(ordered)}],"more":{"true" if more else "false"}}}'


def _arguments(call: Call) -> Mapping[str, str]:
    names = list(_SCHEMAS[call.name]["properties"])
    try:
        given = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as cause:
        raise CallWrong(f"{call.name}: its arguments are no JSON") from cause
    if not isinstance(given, dict) or set(given) != set(names):
        raise CallWrong(f"{call.name}: expected an object with {', '.join(names)} and nothing else")
    for name in names:
        value = given[name]
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST[name]:
            raise CallWrong(f"{call.name}: {name} is no text of 1 to {_LONGEST[name]} characters")
        if clean(value, _LONGEST[name], lines=True) != value.strip():
            raise CallWrong(f"{call.name}: {name} has characters that nobody sees")
    return given


def _frame(text: str) -> timedelta:
    found = _FRAME.fullmatch(text)
    if found is None:
        raise CallWrong("fetch_recent_logs: expected a timeframe such as 30m or 2h")
    frame = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if frame > _LONGEST_FRAME:
        raise CallWrong("fetch_recent_logs: a timeframe is at most 24h")
    return frame
