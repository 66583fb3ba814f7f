"""How readings are measured against what was usual."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

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
