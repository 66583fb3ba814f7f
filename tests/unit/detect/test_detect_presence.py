"""The dead-man's switch: who is missed, when, and together with whom."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.model.ids import AgentId, IncidentId
from sentienguard.stages.detect import presence
from sentienguard.stages.detect.presence import Heard, Presence, Story

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)


def heard(name="web-1", number=7, *, at=NOW, enrolled_at=LONG_AGO, environment="production"):
    agent = AgentId(f"agent of {name}")
    return Heard(agent, name, environment, number, at, enrolled_at)


class Listening:
    """Looks every five seconds, at what is said at each."""

    def __init__(self, least_s=120.0, interval_s=30.0):
        self.presence, self.interval_s, self.now_s = Presence(least_s), interval_s, 1000.0

    def look(self, *agents, after_s=5.0):
        self.now_s += after_s
        found = self.presence.look(self.now_s, agents, lambda _: self.interval_s)
        return [(one.heard.host, one.due) for one in found]

    def until_silent(self, *agents):
        for looks in range(1, 100):
            if found := self.look(*agents):
                return looks * 5 - 5, found
        return None


def test_a_host_is_silent_after_four_of_its_intervals_and_told_of_a_quarter_later():
    listening = Listening()
    assert listening.until_silent(heard()) == (120, [("web-1", False)])
    assert [listening.look(heard()) for _ in range(6)][-2:] == [
        [("web-1", False)], [("web-1", True)],
    ]  # fmt: skip


@pytest.mark.parametrize(("interval_s", "patience_s"), [(1, 120), (30, 120), (60, 240), (90, 360)])
def test_patience_is_that_of_the_hosts_own_interval(interval_s, patience_s):
    assert Listening(interval_s=interval_s).until_silent(heard())[0] == patience_s


def test_each_sample_starts_patience_again():
    listening = Listening()
    assert not any(listening.look(heard(number=1 + look // 20)) for look in range(200))


def test_no_clock_of_a_host_or_of_ours_makes_a_host_silent():
    listening = Listening()
    for look in range(100):
        at = NOW + timedelta(days=365 * (-1) ** look)
        assert listening.look(heard(number=look + 1, at=at)) == []
    listening.look(heard(number=200, at=NOW + timedelta(days=400)))
    assert listening.until_silent(heard(number=200, at=NOW + timedelta(days=400)))[0] == 115


@pytest.mark.parametrize("pause_s", [15.1, 3600.0, -50.0])
def test_after_a_pause_of_ours_everybody_is_listened_for_anew(pause_s):
    listening = Listening()
    for _ in range(20):
        listening.look(heard())
    assert listening.look(heard(), after_s=pause_s) == []
    assert listening.until_silent(heard())[0] == 115


def test_what_we_could_not_hear_is_nobodys_silence():
    listening = Listening()
    for _ in range(24):
        assert listening.look(heard()) == []
    listening.presence.forget()
    assert listening.until_silent(heard())[0] == 120


def test_a_host_that_never_spoke_is_not_missed():
    assert Listening().until_silent(heard(number=0, at=None)) is None


AGAIN = heard("web-1", 3, at=NOW, enrolled_at=NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("older", "counts"),
    [
        (NOW - timedelta(hours=2), False),  # it enrolled again after that
        (NOW - timedelta(minutes=1), True),  # two hosts of one name: both are there
    ],
)
def test_an_agent_that_was_replaced_does_not_count(older, counts):
    first = heard("web-1", at=older)
    second = presence.Heard(AgentId("another"), *_rest(AGAIN))
    assert presence.counted([first, second]) == ((first, second) if counts else (second,))


def test_an_agent_that_only_enrolled_replaces_nobody():
    first, waiting = heard("web-1", at=LONG_AGO), heard("web-1", 0, at=None, enrolled_at=NOW)
    assert presence.counted([first, waiting]) == (first,)


def _rest(one):
    return one.host, one.environment, one.number, one.at, one.enrolled_at


def silent(name, *, due=True, environment="production", at=NOW):
    return presence.Silent(heard(name, environment=environment, at=at), 150.0, due)


@pytest.mark.parametrize(
    ("those", "told"),
    [
        ([], []),
        ([silent("a", due=False)], []),
        ([silent("a"), silent("b", due=False)], [["a"]]),
        ([silent("a"), silent("b")], [["a"], ["b"]]),
        ([silent("a"), silent("b", due=False), silent("c", due=False)], [["a", "b", "c"]]),
        ([silent(one, due=False) for one in "abcd"], []),
        (
            [silent("a"), silent("b"), silent("c", environment="drill")],
            [["c"], ["a"], ["b"]],
        ),
    ],
    ids=["none", "too early", "one", "two by chance", "three together", "gathering", "elsewhere"],
)
def test_hosts_that_fell_silent_together_are_one_story(those, told):
    found = presence.to_tell(those)
    assert [[one.heard.host for one in story] for story in found] == told


def story(*names, hosts=None):
    missing = {heard(name).agent: 7 for name in names}
    return Story(IncidentId("inc"), heard(names[0]).agent, NOW, missing, hosts or len(names))


def test_a_story_ends_when_its_last_host_was_heard_again_or_replaced():
    told, agents = story("a", "b", "c"), {heard(name).agent: heard(name) for name in "abc"}
    assert presence.goes_on(told, agents) == told
    agents[heard("a").agent] = heard("a", 8)
    del agents[heard("b").agent]
    left = presence.goes_on(told, agents)
    assert list(left.missing) == [heard("c").agent]
    agents[heard("c").agent] = heard("c", 1)  # a new spool numbers from the start
    assert not presence.goes_on(left, agents).missing


@pytest.mark.parametrize(
    ("those", "late", "joins"),
    [
        ("abc", silent("d", at=NOW - timedelta(minutes=5)), True),
        ("abc", silent("d", at=NOW + timedelta(seconds=1)), False),
        ("abc", silent("d", at=LONG_AGO, environment="drill"), False),
        ("a", silent("d", at=NOW - timedelta(minutes=5)), False),
    ],
    ids=["older than the story", "heard since", "elsewhere", "no story of many"],
)
def test_a_host_that_samples_rarely_joins_the_story_that_it_is_of(those, late, joins):
    told = presence.joined(story(*those), [late], "production")
    assert (late.heard.agent in told.missing) is joins
    assert told.hosts == len(those) + joins
