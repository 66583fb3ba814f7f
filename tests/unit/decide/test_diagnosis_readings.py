"""How readings are measured against what was usual."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import readings

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(NUMBERS, min_size=1, max_size=70), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
def test_a_quantile_is_the_one_of_numpy_to_the_last_bit(values, share):
    found = readings.quantile(np.sort(np.array(values, dtype=np.float64)), share)
    assert found == float(np.quantile(np.array(values, dtype=np.float64), share))


@given(st.lists(NUMBERS, min_size=1, max_size=70))
def test_the_middle_is_the_median(values):
    array = np.array(values, dtype=np.float64)
    assert readings.quantile(np.sort(array), 0.5) == float(np.median(array))


SYMPTOM = diagnosis.Symptom("a", diagnosis.MetricKind.LATENCY, 600_000)
CLOCKS = [tuple(range(0, 1_000_000, step)) for step in (500_000, 150_000, 30_000)]


def one_series(clock):
    return st.builds(
        diagnosis.MetricSeries,
        object=st.sampled_from("abc"),
        kind=st.sampled_from(diagnosis.MetricKind),
        name=st.sampled_from("xyz"),
        times_ms=st.just(clock),
        values=st.lists(
            st.sampled_from([0.0, 1.0, 40.0]) | st.floats(-1e6, 1e6),
            min_size=len(clock), max_size=len(clock),
        ).map(tuple),
    )  # fmt: skip


def moved(*series):
    return readings.movements(
        diagnosis.Snapshot(
            id="i", symptom=SYMPTOM, since_ms=0, until_ms=1_000_000, objects=(), edges=(),
            series=series,
        )
    )  # fmt: skip


@given(st.lists(st.sampled_from(CLOCKS).flatmap(one_series), max_size=8))
def test_a_series_is_measured_in_company_as_it_is_alone(series):
    alone = [one for single in series for one in moved(single)]
    together = moved(*series)
    assert sorted(map(repr, together)) == sorted(map(repr, alone))
    assert [one.deviations for one in together] == sorted(
        (one.deviations for one in alone), reverse=True
    )


@pytest.mark.parametrize(
    ("usual", "peak", "said"),
    [
        (0.8, 2_981_234.0, "0.8 to 2,981,000"),
        (0.0, 0.26, "0 to 0.26"),
        (20.0, 4000.0, "20 to 4,000"),
        (0.00012345, 1e300, "0.0001234 to 1e+300"),
    ],
)
def test_a_movement_is_told_in_figures_that_people_read(usual, peak, said):
    moved = readings.Movement("db", diagnosis.MetricKind.CPU, "x", usual, peak, 9.0, 1.0, None)
    assert moved.told() == f"x went from {said}"
