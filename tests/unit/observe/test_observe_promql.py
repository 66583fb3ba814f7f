"""PromQL without a server: what is refused, what is bounded, how numbers are written.

That answers are Prometheus's is shown beside a real one in tests/integration/promql.
"""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import errors
from sentienguard.ports.metric_store import Aspect, Readings
from sentienguard.stages.observe.promql import (
    answer,
    evaluate,
    faults,
    numbers,
    parse,
    regex,
    spans,
)
from sentienguard.stages.observe.promql.source import Found, Limits, Query
from sentienguard.stages.observe.promql.spans import STALE_BITS
from sentienguard.stages.observe.promql.tree import Range

STEP = 15_000


class Source:
    """Three series of forty readings, and whatever readings are given instead."""

    def __init__(self, readings=None):
        times = np.arange(40, dtype=np.int64) * STEP
        self.readings = readings or Readings(times, np.arange(40, dtype=np.float64))
        self.asked = []

    def select(self, matchers, most):
        return [Found((("__name__", "m"), ("n", str(number))), number) for number in range(3)]

    def read(self, series, first_ms, last_ms, aspect):
        self.asked.append((len(series), first_ms, last_ms, aspect))
        return [self.readings for _ in series]


def query(start=600_000, end=600_000, step=0, in_time=lambda: True, **limits):
    return Query(start, end, step, Limits(**limits), in_time)


def value(text, source=None, asked=None):
    return evaluate.evaluate(parse.parse(text), source or Source(), asked or query())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("holt_winters(m[5m], 0.5, 0.5)", "docs/reference/promql.md"),
        ("mad_over_time(m[5m])", "function mad_over_time() is not in our subset"),
        ("limitk(2, m)", "aggregation limitk() is not in our subset"),
        ("sort_by_label(m, 'a')", "sort_by_label() is not"),
        ('m{a="1" or b="2"}', "`or` between matchers"),
        ("m{", "invalid parameter"),
        ("", "invalid parameter"),
        ("m" * 10_001, "at most 10000"),
        ("1" + "+1" * 300, "more than 250"),
        ("-" * 5000 + "m", "more than 250"),
        ("m{a=~'(x+x+)+y'}", "must not repeat a repetition"),
    ],
)
def test_what_is_not_in_the_subset_is_refused_by_name(text, says):
    with pytest.raises(faults.QueryWrong) as refused:
        parse.parse(text)
    assert says in str(refused.value)


def test_operators_in_strings_do_not_count_as_depth():
    parse.parse('m{a="' + "(-" * 400 + '"}')


@pytest.mark.property
@given(st.text("mn(){}[]=~!\"'+-*/^%<>.,:@0123456789 sumrateby\\`\n", max_size=60))
def test_any_text_is_a_query_or_refused(text):
    try:
        node = parse.parse(text)
    except faults.QueryWrong:
        return
    try:
        evaluate.evaluate(node, Source(), query())
    except errors.Rejected:
        return


def test_the_deepest_query_that_is_taken_is_answered():
    half = parse.MAX_DEPTH // 2
    assert value("(" * half + "1" + ")" * half).values.tolist() == [1.0]
    assert value("1" + "+1" * parse.MAX_DEPTH).values.tolist() == [parse.MAX_DEPTH + 1.0]
    assert value("-" * (parse.MAX_DEPTH - 1) + "vector(1)").values[0].tolist() == [-1.0]


@pytest.mark.parametrize(
    ("text", "asked", "says"),
    [
        ("m", query(0, 600_000, 1000, steps=600), "maximum resolution of 600"),
        ("m", query(0, 600_000, 1000, cells=1000), "more than 1000 points"),
        ("rate(m[5m])", query(readings=100), "more than 100 readings"),
        ("max_over_time(m[1h:1s])", query(cells=3000), "more than 3000 points"),
        ('count_values("v", m)', query(0, 600_000, 1000, cells=3 * 601), "more than 1803"),
        ("m[10m]", query(answer=50), "more than 50 points"),
    ],
)
def test_a_query_that_costs_too_much_is_refused_with_its_limit(text, asked, says):
    node = parse.parse(text)
    answered = evaluate.readings if isinstance(node, Range) else evaluate.evaluate
    with pytest.raises(faults.QueryTooLarge) as refused:
        answered(node, Source(), asked)
    assert says in str(refused.value)


def test_windows_that_overlap_many_times_are_given_up_in_time(monkeypatch):
    """One series, 2,000 windows of 2,000 readings each: the clock is looked at in between."""
    monkeypatch.setattr(spans, "_AT_ONCE", 100_000)
    times = np.arange(4_000, dtype=np.int64) * 1000
    source = Source(Readings(times, np.ones(4_000)))
    calls = []
    asked = query(2_000_000, 3_999_000, 1000, lambda: calls.append(1) or len(calls) < 8)
    with pytest.raises(faults.QueryTooSlow):
        value("stddev_over_time(m[2000s])", source, asked)
    assert len(calls) == 8


def test_a_query_whose_time_runs_out_ends():
    left = iter([True] * 3 + [False] * 10)
    with pytest.raises(faults.QueryTooSlow):
        value("m + m + m + m", asked=query(in_time=lambda: next(left)))


def test_an_answer_of_too_many_points_is_refused():
    asked = query(0, 600_000, 1000)
    found = value("m", asked=asked)
    with pytest.raises(faults.QueryTooLarge, match="at most 100"):
        answer.ranged(found, evaluate.steps_of(asked), 100)


@pytest.mark.parametrize(
    ("text", "aspect"),
    [
        ("m", Aspect.LAST),
        ("rate(m[5m])", Aspect.LAST),
        ("min_over_time(m[5m])", Aspect.LOWEST),
        ("max_over_time(m[5m])", Aspect.HIGHEST),
        ("sum_over_time(m[5m])", Aspect.SUM),
        ("avg_over_time(m[5m])", Aspect.SUM),
    ],
)
def test_old_readings_are_asked_for_what_the_function_needs(text, aspect):
    source = Source()
    value(text, source)
    assert {one[3] for one in source.asked} == {aspect}


def test_rows_that_stand_for_many_readings_count_as_many():
    times = np.array([100_000, 400_000, 600_000])
    rows = Readings(
        times, np.array([30.0, 60.0, 5.0]), np.array([10, 20, 1]), np.array([300_000, 300_000, 0])
    )
    for text, expected in {
        "count_over_time(m[10m])": 31.0,
        "avg_over_time(m[10m])": 95 / 31,
        "sum_over_time(m[10m])": 95.0,
    }.items():
        assert value(text, Source(rows)).values[:, 0].tolist() == pytest.approx([expected] * 3)


def test_the_last_of_a_wide_row_counts_until_the_next_can_have_ended():
    hour = 3_600_000
    rows = Readings(np.array([hour]), np.array([7.0]), np.array([60]), np.array([hour]))
    for ago, there in ((hour, True), (2 * hour, True), (2 * hour + 1, False)):
        found = value("m", Source(rows), query(hour + ago, hour + ago))
        assert bool(len(found)) is there


def test_a_mark_that_a_series_ended_ends_it():
    values = np.arange(40, dtype=np.float64)
    values.view(np.uint64)[39] = STALE_BITS
    source = Source(Readings(np.arange(40, dtype=np.int64) * STEP, values))
    assert value("count_over_time(m[10m])", source).values[0].tolist() == [39.0]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (0.1, "0.1"), (1e20, "100000000000000000000"),
        (1e21, "1e+21"), (1.5e300, "1.5e+300"), (1e-6, "0.000001"), (1.25e-7, "1.25e-07"),
        (5e-324, "5e-324"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"),
        (123456.789, "123456.789"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_go_writes_them(number, expected):
    assert numbers.written(number) == expected


@pytest.mark.property
@given(st.floats(allow_nan=False))
def test_a_written_number_reads_back_the_same(number):
    assert float(numbers.written(number)) == number
    assert float(numbers.plain(number)) == number


@pytest.mark.parametrize("text", ["a.*b", "(?:web|db)-[0-9]+", "x?y?z?", "a{2,3}b+", "", "(?i)A"])
def test_plain_regular_expressions_are_taken(text):
    assert regex.compiled(text)


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+",
        "(a|ab)*",
        "(a?){20}",
        "a*a*a*a*a*a*",
        "(?=a)b",
        r"(a)\1",
        "[[:alpha:]]",
        "a" * 3000,
        "a?" * 11,
        "(((a*)b)*)",
    ],
)
def test_regular_expressions_that_could_run_for_long_are_refused(text):
    with pytest.raises(faults.QueryWrong):
        regex.compiled(text)


def test_what_is_taken_ends_soon_on_the_worst_text():
    began = time.perf_counter()
    for text in ("a*a*a*a*a*b", "a?a?a?a?a?a?a?a?a?a?b", ".*a.*a.*a.*a.*b"):
        regex.compiled(text).fullmatch("a" * 60)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "text", ["NaN", "nan", "+NaN", "-nan", "inf", "-inf", "1e400", "1e300", "9223372036.9", "NaNs"]
)
def test_a_duration_that_is_no_length_of_time_is_refused(text):
    with pytest.raises(faults.QueryWrong, match="no"):
        parse.duration_ms(text)


def test_a_duration_is_seconds_or_has_a_unit():
    assert [parse.duration_ms(one) for one in ("90", "0.5", "5m")] == [90_000, 500, 300_000]
