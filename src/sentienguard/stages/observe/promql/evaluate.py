"""A tree to a value, node by node, over all steps at once."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from sentienguard.ports.metric_store import Aspect, Readings
from sentienguard.stages.observe.promql import (
    aggregate,
    binary,
    functions,
    histogram,
    labelling,
    over_time,
    rates,
    selecting,
    spans,
)
from sentienguard.stages.observe.promql.faults import QueryFailed, QueryTooLarge, QueryWrong
from sentienguard.stages.observe.promql.selecting import Reader
from sentienguard.stages.observe.promql.source import Query, Source
from sentienguard.stages.observe.promql.spans import Spans
from sentienguard.stages.observe.promql.tree import (
    Aggregation,
    Binary,
    Call,
    Matcher,
    Negative,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
)
from sentienguard.stages.observe.promql.values import (
    Bools,
    Floats,
    Ints,
    Labels,
    Scalar,
    Value,
    Vector,
    Word,
    empty,
    joined,
    relabelled,
    unnamed,
)


def steps_of(query: Query) -> Ints:
    """Return the moments of a query. Raises QueryTooLarge, QueryWrong."""
    if not query.step_ms:
        return np.array([query.end_ms], dtype=np.int64)
    if query.step_ms < 0 or query.end_ms < query.start_ms:
        raise QueryWrong("expected end not before start, and a step above zero")
    count = (query.end_ms - query.start_ms) // query.step_ms + 1
    if count > query.limits.steps:
        raise QueryTooLarge(
            f"exceeded maximum resolution of {query.limits.steps:,} points per timeseries. Try "
            "decreasing the query resolution (?step=XX)"
        )
    return query.start_ms + np.arange(count, dtype=np.int64) * query.step_ms


def evaluate(node: Node, source: Source, query: Query) -> Value:
    """Return the value of a query at each of its steps.

    Raises QueryWrong, QueryFailed, QueryTooLarge, QueryTooSlow, and what the source raises.
    """
    with np.errstate(all="ignore"):  # infinities and NaN are values here
        return Evaluator(Reader(source, query)).value(node, steps_of(query))


def readings(node: Range | Subquery, source: Source, query: Query) -> list[tuple[Labels, Readings]]:
    """Return the readings of a range at the end of an instant query, of series that have some."""
    steps = np.array([query.end_ms], dtype=np.int64)
    with np.errstate(all="ignore"):
        return Evaluator(Reader(source, query)).single(node, steps)


class Evaluator:
    """Evaluates the nodes of one query."""

    def __init__(self, reader: Reader) -> None:
        """Take who reads series for this query."""
        self._reader = reader

    def value(self, node: Node, steps: Ints) -> Value:  # noqa: PLR0911  one for each kind
        """Return the value of a node at each step."""
        self._reader.check_time()
        match node:
            case Number():
                return Scalar(np.full(len(steps), node.value))
            case Text():
                return Word(node.value)
            case Selector():
                return self._selected(node, steps)[0]
            case Call():
                return self._call(node, steps)
            case Negative():
                return self._negative(node, steps)
            case Aggregation():
                return self._aggregated(node, steps)
            case Binary():
                left, right = self.value(node.left, steps), self.value(node.right, steps)
                return binary.applied(node, left, right, self._reader.check_cells)
            case Range() | Subquery():
                raise QueryFailed("a range of readings has to be the argument of a function")

    def vector(self, node: Node, steps: Ints) -> Vector:
        """Return the value of a node that is an instant vector."""
        found = self.value(node, steps)
        if not isinstance(found, Vector):
            raise QueryFailed(f"expected an instant vector, found a {type(found).__name__.lower()}")
        return found

    def scalar(self, node: Node, steps: Ints) -> Floats:
        """Return the value of a node that is a scalar."""
        found = self.value(node, steps)
        if not isinstance(found, Scalar):
            raise QueryFailed(f"expected a scalar, found a {type(found).__name__.lower()}")
        return found.values

    def single(self, node: Range | Subquery, steps: Ints) -> list[tuple[Labels, Readings]]:
        """Return the readings of a range at the last of `steps`."""
        refs, span_ms, read = self._range(node, steps)
        begin = int(refs[-1]) - span_ms
        found = []
        for labels, one in read():
            first = int(one.times_ms.searchsorted(begin, "left"))
            last = int(one.times_ms.searchsorted(refs[-1], "right"))
            if last > first:
                found.append((labels, Readings(one.times_ms[first:last], one.values[first:last])))
        return found

    def _selected(self, node: Selector, steps: Ints) -> tuple[Vector, Floats]:
        refs = self._reader.refs(node.when, steps)
        if node.when.at is None:
            return selecting.newest(self._reader, node, refs)
        found, stamps = selecting.newest(self._reader, node, refs[:1])
        self._reader.check_cells(len(found), len(steps))
        return _repeated(found, len(steps)), np.repeat(stamps, len(steps), axis=1)

    def _negative(self, node: Negative, steps: Ints) -> Value:
        found = self.value(node.inner, steps)
        if isinstance(found, Scalar):
            return Scalar(-found.values)
        if isinstance(found, Vector):
            return _unnamed_whole(found, -found.values)
        raise QueryFailed("a sign stands before a scalar or an instant vector")

    def _aggregated(self, node: Aggregation, steps: Ints) -> Vector:
        group = aggregate.grouping(node.labels, leave_out=node.without)
        found = self.vector(node.inner, steps)
        if node.parameter is None:
            return aggregate.reduced(node.name, found, group)
        if isinstance(node.parameter, Text):
            label = node.parameter.value
            group = aggregate.grouping_values(label, node.labels, leave_out=node.without)
            return aggregate.count_values(label, found, group, self._reader.check_cells)
        wanted = self.scalar(node.parameter, steps)
        if node.name == "quantile":
            return aggregate.quantile(wanted, found, group)
        return aggregate.top(node.name, wanted, found, group)

    def _call(self, node: Call, steps: Ints) -> Value:
        name = node.name
        if name in over_time.FUNCTIONS or name in rates.FUNCTIONS:
            return self._of_range(node, steps)
        if name in functions.FUNCTIONS:
            found = self.vector(node.arguments[0], steps) if node.arguments else _now(steps)
            return relabelled(
                Vector(found.labels, functions.FUNCTIONS[name](found.values), found.there), unnamed
            )
        return _SPECIAL[name](self, node, steps)

    def _of_range(self, node: Call, steps: Ints) -> Vector:
        """Evaluate a function of a range."""
        ranges = [one for one in node.arguments if isinstance(one, Range | Subquery)]
        others = [one for one in node.arguments if not isinstance(one, Range | Subquery)]
        if len(ranges) != 1:
            raise QueryWrong(f"{node.name}() takes one range")
        wanted = self.scalar(others[0], steps) if others else np.zeros(len(steps))
        same = bool((wanted == wanted[:1]).all()) and node.name != "predict_linear"
        if len(steps) > 1 and same and self._pinned(ranges[0]):
            return _repeated(self._of_range(node, steps[:1]), len(steps))
        found = self._computed(node.name, ranges[0], steps, wanted)
        if node.name == "absent_over_time":
            return self._absent(ranges[0], found, steps)
        return found

    def _computed(self, name: str, node: Range | Subquery, steps: Ints, wanted: Floats) -> Vector:
        if name in rates.FUNCTIONS:
            least, function = rates.LEAST_READINGS, rates.FUNCTIONS[name]
            aspect = Aspect.LAST
        else:
            least, function = 1, over_time.FUNCTIONS[name].compute
            aspect = over_time.FUNCTIONS[name].aspect

        def compute(windows: Spans) -> tuple[Floats, Bools]:
            enough = windows.sizes >= least
            values = np.zeros(len(enough))
            arguments = np.tile(wanted, len(enough) // len(steps))[enough]
            if enough.any():
                values[enough] = function(windows.chosen(enough), arguments)
            return values, enough

        if isinstance(node, Range):
            when = (self._reader.refs(node.selector.when, steps), steps)
            series = self._reader.select(node.selector.matchers, len(steps))
            labels, values, there = selecting.over_range(
                self._reader, series, when, span_ms=node.span_ms, compute=compute, aspect=aspect
            )
        else:
            refs, span_ms, read = self._range(node, steps)
            pairs = read()
            self._reader.check_cells(len(pairs), len(steps))
            labels = [one for one, _ in pairs]
            values = np.zeros((len(pairs), len(steps)))
            there = np.zeros(values.shape, np.bool_)
            for row, (_, one) in enumerate(pairs):
                windows = spans.laid_out([one], (refs, steps), span_ms, self._reader.check_time)
                values[row], there[row] = compute(windows)
        if name == "last_over_time":
            return joined(labels, values, there, whole=True)
        return joined([unnamed(one) for one in labels], values, there, whole=True)

    def _range(
        self, node: Range | Subquery, steps: Ints
    ) -> tuple[Ints, int, Callable[[], list[tuple[Labels, Readings]]]]:
        """Return where a range looks, how far back, and what reads all of it."""
        if isinstance(node, Range):
            refs = self._reader.refs(node.selector.when, steps)
            return refs, node.span_ms, partial(self._read_range, node, refs)
        refs = self._reader.refs(node.when, steps)
        return refs, node.span_ms, partial(self._read_subquery, node, refs)

    def _read_range(self, node: Range, refs: Ints) -> list[tuple[Labels, Readings]]:
        found = self._reader.select(node.selector.matchers, len(refs))
        read: list[tuple[Labels, Readings]] = []
        most = self._reader.query.limits.answer
        for at, portion in self._reader.portions(found, refs, node.span_ms, Aspect.LAST):
            read += [(found[at + row].labels, one) for row, one in enumerate(portion)]
            if self._reader.loaded > most:
                raise QueryTooLarge(f"the answer would have more than {most} points: ask for less")
        return read

    def _read_subquery(self, node: Subquery, refs: Ints) -> list[tuple[Labels, Readings]]:
        step = node.step_ms or self._reader.query.default_step_ms
        first = -((node.span_ms - int(refs.min())) // step) * step  # first multiple in the span
        count = max((int(refs.max()) - first) // step + 1, 0)
        self._reader.check_cells(1, count)
        if not count:
            return []
        inner_steps = first + np.arange(count, dtype=np.int64) * step
        inner = self.vector(node.inner, inner_steps)
        self._reader.loaded += int(inner.there.sum())
        return [
            (labels, Readings(inner_steps[there], values[there]))
            for labels, values, there in zip(inner.labels, inner.values, inner.there, strict=True)
        ]

    def _pinned(self, node: Range | Subquery) -> bool:
        """Tell whether a range looks at one moment whatever the step."""
        return (node.selector.when if isinstance(node, Range) else node.when).at is not None

    def _absent(self, node: Range | Subquery, found: Vector, steps: Ints) -> Vector:
        labels = labelling.of_absent(node.selector.matchers if isinstance(node, Range) else ())
        return _absent_at(labels, found, steps)

    # What follows takes something else than one number to one number.

    def _scalar(self, node: Call, steps: Ints) -> Value:
        found = self.vector(node.arguments[0], steps)
        only_one = found.there.sum(axis=0) == 1
        values = np.where(found.there, found.values, 0.0).sum(axis=0)
        return Scalar(np.where(only_one, values, np.nan))

    def _vector(self, node: Call, steps: Ints) -> Value:
        values = self.scalar(node.arguments[0], steps)[None, :]
        return Vector(((),), values, np.ones(values.shape, np.bool_))

    def _time(self, _: Call, steps: Ints) -> Value:
        return Scalar(steps / 1000)

    def _pi(self, _: Call, steps: Ints) -> Value:
        return Scalar(np.full(len(steps), np.pi))

    def _timestamp(self, node: Call, steps: Ints) -> Value:
        inner = node.arguments[0]
        if isinstance(inner, Selector):
            found, stamps = self._selected(inner, steps)
            return relabelled(Vector(found.labels, stamps, found.there), unnamed)
        found = self.vector(inner, steps)
        values = np.broadcast_to(steps / 1000, found.values.shape)
        return relabelled(Vector(found.labels, values, found.there), unnamed)

    def _absent_now(self, node: Call, steps: Ints) -> Value:
        inner = node.arguments[0]
        matchers: tuple[Matcher, ...] = inner.matchers if isinstance(inner, Selector) else ()
        return _absent_at(labelling.of_absent(matchers), self.vector(inner, steps), steps)

    def _round(self, node: Call, steps: Ints) -> Value:
        found = self.vector(node.arguments[0], steps)
        to = np.ones(len(steps))
        if len(node.arguments) > 1:
            to = self.scalar(node.arguments[1], steps)
        return relabelled(
            Vector(found.labels, functions.rounded(found.values, to), found.there), unnamed
        )

    def _clamp(self, node: Call, steps: Ints) -> Value:
        found = self.vector(node.arguments[0], steps)
        bounds = [self.scalar(one, steps) for one in node.arguments[1:]]
        there = found.there
        if node.name == "clamp":
            values = functions.clamped(found.values, *bounds)
            there = there & ~(bounds[1] < bounds[0])
        elif node.name == "clamp_min":
            values = functions.larger(found.values, bounds[0])
        else:
            values = functions.smaller(found.values, bounds[0])
        return relabelled(Vector(found.labels, values, there), unnamed)

    def _replaced(self, node: Call, steps: Ints) -> Value:
        return relabelled(self.vector(node.arguments[0], steps), labelling.replacing(*_texts(node)))

    def _label_joined(self, node: Call, steps: Ints) -> Value:
        target, between, *sources = _texts(node)
        return relabelled(
            self.vector(node.arguments[0], steps), labelling.joining(target, between, sources)
        )

    def _histogram(self, node: Call, steps: Ints) -> Value:
        wanted = self.scalar(node.arguments[0], steps)
        return histogram.quantile(wanted, self.vector(node.arguments[1], steps))

    def _sorted(self, node: Call, steps: Ints) -> Value:
        """Order the series of an instant query; a range query has no order."""
        found = self.vector(node.arguments[0], steps)
        values = found.values[:, -1] if len(found) else np.zeros(0)
        keys = values if node.name == "sort" else -values
        order = np.lexsort((keys, np.isnan(keys)))
        labels = tuple(found.labels[row] for row in order)
        return Vector(labels, found.values[order], found.there[order])


_SPECIAL: Mapping[str, Callable[[Evaluator, Call, Ints], Value]] = {
    "absent": Evaluator._absent_now,  # noqa: SLF001  the table of the class above
    "clamp": Evaluator._clamp,  # noqa: SLF001
    "clamp_max": Evaluator._clamp,  # noqa: SLF001
    "clamp_min": Evaluator._clamp,  # noqa: SLF001
    "histogram_quantile": Evaluator._histogram,  # noqa: SLF001
    "label_join": Evaluator._label_joined,  # noqa: SLF001
    "label_replace": Evaluator._replaced,  # noqa: SLF001
    "pi": Evaluator._pi,  # noqa: SLF001
    "round": Evaluator._round,  # noqa: SLF001
    "scalar": Evaluator._scalar,  # noqa: SLF001
    "sort": Evaluator._sorted,  # noqa: SLF001
    "sort_desc": Evaluator._sorted,  # noqa: SLF001
    "time": Evaluator._time,  # noqa: SLF001
    "timestamp": Evaluator._timestamp,  # noqa: SLF001
    "vector": Evaluator._vector,  # noqa: SLF001
}


def _repeated(found: Vector, steps: int) -> Vector:
    """Return a vector of one step for many."""
    return Vector(
        found.labels,
        np.repeat(found.values, steps, axis=1),
        np.repeat(found.there, steps, axis=1),
    )


def _unnamed_whole(found: Vector, values: Floats) -> Vector:
    return joined([unnamed(one) for one in found.labels], values, found.there, whole=True)


def _now(steps: Ints) -> Vector:
    return Vector(((),), (steps / 1000)[None, :], np.ones((1, len(steps)), np.bool_))


def _absent_at(labels: Labels, found: Vector, steps: Ints) -> Vector:
    missing = ~np.asarray(found.there.any(axis=0), np.bool_)
    if not missing.any():
        return empty(len(steps))
    return Vector((labels,), np.ones((1, len(steps))), missing[None, :])


def _texts(node: Call) -> list[str]:
    """Return the arguments of a function that are strings; the first is a vector."""
    found = [one.value for one in node.arguments[1:] if isinstance(one, Text)]
    if len(found) != len(node.arguments) - 1:
        raise QueryWrong(f"{node.name}() takes a vector and then strings")
    return found
