"""Every rule of admission: an attack that it alone refuses, and that runs without it."""

import dataclasses
from datetime import timedelta

import pytest

from sentienguard.model import ids
from sentienguard.playbook import parse
from sentienguard.stages.execute import admission, memory
from sentienguard.trust import delegation, dsse, keys
from sentienguard.trust import order as orders
from tests.support import execution, pretend_host

CLEAN = b"""
name: clean_up
version: "1.2.0"
description: Disk full, removes old files of a test directory.
match: {system: linux, resource: disk, symptom: full}
risk: SAFE
idempotent: true
max_per_hour: 3
parameters:
  mount: {type: mountpoint}
exclusions: {host_pattern: ["*.frozen"]}
guard: disk_usage > 85%
steps:
  - name: clean
    action: fs
    operation: clean
    path: {param: mount}
    pattern: "*.old"
    min_age: 7d
    rollback: {skip: deleted files are gone for good}
verification:
  - {name: space, type: metric, metric: disk_usage, threshold: "< 80%"}
"""
REMEDY = parse.load(CLEAN, origin="test")


class World:
    """A case that is admitted, and what an attack changes in it."""

    def __init__(self):
        self.centre = execution.Centre(now=pretend_host.START)
        self.pretend = pretend_host.PretendHost(services={"web": True})
        self.signed = self.centre.order(REMEDY, parameters={"mount": "/srv/data"})
        self.dispatch = self.centre.dispatch
        self.listed = execution.listed(REMEDY)
        self.catalogue_signers = None
        self.catalogue_version = 4
        self.catalogue_expires = None
        self.root_expires = None
        self.changes = {}

    def order(self, **changes):
        order = dataclasses.replace(self.signed.order, **changes)
        self.signed = dataclasses.replace(self.signed, order=order)

    def case(self):
        root = self.centre.root(expires_at=self.root_expires)
        envelope = self.centre.catalogue_envelope(
            self.listed,
            version=self.catalogue_version,
            expires_at=self.catalogue_expires,
            signers=self.catalogue_signers,
        )
        case = admission.Case(
            envelope=self.centre.seal(self.signed, dispatch=self.dispatch),
            signed=self.signed,
            agent=execution.AGENT,
            environment=execution.ENVIRONMENT,
            now=pretend_host.START,
            root=root,
            catalogue=read_catalogue(envelope, self),
            catalogue_envelope=envelope,
            newest=admission.Newest(4),
            stored=CLEAN,
            remedy=REMEDY,
            unread="",
            stale=None,
            memory=memory.Memory(),
            now_ms=int(pretend_host.START.timestamp() * 1000),
            broken=None,
            host=self.pretend.host(),
        )
        return dataclasses.replace(case, **self.changes)


def read_catalogue(envelope, world):
    """Read what a catalogue claims, whoever signed it: with a root that trusts its signer."""
    from sentienguard.model import ids as names
    from sentienguard.trust import catalogue, dsse

    payload, _ = dsse.opened(envelope, catalogue.PAYLOAD_TYPE, ())
    expires = world.catalogue_expires or world.centre.now + timedelta(days=90)
    return catalogue.Catalogue(
        world.catalogue_version, expires, tuple(world.listed), names.digest(payload)
    )


def forged(world):
    world.dispatch = execution.key(66)


def other_agent(world):
    world.order(agent=ids.AgentId("99999999-2222-4333-8444-555555555555"))


def other_environment(world):
    world.order(environment="production")


def expired_root(world):
    world.root_expires = world.centre.now - timedelta(seconds=1)


def replayed_nonce(world):
    world.changes["stale"] = "the nonce was used"


def low_sequence(world):
    world.changes["memory"] = memory.Memory(seq=world.signed.seq)


def seen_before(world):
    world.changes["memory"] = memory.Memory(orders={world.signed.order.id: {"state": "finished"}})


def busy(world):
    running = memory.Running({"order": {"id": "ord_0000000000000000"}})
    world.changes["memory"] = memory.Memory(running=running)


def catalogue_of_the_centre(world):
    world.catalogue_signers = [execution.key(66)]


def too_few_signers(world):
    world.centre.threshold = 2
    world.catalogue_signers = [world.centre.signer]


def expired_catalogue(world):
    world.catalogue_expires = world.centre.now


def old_catalogue(world):
    world.catalogue_version = 3


def swapped_catalogue(world):
    world.changes["newest"] = admission.Newest(4, ids.digest(b"another catalogue, version 4"))


def unlisted(world):
    world.listed = []


def listed_under_another_version(world):
    world.listed = [dataclasses.replace(world.listed[0], version="1.1.0")]


def revoked(world):
    world.listed = [dataclasses.replace(world.listed[0], revoked=True)]


def signer_outside_its_environment(world):
    limit = delegation.Delegation(environments=("production",))
    world.centre.delegations = {world.centre.signer.id: limit}


def signer_outside_its_prefix(world):
    limit = delegation.Delegation(prefixes=("restart_",))
    world.centre.delegations = {world.centre.signer.id: limit}


def one_of_two_signers_reaches_it(world):
    world.centre.threshold = 2
    limit = delegation.Delegation(environments=("production",))
    world.centre.delegations = {world.centre.second_signer.id: limit}


def swapped_content(world):
    world.changes["stored"] = CLEAN.replace(b"*.old", b"*")


def calls_itself_otherwise(world):
    world.changes["remedy"] = dataclasses.replace(REMEDY, name=ids.PlaybookName("other"))


def downgraded(world):
    world.changes["memory"] = memory.Memory(versions={"clean_up": "1.10.0"})


def unknown_kind(world):
    step = REMEDY.steps[0]
    action = dataclasses.replace(step.action, kind="kubectl_delete")
    steps = (dataclasses.replace(step, action=action),)
    world.changes["remedy"] = dataclasses.replace(REMEDY, steps=steps)


def same_incident_again(world):
    key = memory.handled_key(world.signed.order.incident, "clean_up")
    world.changes["memory"] = memory.Memory(handled={key})


def foreign_mount(world):
    world.order(parameters={"mount": "/etc"})
    world.changes["remedy"] = dataclasses.replace(REMEDY, guard=None)  # judges it a second time


def excluded(world):
    world.pretend.name = "db.FROZEN"


def marked(world):
    world.pretend.forbidden = "do-not-remediate"


def over_budget(world):
    now_ms = int(pretend_host.START.timestamp() * 1000)
    world.changes["memory"] = memory.Memory(
        starts=[("clean_up", now_ms - 1000 * n) for n in (1, 2, 3)]
    )


def host_over_budget(world):
    now_ms = int(pretend_host.START.timestamp() * 1000)
    world.changes["memory"] = memory.Memory(starts=[("other", now_ms)] * admission.HOST_PER_HOUR)


def unapproved(world):
    world.centre.approvers = [execution.key(n) for n in (20, 21)]
    world.changes["remedy"] = dataclasses.replace(REMEDY, approval_required=True)


def fabricated(world):
    world.pretend.measured["disk_usage"] = 12.0


def told_to_the_guard(world):
    world.changes["remedy"] = dataclasses.replace(
        REMEDY, guard="disk_usage > 95% or anomaly_sigma > 3"
    )
    world.order(facts={"anomaly_sigma": "12"})


def unmeasurable(world):
    del world.pretend.measured["disk_usage"]


def broken_journal(world):
    world.changes["broken"] = "the disk is gone"


ATTACKS = [
    ("journal_works", broken_journal),
    ("root_current", expired_root),
    ("signed_by_dispatch", forged),
    ("for_this_agent", other_agent),
    ("for_this_environment", other_environment),
    ("order_never_seen", seen_before),
    ("answers_a_ticket", replayed_nonce),
    ("sequence_rises", low_sequence),
    ("one_at_a_time", busy),
    ("catalogue_signed", catalogue_of_the_centre),
    ("catalogue_signed", too_few_signers),
    ("catalogue_current", expired_catalogue),
    ("catalogue_newest", old_catalogue),
    ("catalogue_newest", swapped_catalogue),
    ("listed", unlisted),
    ("listed", listed_under_another_version),
    ("not_revoked", revoked),
    ("delegated", signer_outside_its_environment),
    ("delegated", signer_outside_its_prefix),
    ("delegated", one_of_two_signers_reaches_it),
    ("stored_bytes", swapped_content),
    ("reads", calls_itself_otherwise),
    ("version_not_lower", downgraded),
    ("kinds_known", unknown_kind),
    ("incident_not_handled", same_incident_again),
    ("parameters", foreign_mount),
    ("not_excluded", excluded),
    ("not_forbidden", marked),
    ("within_budget", over_budget),
    ("within_budget", host_over_budget),
    ("approved", unapproved),
    ("guard_holds", fabricated),
    ("guard_holds", unmeasurable),
    ("guard_holds", told_to_the_guard),
]


def test_an_order_for_which_every_rule_holds_is_admitted():
    assert admission.judge(World().case()) is None


@pytest.mark.parametrize(("rule", "attack"), ATTACKS, ids=lambda one: getattr(one, "__name__", one))
def test_an_attack_is_refused_by_its_rule(rule, attack):
    world = World()
    attack(world)
    refusal = admission.judge(world.case())
    assert refusal is not None
    assert refusal.rule == rule
    assert refusal.reason


@pytest.mark.parametrize(("rule", "attack"), ATTACKS, ids=lambda one: getattr(one, "__name__", one))
def test_without_its_rule_the_attack_would_have_run(rule, attack):
    world = World()
    attack(world)
    weakened = [check for check in admission.TABLE if check.name != rule]
    assert admission.judge(world.case(), weakened) is None


def test_every_rule_has_an_attack():
    assert {check.name for check in admission.TABLE} == {rule for rule, _ in ATTACKS}


def test_a_limited_signer_lets_run_what_it_reaches_and_an_unlimited_one_helps():
    world = World()
    limit = delegation.Delegation(environments=(execution.ENVIRONMENT,), prefixes=("clean_",))
    world.centre.delegations = {world.centre.signer.id: limit}
    assert admission.judge(world.case()) is None
    signer_outside_its_environment(world)
    world.catalogue_signers = [world.centre.signer, world.centre.second_signer]
    assert admission.judge(world.case()) is None


def test_a_catalogue_that_was_judged_before_is_judged_by_every_byte_and_by_the_keys_of_now():
    world, (remedy,) = World(), execution.listed(REMEDY)
    for number in range(20):  # long enough for the answers about its signatures to be of the last
        other = {"name": f"other_{number}", "digest": ids.digest(b"%d" % number)}
        world.listed.append(dataclasses.replace(remedy, **other))
    case = world.case()
    signed = case.catalogue_envelope
    assert keys.SHORT_BYTES < len(signed["payload"]) < keys.LONG_BYTES

    def refused(**changes):
        found = admission.judge(dataclasses.replace(case, **changes))
        return None if found is None else found.rule

    assert refused() is None
    assert refused() is None  # from memory
    foreign = dsse.seal("another/type", b"another", [world.centre.signer])["signatures"]
    assert refused(catalogue_envelope={**signed, "signatures": foreign}) == "catalogue_signed"
    shorter = world.centre.catalogue_envelope(world.listed[:-1], version=4)["payload"]
    assert refused(catalogue_envelope={**signed, "payload": shorter}) == "catalogue_signed"
    world.centre.signer = execution.key(77)  # the root strikes off who signed it
    assert refused(root=world.centre.root(version=2)) == "catalogue_signed"
    assert refused() is None


def test_a_rule_that_fails_refuses():
    def fails(case):
        raise ZeroDivisionError

    refusal = admission.judge(World().case(), [admission.Check("fails", fails)])
    assert refusal == admission.Refusal("fails", "ZeroDivisionError")


def approving(order, name, key, *, lasts=timedelta(hours=1)):
    return orders.seal_approval(order, name, key, expires_at=pretend_host.START + lasts)


def test_enough_approvers_of_exactly_this_order_let_it_run():
    world = World()
    unapproved(world)
    people = [
        approving(world.signed.order, name, key)
        for name, key in zip(("ann", "bob"), world.centre.approvers, strict=True)
    ]
    world.signed = dataclasses.replace(world.signed, approvals=tuple(people))
    assert admission.judge(world.case()) is None
    world.signed = dataclasses.replace(world.signed, approvals=(people[0], people[0]))
    assert admission.judge(world.case()).rule == "approved"


def test_approvals_of_another_order_do_not_count():
    world = World()
    unapproved(world)
    other = dataclasses.replace(world.signed.order, parameters={"mount": "/"})
    people = [approving(other, "x", key) for key in world.centre.approvers]
    world.signed = dataclasses.replace(world.signed, approvals=tuple(people))
    assert admission.judge(world.case()).rule == "approved"


def test_a_dry_run_needs_neither_budget_nor_approval_nor_an_unmarked_host():
    world = World()
    for attack in (over_budget, unapproved, marked, same_incident_again):
        attack(world)
    world.order(dry_run=True)
    assert admission.judge(world.case()) is None


def test_a_restart_storm_ends_at_the_signed_budget():
    world = World()
    kept = memory.Memory()
    admitted = 0
    for n in range(20):
        incident = ids.IncidentId(f"inc_20260212_112600_{n:08x}")
        world.signed = world.centre.order(
            REMEDY, parameters={"mount": "/srv/data"}, incident=incident
        )
        world.changes["memory"] = kept
        case = world.case()
        if admission.judge(case) is None:
            admitted += 1
            order = case.signed.order
            record = {
                "id": order.id,
                "incident": incident,
                "playbook": order.playbook,
                "version": order.version,
                "dry_run": False,
            }
            seq = case.signed.seq
            kept.apply({"t": "intent", "order": record, "seq": seq, "at_ms": case.now_ms})
            kept.apply({"t": "finish", "order": order.id, "outcome": "SUCCESS", "reason": ""})
    assert admitted == REMEDY.max_per_hour == 3
