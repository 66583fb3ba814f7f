"""A value as Prometheus's HTTP API writes it: JSON-ready data of one query."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sentienguard.ports.metric_store import Readings
from sentienguard.stages.observe.promql.faults import QueryTooLarge, QueryWrong
from sentienguard.stages.observe.promql.numbers import written
from sentienguard.stages.observe.promql.values import Ints, Labels, Scalar, Value, Vector, Word


def instant(value: Value, step_ms: int) -> dict[str, Any]:
    """Return the data of an instant query."""
    at = seconds(step_ms)
    match value:
        case Scalar():
            return {"resultType": "scalar", "result": [at, written(float(value.values[0]))]}
        case Word():
            return {"resultType": "string", "result": [at, value.text]}
        case Vector():
            rows = zip(
                value.labels, value.values[:, 0].tolist(), value.there[:, 0].tolist(), strict=True
            )
            result = [
                {"metric": dict(labels), "value": [at, written(number)]}
                for labels, number, there in rows
                if there
            ]
            return {"resultType": "vector", "result": result}


def readings(found: Sequence[tuple[Labels, Readings]]) -> dict[str, Any]:
    """Return the data of an instant query for a range."""
    return _matrix(
        [
            _row(dict(labels), [seconds(at) for at in one.times_ms.tolist()], one.values.tolist())
            for labels, one in sorted(found, key=lambda pair: pair[0])
        ]
    )


def ranged(value: Value, steps: Ints, most: int) -> dict[str, Any]:
    """Return the data of a range query.

    Raises QueryWrong for what has no value at each step, QueryTooLarge for more than `most` points.
    """
    times = [seconds(one) for one in steps.tolist()]
    if isinstance(value, Word):
        raise QueryWrong(
            'invalid parameter "query": invalid expression type "string" for range query, must '
            "be Scalar or instant Vector"
        )
    if isinstance(value, Scalar):
        return _matrix([_row({}, times, value.values.tolist())])
    points = int(value.there.sum())
    if points > most:
        raise QueryTooLarge(
            f"the answer would have {points} points: at most {most}; aggregate, or ask for less "
            "time or a longer step"
        )
    order = sorted(range(len(value)), key=lambda row: value.labels[row])
    at = np.array(times, dtype=object)
    return _matrix(
        [
            _row(
                dict(value.labels[row]),
                at[value.there[row]].tolist(),
                value.values[row][value.there[row]].tolist(),
            )
            for row in order
        ]
    )


def _row(metric: dict[str, str], times: Sequence[float], values: Sequence[float]) -> dict[str, Any]:
    pairs = [[at, written(one)] for at, one in zip(times, values, strict=True)]
    return {"metric": metric, "values": pairs}


def _matrix(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resultType": "matrix", "result": rows}


def seconds(at_ms: int) -> float | int:
    """Return a time in seconds, whole where it is whole."""
    return at_ms // 1000 if at_ms % 1000 == 0 else at_ms / 1000
