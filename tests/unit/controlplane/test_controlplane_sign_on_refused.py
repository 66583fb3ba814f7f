"""What is recorded of logins that failed: each that says something, and a bounded number of them.

Who has no login can send a browser back as often as they like; the log is kept for years.
"""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sentienguard.controlplane import single_sign_on
from sentienguard.controlplane.counters import Counters
from sentienguard.controlplane.refusals import MOST_RECORDED, Refusals
from sentienguard.controlplane.single_sign_on import NotLoggedIn

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class World:
    """A centre that keeps what is recorded, and a way in."""

    def __init__(self) -> None:
        self.now = NOW
        self.met: list[str] = []
        self.recorded: list[dict[str, Any]] = []
        self.centre: Any = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: self.now),
            counters=Counters(),
            refusals=Refusals(),
            audit=SimpleNamespace(append=lambda **entry: self.recorded.append(entry)),
            people=SimpleNamespace(meet=self.met.append, known=dict),
        )

    def refuse(self, code: str = "began-elsewhere", name: str = "") -> None:
        cause = NotLoggedIn(code, "the answer belongs to another login", name)
        single_sign_on.refused(self.centre, cause, "192.0.2.7")


def test_a_flood_of_answers_that_nobody_asked_for_does_not_fill_the_log() -> None:
    world = World()
    for _ in range(5000):
        world.refuse()
    assert len(world.recorded) == MOST_RECORDED
    assert world.centre.counters.get("access_denied_total", "single_sign_on") == 5000


def test_what_was_left_out_is_said_with_the_next_one() -> None:
    world = World()
    for _ in range(MOST_RECORDED + 7):
        world.refuse()
    world.now += timedelta(minutes=1)
    world.refuse()
    assert world.recorded[-1]["data"]["left_out"] == 7
    world.refuse()
    assert "left_out" not in world.recorded[-1]["data"]


def test_who_proved_who_they_are_is_recorded_whatever_came_before() -> None:
    world = World()
    for _ in range(MOST_RECORDED):
        world.refuse()
    world.refuse("no-role", "ann@example.org")
    assert world.recorded[-1]["actor"] == "ann@example.org"
    assert world.met == ["ann@example.org"]  # so the log has a pseudonym for her


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    world = World()
    for _ in range(MOST_RECORDED):
        world.refuse()
    world.now -= timedelta(days=365)
    world.refuse()
    assert len(world.recorded) == MOST_RECORDED + 1
