"""Levels that are bad whatever the history says, and where they count as over."""

import pytest

from sentienguard.stages.detect import kinds, limits


@pytest.mark.parametrize(
    ("metric", "fine", "bad", "standing", "over"),
    [
        ("database.longest_lock_wait_s", 44, 45, 6, 5),
        ("database.longest_idle_in_transaction_s", 659, 660, 61, 60),
        ("certificate.days_left", 7.1, 7, 13.9, 14),
        ("service.up", 1, 0, 0, 1),
        ("system.disk_usage_percent", 94.9, 95, 90.1, 90),
    ],
)
def test_a_limit_is_broken_at_its_level_and_over_at_another(metric, fine, bad, standing, over):
    limit = limits.LIMITS[metric]
    assert [limit.broken(value) for value in (fine, bad)] == [False, True]
    assert [limit.over(value) for value in (standing, over)] == [False, True]


def test_waiting_for_a_lock_is_judged_by_its_limit_alone():
    assert not kinds.kind_of("database.longest_lock_wait_s").by_baseline
