"""What lies right beside each rule of admission: the last value that passes, the first that fails.

Every row came from a mutant of the rule that the attacks alone did not notice.
"""

import dataclasses
from datetime import timedelta

import pytest

from sentienguard.model import ids, order, playbook
from sentienguard.stages.execute import admission, checks, memory, parameters, steps
from tests.support import execution, pretend_host
from tests.unit.execute.test_execute_admission import REMEDY, World, approving, unapproved

NOW_MS = int(pretend_host.START.timestamp() * 1000)
LOWER, HIGHER = ids.Digest("sha256:" + "0" * 64), ids.Digest("sha256:" + "f" * 64)


def refused_by(world):
    refusal = admission.judge(world.case())
    return None if refusal is None else refusal.rule


def test_the_limits_are_those_that_the_documents_name():
    assert admission.HOST_PER_HOUR == 120
    assert admission.Newest() == admission.Newest(0, None)
    assert {
        "journal_works", "for_this_agent", "answers_a_ticket", "sequence_rises", "one_at_a_time"
    } == admission.TRANSIENT  # fmt: skip


def test_without_a_remedy_nothing_can_be_asked_of_it():
    world = World()
    world.changes |= {"remedy": None, "unread": "it is a draft"}
    with pytest.raises(ValueError, match="it is a draft"):
        _ = world.case().playbook
    assert admission.judge(world.case()) == admission.Refusal("reads", "it is a draft")


def test_parameters_are_checked_once_for_all_rules():
    case = World().case()
    assert case.bound is case.bound
    assert case.found == [case.bound]


def test_an_envelope_with_another_order_than_the_one_that_was_read_is_refused():
    world = World()
    case = world.case()
    other = dataclasses.replace(world.signed.order, facts={"severity": "info"})
    read = dataclasses.replace(world.signed, order=other)
    refusal = admission.judge(dataclasses.replace(case, signed=read))
    assert refusal.rule == "signed_by_dispatch"
    assert "another order" in refusal.reason


@pytest.mark.parametrize("agent", ["00000000-2222-4333-8444-555555555555", "f" * 8])
def test_an_order_for_any_other_agent_is_refused(agent):
    world = World()
    world.order(agent=ids.AgentId(agent))
    assert refused_by(world) == "for_this_agent"


@pytest.mark.parametrize("environment", ["a", "zzz", "drill2"])
def test_an_order_for_any_other_environment_is_refused(environment):
    world = World()
    world.order(environment=environment)
    assert refused_by(world) == "for_this_environment"


@pytest.mark.parametrize(
    ("mark", "rule"), [(-1, None), (0, "sequence_rises"), (9, "sequence_rises")]
)
def test_a_sequence_number_is_above_the_mark(mark, rule):
    world = World()
    world.changes["memory"] = memory.Memory(seq=world.signed.seq + mark)
    assert refused_by(world) == rule


@pytest.mark.parametrize("digest", [LOWER, HIGHER])
def test_a_catalogue_that_was_read_otherwise_than_signed_is_refused(digest):
    case = World().case()
    read = dataclasses.replace(case.catalogue, digest=digest)
    refusal = admission.judge(dataclasses.replace(case, catalogue=read))
    assert refusal.rule == "catalogue_signed"
    assert "not the one that was signed" in refusal.reason


@pytest.mark.parametrize(
    ("seen", "same_content", "rule"),
    [
        (3, False, None),
        (4, True, None),
        (4, False, "catalogue_newest"),
        (5, False, "catalogue_newest"),
        (5, True, "catalogue_newest"),
    ],
)
def test_a_catalogue_is_newer_or_the_one_that_was_seen(seen, same_content, rule):
    world = World()
    digest = world.case().catalogue.digest if same_content else LOWER
    world.changes["newest"] = admission.Newest(seen, digest)
    assert refused_by(world) == rule


@pytest.mark.parametrize(
    ("name", "version"),
    [("clean_up", "1.3.0"), ("clean_up", "1.1.0"), ("clean_ip", "1.2.0"), ("zz", "1.2.0")],
)
def test_the_catalogue_names_the_playbook_as_the_order_does(name, version):
    world = World()
    world.listed = [dataclasses.replace(world.listed[0], name=name, version=version)]
    assert refused_by(world) == "listed"
    world = World()
    changed = dataclasses.replace(REMEDY, name=ids.PlaybookName(name), version=version)
    world.changes["remedy"] = changed
    assert refused_by(world) == "reads"


@pytest.mark.parametrize("content", [b"a", b"b", b"c", b"d", b"e", b"f", b""])
def test_stored_bytes_are_those_that_the_order_names_whichever_digest_is_greater(content):
    world = World()
    world.changes["stored"] = content
    assert refused_by(world) == "stored_bytes"


def test_a_host_without_the_bytes_says_so():
    world = World()
    world.changes["stored"] = None
    assert refused_by(world) == "stored_bytes"


def odd_check(name="odd"):
    return playbook.Check(name, "no_such_kind", {}, timedelta(seconds=1))


def with_odd_undo(remedy):
    step = remedy.steps[0]
    undo = playbook.Undo(dataclasses.replace(step.action, kind="no_such_kind"), "")
    return dataclasses.replace(remedy, steps=(dataclasses.replace(step, undo=undo),))


def with_odd_step_check(remedy):
    step = dataclasses.replace(remedy.steps[0], verify=(odd_check(),))
    return dataclasses.replace(remedy, steps=(step,))


@pytest.mark.parametrize(
    "change",
    [
        with_odd_undo,
        with_odd_step_check,
        lambda remedy: dataclasses.replace(remedy, pre_checks=(odd_check(),)),
        lambda remedy: dataclasses.replace(remedy, verification=(odd_check(),)),
    ],
    ids=["undo", "check of a step", "pre-check", "verification"],
)
def test_a_kind_that_this_executor_has_not_is_refused_wherever_it_stands(change):
    world = World()
    world.changes["remedy"] = change(REMEDY)
    assert refused_by(world) == "kinds_known"


def test_kinds_of_steps_and_of_checks_are_no_substitute_for_each_other():
    kind = next(iter(set(steps.KINDS) - set(checks.KINDS)))
    world = World()
    check = dataclasses.replace(odd_check(), kind=kind)
    world.changes["remedy"] = dataclasses.replace(REMEDY, verification=(check,))
    assert refused_by(world) == "kinds_known"


def test_the_reason_of_a_refused_parameter_is_its_own():
    world = World()
    world.order(parameters={"mount": "/etc"})
    refusal = admission.judge(world.case())
    assert refusal.rule == "parameters"
    assert refusal.reason.startswith("mount is '/etc'")


def test_a_default_fills_what_the_order_leaves_open():
    world = World()
    declared = (
        *REMEDY.parameters,
        playbook.Parameter("days", playbook.ParamType.DURATION, default="7d"),
    )
    world.changes["remedy"] = dataclasses.replace(REMEDY, parameters=declared)
    assert refused_by(world) is None


def test_a_parameter_that_got_lost_on_the_way_refuses():
    world = World()
    world.changes |= {"remedy": dataclasses.replace(REMEDY, guard=None)}
    world.changes["found"] = [parameters.Bound({})]
    assert refused_by(world) == "parameters"


@pytest.mark.parametrize(
    ("starts", "rule"),
    [
        ([("clean_up", NOW_MS)] * 2, None),
        ([("clean_up", NOW_MS)] * 3, "within_budget"),
        ([("clean_up", NOW_MS)] * 4, "within_budget"),
        ([("clean_up", NOW_MS - 3_600_000)] * 9, None),
        ([("other", NOW_MS)] * 119, None),
        ([("other", NOW_MS)] * 120, "within_budget"),
        ([("other", NOW_MS)] * 121, "within_budget"),
    ],
)
def test_a_budget_ends_with_its_last_start_and_stays_spent(starts, rule):
    world = World()
    world.changes["memory"] = memory.Memory(starts=starts)
    assert refused_by(world) == rule


@pytest.mark.parametrize(
    ("approval_required", "idempotent", "dry_run", "rule"),
    [
        (False, True, False, None),
        (True, True, False, "approved"),
        (False, False, False, "approved"),
        (True, False, False, "approved"),
        (True, False, True, None),
    ],
)
def test_who_has_to_be_asked(approval_required, idempotent, dry_run, rule):
    world = World()
    unapproved(world)
    world.order(dry_run=dry_run)
    world.changes["remedy"] = dataclasses.replace(
        REMEDY, approval_required=approval_required, idempotent=idempotent
    )
    assert refused_by(world) == rule


def test_where_the_root_names_no_approvers_none_can_be_asked_for():
    world = World()
    world.changes["remedy"] = dataclasses.replace(REMEDY, idempotent=False)
    assert refused_by(world) is None


def test_a_playbook_without_a_guard_is_not_asked_for_one():
    world = World()
    world.pretend.measured.clear()
    world.changes["remedy"] = dataclasses.replace(REMEDY, guard=None)
    assert refused_by(world) is None


def test_an_exclusion_knows_no_upper_and_lower_case():
    for name, pattern in (("DB.frozen", "*.FROZEN"), ("db.FROZEN", "*.frozen")):
        world = World()
        world.pretend.name = name
        world.changes["remedy"] = dataclasses.replace(REMEDY, exclusions=("x", pattern))
        assert refused_by(world) == "not_excluded"


def test_an_order_of_the_same_id_is_refused_whatever_became_of_it():
    world = World()
    kept = memory.Memory(orders={world.signed.order.id: {"state": "refused"}})
    world.changes["memory"] = kept
    assert refused_by(world) == "order_never_seen"


def test_a_dry_run_for_a_handled_incident_is_admitted_and_a_real_run_is_not():
    key = memory.handled_key(execution.INCIDENT, REMEDY.name)
    for dry_run, rule in ((True, None), (False, "incident_not_handled")):
        world = World()
        world.order(dry_run=dry_run)
        world.changes["memory"] = memory.Memory(handled={key})
        assert refused_by(world) == rule


def test_an_incident_from_before_all_runs_that_are_remembered_is_refused_in_words():
    world = World()
    world.changes["memory"] = memory.Memory(forgotten=f"{execution.INCIDENT}/{REMEDY.name}")
    refusal = admission.judge(world.case())
    assert (refusal.rule, "too old to tell" in refusal.reason) == ("incident_not_handled", True)
    world.changes["memory"] = memory.Memory(forgotten=f"{execution.INCIDENT}/a_playbook_before")
    assert refused_by(world) is None


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        (timedelta(0), None),
        (timedelta(minutes=59, seconds=59), None),
        (timedelta(hours=1), "approved"),  # over
        (timedelta(days=-1), "approved"),  # by this host's clock it lasts for too long
    ],
)
def test_approvals_are_judged_by_the_hosts_wall_clock_and_count_less_and_never_more(at, rule):
    world = World()
    unapproved(world)
    people = [approving(world.signed.order, "x", key) for key in world.centre.approvers]
    world.signed = dataclasses.replace(world.signed, approvals=tuple(people))
    world.changes["now"] = pretend_host.START + at
    assert refused_by(world) == rule


def test_one_approval_of_two_is_too_few():
    world = World()
    unapproved(world)
    given: order.Order = world.signed.order
    one = approving(given, "ann", world.centre.approvers[0])
    world.signed = dataclasses.replace(world.signed, approvals=(one,))
    assert refused_by(world) == "approved"
