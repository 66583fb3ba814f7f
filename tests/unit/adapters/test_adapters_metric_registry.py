"""What the metric store remembers of its series: found at once when new, gone when dropped."""

from sentienguard.adapters.metric_blocks.registry import Registry
from sentienguard.model.telemetry import Series

UP = "service.up"
FIRST, SECOND = Series("a", UP, "web"), Series("b", UP, "web")
OTHER = Series("a", "system.cpu_percent")


def test_the_same_list_is_found_until_there_is_another_series():
    known = Registry()
    known.remember({FIRST: 1}, {})
    found = known.find(UP)
    known.remember({OTHER: 2}, {})
    assert known.find(UP) is found
    known.remember({SECOND: 3}, {})
    assert known.find(UP) == (FIRST, SECOND)
    assert found == (FIRST,)


def test_what_was_dropped_is_found_no_more():
    known = Registry()
    known.remember({FIRST: 1, SECOND: 2, OTHER: 3}, {})
    assert known.find(UP) == (FIRST, SECOND)
    known.forget_series({1, 3})
    assert known.find(UP) == (SECOND,)
    assert known.find(OTHER.metric) == ()
    assert known.metrics() == (UP,)
    assert known.number(FIRST) is None
