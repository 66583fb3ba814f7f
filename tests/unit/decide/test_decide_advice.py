"""What one opinion does to one decision."""

import pytest

from sentienguard.flow import policy_file
from sentienguard.model.advice import May, Opinion
from sentienguard.model.decision import Route
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import advice_world
from tests.support import decide_cases as cases

DISK = cases.evidence("system.disk_usage_percent", "/var")
ALIKE = advice_world.World(DISK, advice_world.ALIKE)
ALONE = advice_world.World(DISK, cases.LIBRARY)
FIRST = ALIKE.plain.playbook
OTHERS = [one.playbook for one in ALIKE.plain.candidates[1:]]


def heard(world, choice, may):
    return world.decide(Opinion("it grew", "because", choice), may)


def test_there_are_others_to_choose_from():
    assert "disk_archive" in OTHERS
    assert ALIKE.plain.route > Route.ESCALATE


@pytest.mark.parametrize("may", list(May))
def test_agreement_changes_nothing_but_is_said(may):
    made = heard(ALONE, ALONE.plain.playbook, may)
    assert made.verdicts[:-1] == ALONE.plain.verdicts
    assert made.verdicts[-1].reason == "the adviser names the same one"
    assert (made.route, made.parameters) == (ALONE.plain.route, ALONE.plain.parameters)


@pytest.mark.parametrize("choice", [None, "service_restart_hung", "rm -rf /"])
@pytest.mark.parametrize("may", [May.RESTRICT, May.CHOOSE])
def test_disagreement_asks_a_person(choice, may):
    assert ALONE.plain.route is Route.RUN
    made = heard(ALONE, choice, may)
    assert (made.route, made.playbook) == (Route.ASK, ALONE.plain.playbook)


@pytest.mark.parametrize("may", list(May))
def test_where_nothing_matches_an_opinion_is_kept_and_decides_nothing(may):
    world = advice_world.World(cases.evidence("made.up", "/var"), cases.LIBRARY)
    made = heard(world, "disk_archive", may)
    assert (made.playbook, made.route) == (None, Route.ESCALATE)
    assert made.opinion is not None
    assert made.verdicts == world.plain.verdicts


def test_what_is_asked_about_anyway_stays_as_strict_as_it_was():
    world = advice_world.World(DISK, cases.LIBRARY, trusted=cases.TrackRecord())
    assert world.plain.route is Route.DRY_RUN
    assert heard(world, None, May.RESTRICT).route is Route.DRY_RUN


def test_among_equals_it_may_name_the_one_that_is_meant():
    made = heard(ALIKE, "disk_archive", May.CHOOSE)
    assert made.playbook == "disk_archive"
    assert made.candidates[0].playbook == "disk_archive"
    assert made.route <= ALIKE.plain.route
    assert made.verdicts[-1].rule == "advice"
    assert made.verdicts[-1].route is ALIKE.plain.route


def test_it_names_nothing_among_equals_where_it_may_only_restrict():
    made = heard(ALIKE, "disk_archive", May.RESTRICT)
    assert made.playbook == FIRST
    assert made.route <= Route.ASK


def test_one_that_is_not_permitted_is_not_put_first():
    assert "disk_other_host" in OTHERS  # its author excludes this host
    made = heard(ALIKE, "disk_other_host", May.CHOOSE)
    assert made.playbook == FIRST
    assert made.route is Route.ASK.meet(ALIKE.plain.route)


def test_the_policy_of_a_replay_may_say_what_an_opinion_may_do():
    base = DecideSettings()
    assert base.advice_may is May.SHOWN
    found = policy_file.apply({"advice": {"advice_may": "restrict"}}, base)
    assert found.advice_may is May.RESTRICT
    for wrong in ("decide", "", 1, ["shown"], None):
        with pytest.raises(policy_file.PolicyWrong, match="shown, restrict, choose"):
            policy_file.apply({"advice": {"advice_may": wrong}}, base)
