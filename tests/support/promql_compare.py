"""Ask our evaluator and a Prometheus the same, and say where the answers differ."""

import json
import math
from dataclasses import dataclass
from typing import Any

import httpx

from sentienguard.model import errors
from sentienguard.stages.observe.promql import answer, evaluate, parse
from sentienguard.stages.observe.promql.source import Limits, Query
from sentienguard.stages.observe.promql.tree import Range, Subquery

RELATIVE = 1e-9
NOTHING = 1e-13  # below it a sum of things that cancel out is zero
REFUSED = "refused"


@dataclass(frozen=True)
class Moments:
    """When a query is asked; a step of 0 is an instant query at the end."""

    start_ms: int
    end_ms: int
    step_ms: int = 0


def ours(text, source, when):
    """Return our data, or REFUSED."""
    query = Query(when.start_ms, when.end_ms, when.step_ms, Limits(), lambda: True)
    try:
        node = parse.parse(text)
        if when.step_ms == 0 and isinstance(node, Range | Subquery):
            return answer.readings(evaluate.readings(node, source, query))
        value = evaluate.evaluate(node, source, query)
        if when.step_ms == 0:
            return answer.instant(value, when.end_ms)
        return answer.ranged(value, evaluate.steps_of(query), 10_000_000)
    except errors.Rejected:
        return REFUSED


def theirs(text, client: httpx.Client, when):
    """Return Prometheus's data, or REFUSED."""
    if when.step_ms == 0:
        path, asked = "query", {"time": when.end_ms / 1000}
    else:
        spans = {"start": when.start_ms, "end": when.end_ms, "step": when.step_ms}
        path, asked = "query_range", {name: at / 1000 for name, at in spans.items()}
    body = client.post(f"/api/v1/{path}", data={"query": text, **asked}).json()
    return body["data"] if body["status"] == "success" else REFUSED


def difference(text: str, left: Any, right: Any) -> str | None:
    """Say how two answers differ; None where they do not."""
    if REFUSED in (left, right):
        return None if left == right else f"ours {_short(left)}, theirs {_short(right)}"
    kind = left["resultType"]
    if kind != right["resultType"]:
        return f"ours is a {kind}, theirs a {right['resultType']}"
    if kind in {"scalar", "string"}:
        same = left["result"] == right["result"] or _close(left["result"][1], right["result"][1])
        return None if same else f"ours {left['result']}, theirs {right['result']}"
    if kind == "vector" and text.startswith(("sort", "topk", "bottomk")) and " by" not in text:
        mine, other = ([one["value"][1] for one in each["result"]] for each in (left, right))
        if not text.startswith("sort(topk") and list(map(str, mine)) != list(map(str, other)):
            return f"order: ours {mine}, theirs {other}"
    return _rows(_by_labels(left), _by_labels(right))


def _rows(left, right):
    if left.keys() != right.keys():
        return (
            f"only ours {sorted(left.keys() - right.keys())[:3]}, "
            f"only theirs {sorted(right.keys() - left.keys())[:3]}"
        )
    for labels, mine in left.items():
        other = right[labels]
        if [at for at, _ in mine] != [at for at, _ in other]:
            moments = {at for at, _ in mine} ^ {at for at, _ in other}
            return f"{labels}: values at {sorted(moments)[:3]} on one side only"
        for (at, one), (_, two) in zip(mine, other, strict=True):
            if not _close(one, two):
                return f"{labels} at {at}: ours {one}, theirs {two}"
    return None


def _by_labels(data):
    return {
        json.dumps(one["metric"], sort_keys=True): one.get("values") or [one["value"]]
        for one in data["result"]
    }


def _close(one, two):
    one, two = float(one), float(two)
    if math.isnan(one) or math.isnan(two):
        return math.isnan(one) and math.isnan(two)
    if one == two:
        return True
    return abs(one - two) <= max(RELATIVE * max(abs(one), abs(two)), NOTHING)


def _short(data):
    return data if isinstance(data, str) else json.dumps(data)[:200]
