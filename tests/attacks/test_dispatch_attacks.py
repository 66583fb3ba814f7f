"""Who holds the whole control plane attacks a host: a real executor, and the seed's scheme beside.

The attacks are in dispatch_orders, dispatch_stops, dispatch_catalogues, dispatch_trust and
dispatch_limits; what the attacker can still do, and what honest orders do, in dispatch_remains.
Everything runs once, several hosts at a time; each test looks at what came of its scene.
"""

import pytest

from sentienguard.stages.execute import admission
from tests.attacks import dispatch_remains, dispatch_table, dispatch_weakened
from tests.attacks.dispatch_table import ALLOWED, ATTACKS, FIRST, Job

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SINGLE = [Job(attack, guards) for attack in ATTACKS for guards in attack.opens]
ALL_BUT_ONE = [
    Job(attack, guards - {kept})
    for attack in ATTACKS
    for guards in attack.opens
    if len(guards) > 1
    for kept in sorted(guards)
]
WITH_SEED = [one for one in (*ATTACKS, *ALLOWED) if one.seed is not None]


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """Begin what the chosen tests ask for, in their order."""
    made = dispatch_table.Runs(tmp_path_factory.mktemp("dispatch"))
    params = [getattr(item, "callspec", None) for item in request.session.items]
    wanted = [found.params["job"] for found in params if found and "job" in found.params]
    made.begin(job for job in wanted if isinstance(job, Job))
    yield made
    made.close()


@pytest.mark.parametrize("job", [Job(one) for one in ATTACKS], ids=str)
def test_an_attack_does_nothing_beyond_the_signed_limits(runs, job):
    assert runs.of(job).effects == job.attack.residual


@pytest.mark.parametrize("job", SINGLE, ids=str)
def test_without_its_guard_the_attack_gets_through(runs, job):
    assert runs.of(job).effects > job.attack.residual


@pytest.mark.parametrize("job", ALL_BUT_ONE, ids=str)
def test_one_guard_of_several_is_enough(runs, job):
    assert runs.of(job).effects == job.attack.residual


@pytest.mark.parametrize("job", [Job(one) for one in ALLOWED], ids=str)
def test_what_is_right_or_stated_to_remain_is_done(runs, job):
    assert runs.of(job).effects == job.attack.expected


@pytest.mark.parametrize("attack", WITH_SEED, ids=lambda attack: attack.key)
def test_the_scheme_of_the_seed_answers_as_it_was_built(runs, attack):
    assert runs.seed(attack) == attack.seed_expected


def test_the_scheme_of_the_seed_does_twelve_of_the_first_fifteen(runs):
    first = [attack for attack in ATTACKS if attack.key in FIRST]
    assert sum(bool(runs.seed(attack)) for attack in first) == 12
    assert len(first) == 15 < len(ATTACKS)


def test_each_check_and_each_guard_has_an_attack_that_needs_it_gone():
    named = {guard for attack in ATTACKS for guards in attack.opens for guard in guards}
    known = set(dispatch_table.guards())
    assert named <= known
    assert known - named == set(dispatch_table.REDUNDANT)


@pytest.mark.parametrize(
    "job",
    [
        Job(attack, frozenset({guard}))
        for guard in dispatch_table.REDUNDANT
        for attack in ATTACKS
        if attack.key == "values_outside"
    ],
    ids=str,
)
def test_without_a_redundant_check_the_attack_is_still_refused(runs, job):
    assert runs.of(job).effects == 0


def test_what_a_guard_is_called_is_a_guard():
    assert not {check.name for check in admission.TABLE} & set(dispatch_weakened.GUARDS)
    with pytest.raises(KeyError):
        dispatch_weakened.take_out({"no_such_guard"})


def test_the_names_of_scenes_are_their_own():
    assert len({one.key for one in (*ATTACKS, *ALLOWED)}) == len(ATTACKS) + len(ALLOWED)
    assert {one.key for one in dispatch_remains.REMAINS}.isdisjoint(FIRST)


def test_the_published_tables_are_what_ran(runs):
    assert dispatch_table.published() == dispatch_table.tables(runs), (
        "run `python -m tests.attacks.dispatch_table --write`"
    )
