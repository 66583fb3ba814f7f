"""What somebody is told whose second factor is too old: show it again, or log in again."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sentienguard.controlplane.api.caller import Caller
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model.access import User

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)


def caller(*, minutes_ago: int | None, factors: int, outside: bool) -> Caller:
    strong_at = None if minutes_ago is None else NOW - timedelta(minutes=minutes_ago)
    centre: Any = SimpleNamespace(
        settings=SimpleNamespace(step_up_minutes=5),
        factors=SimpleNamespace(of=lambda _: [object()] * factors),
        users=SimpleNamespace(is_outside=lambda _: outside),
    )
    login: Any = SimpleNamespace(strong_at=strong_at)
    return Caller(User("ann", {}), "192.0.2.1", centre, NOW, login)


@pytest.mark.parametrize(
    ("minutes_ago", "factors", "outside", "kind", "says"),
    [
        (None, 0, False, "", ""),  # has none, and nobody asks for one
        (5, 1, False, "", ""),
        (5, 0, True, "", ""),  # the provider's, minutes ago
        (None, 1, False, "step-up", "show your second factor again"),
        (6, 1, False, "step-up", "show your second factor again"),
        (6, 1, True, "step-up", "show your second factor again"),
        (6, 0, True, "login-again", "more than 5 minutes ago: log in again there"),
        (6, 0, False, "login-again", "no second factor any more; log in again"),
    ],
)
def test_whoever_cannot_show_one_here_is_told_where(
    minutes_ago: int | None, factors: int, outside: bool, kind: str, says: str
) -> None:
    asks = caller(minutes_ago=minutes_ago, factors=factors, outside=outside)
    if not kind:
        asks.require_fresh()
        return
    with pytest.raises(ProblemError) as refused:
        asks.require_fresh()
    assert (refused.value.status, refused.value.kind) == (403, kind)
    assert says in refused.value.detail
