"""How long a control plane that is back may go unnoticed; found by killing it again and again."""

import pytest

from sentienguard.agent import couriers, diary, sender, uplink

FAILURES = 20  # in a row: a control plane that was away for long
PROMISE_S = 5.0  # from its return to the next accepted sample, and to the next poll for orders


@pytest.mark.parametrize(
    ("interval_s", "most_s"), [(0.25, 2.0), (4.0, 4.0), (30.0, 30.0), (3600.0, 60.0)]
)
def test_who_samples_often_tries_often(interval_s: float, most_s: float) -> None:
    address = uplink.Address("127.0.0.1", 1, ())
    link = uplink.Uplink(address, uplink.client_context(None))
    made = sender.Sender(None, link, diary.Diary("test"), most_pause_s=interval_s)
    pauses = [made._backoff.failed() for _ in range(FAILURES)]
    assert most_s / 2 <= max(pauses) <= most_s


def test_couriers_notice_within_the_promise() -> None:
    assert couriers.MOST_PAUSE_S < PROMISE_S
