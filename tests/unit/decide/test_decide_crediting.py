"""A recovery counts for a remedy only where peers and history do not explain it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import ids
from sentienguard.model.spell import Spell
from sentienguard.model.target import TargetKind, kind
from sentienguard.stages.decide import crediting
from sentienguard.stages.decide.crediting import Recovery
from tests.support.decide_cases import NOW

WEB = TargetKind("web/service/nginx")


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def spell(name, start, end, **more):
    """Say that host `name` had the symptom from `start` to `end`, in seconds."""
    given_spell = {
        "incident": ids.IncidentId(f"inc_{name}_{start}"),
        "agent": ids.AgentId(name),
        "fingerprint": ids.Fingerprint(f"of-{name}"),
        "metric": "service.up",
        "subject": "nginx",
        "kind": WEB,
        "started_at": at(start),
        "ended_at": None if end is None else at(end),
    }
    return Spell(**(given_spell | more))


OURS = Recovery(spell("web-1", 0, None, remedied_at=at(60)), at(60), at(120))


@pytest.mark.parametrize(
    ("peers", "counts"),
    [
        ([], True),
        ([spell("web-2", 0, 120)], False),  # the other one recovered with it, untouched
        ([spell("web-2", 0, 235)], False),  # a moment later
        ([spell("web-2", 0, 241)], True),  # too late to be the same
        ([spell("web-2", 0, None)], True),  # it stands: that speaks for the remedy
        ([spell("web-2", 0, 59)], True),  # gone before the remedy set out
        ([spell("web-2", 61, 120)], True),  # began afterwards
        ([spell("web-2", 0, 120, remedied_at=at(70))], True),  # had a remedy of its own
        ([spell("web-2", 0, 120, people_at=at(70))], False),  # people may have cured the cause
        ([spell("web-2", 0, 120, subject="php")], True),  # another symptom
        ([spell("web-2", 0, 120, kind=TargetKind("db/service/nginx"))], True),  # another kind
        ([spell("web-2", 0, 120), spell("web-3", 0, None)], False),  # one of two
        ([spell("web-2", 0, 120), spell("web-3", 0, None), spell("web-4", 0, None)], True),
        ([spell("web-1", 0, 120)], True),  # it is no peer of its own
    ],
)
def test_untouched_peers_that_recover_with_it_explain_it(peers, counts):
    found = crediting.judge(OURS, peers, [])
    assert found.counts is counts
    assert found.because


def history(*lengths, **more):
    return [
        spell("web-1", -10_000 - 1000 * n, -10_000 - 1000 * n + length, **more)
        for n, length in enumerate(lengths)
    ]


def cut(*lengths, by="remedied_at"):
    """Say that a spell was cut short after so many seconds, and ended 5 s later."""
    return [
        spell("web-1", -50_000 - 1000 * n, -50_000 - 1000 * n + length + 5,
              **{by: at(-50_000 - 1000 * n + length)})
        for n, length in enumerate(lengths)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "counts", "alone"),
    [
        (history(90, 100), True, 1.0),  # two are an anecdote
        (history(90, 100, 110), False, 1.0),
        (history(90, 100, 900, 900), False, 0.5),
        (history(90, 900, 900, 900), True, 0.25),
        (history(30, 30, 30, 30, 900), True, 0.0),  # had not lasted as long as this one had
        (history(900, 900, 900), True, 0.0),
        (cut(61, 61, 61), True, 0.0),  # a remedy ended them: nothing is known beyond
        (cut(61, 61, 61, by="people_at"), True, 0.0),
        # Cut ones are no longer at risk: of the four left at 100 s, two are gone, at 110 s one more
        ([*history(100, 110, 900), *cut(70, 80, 90)], False, 2 / 3),
        ([spell("web-2", -100, 0)] * 5, True, None),  # of another place
    ],
)
def test_a_symptom_that_usually_goes_by_itself_proves_nothing(before, counts, alone):
    found = crediting.judge(OURS, [], before)
    assert found.counts is counts
    assert found.alone == (None if alone is None else pytest.approx(alone))


def test_of_services_each_is_its_own_kind_and_volumes_are_alike():
    assert kind("service.up", "nginx-2", {"role": "web"}) == kind(
        "service.healthy", "nginx", {"role": "web"}
    )
    assert kind("service.up", "nginx", {}) != kind("service.up", "postgresql", {})
    assert kind("service.up", "nginx", {"role": "web"}) != kind("service.up", "nginx", {})
    assert kind("system.disk_usage_percent", "/", {}) == kind(
        "system.disk_usage_percent", "/var", {}
    )
    assert kind("service.up", "7", {}) == "/service/7"


SPELLS = st.lists(
    st.builds(
        lambda host, start, length, remedied: spell(
            f"web-{host}", start, start + length, remedied_at=remedied and at(start + length // 2)
        ),
        st.integers(1, 4),
        st.integers(-5000, 100),
        st.integers(1, 5000),
        st.one_of(st.none(), st.just(value=True)),
    ),
    max_size=12,
)


@given(SPELLS, st.randoms())
def test_the_order_of_what_is_known_is_nothing(spells, chance):
    mixed = list(spells)
    chance.shuffle(mixed)
    assert crediting.judge(OURS, mixed, mixed) == crediting.judge(OURS, spells, spells)


@given(SPELLS)
def test_a_peer_that_recovers_with_it_never_earns_a_credit(spells):
    before = crediting.judge(OURS, spells, spells)
    after = crediting.judge(OURS, [*spells, spell("web-9", 0, 110)], spells)
    assert before.counts or not after.counts


@given(SPELLS)
def test_every_share_is_a_share(spells):
    found = crediting.judge(OURS, spells, spells)
    assert found.alone is None or 0 <= found.alone <= 1
    assert 0 <= found.peers_recovered <= found.peers
