"""Attacks on the approval that people sign: claimed, copied, stolen, kept for later.

Called by dispatch_table; see dispatch_orders for the form.
"""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sentienguard.model import ids, playbook
from sentienguard.trust import order as orders
from tests.attacks.dispatch_scene import EVIL, Attack, Scene, sets
from tests.attacks.dispatch_trust import with_role
from tests.support import execution
from tests.support.seed_dispatch import SeedScene

HOUR = timedelta(hours=1)
_GATE = ("approved",)


def _asking(scene: Scene, *, clocked: bool = False, **parts: str) -> playbook.Playbook:
    """Enrol a host whose root wants two of three people, with a playbook that asks for them."""
    scene.centre.approvers = [execution.key(20 + n) for n in range(3)]
    asking = scene.remedy("asking", **{"approval": "true", **parts})
    scene.up(asking, clocked=clocked)
    return asking


def approve(
    scene: Scene,
    remedy: playbook.Playbook,
    deed: Mapping[str, Any],
    *signers: int,
    lasts: timedelta = HOUR,
) -> int:
    """Send an order with approvals by these people, of this order but for `deed`."""
    signed = scene.order(remedy)
    meant, until = dataclasses.replace(signed.order, **deed), datetime.now(UTC) + lasts
    people = [
        orders.seal_approval(
            meant, f"person {at}", scene.centre.approvers[number], expires_at=until
        )
        for at, number in enumerate(signers)
    ]
    scene.deliver(scene.centre.seal(dataclasses.replace(signed, approvals=tuple(people))))
    return scene.effects()


def deliver_later(scene: Scene, *, lasts: timedelta, after: timedelta) -> int:
    """Keep an order that two people approved, and deliver it freshly sealed after a while."""
    asking = _asking(scene, clocked=True)
    signed, until = scene.order(asking), datetime.now(UTC) + lasts
    people = tuple(
        orders.seal_approval(signed.order, "person", key, expires_at=until)
        for key in scene.centre.approvers[:2]
    )
    scene.later(after.total_seconds(), after.total_seconds())
    nonce = scene.agent.ask("ticket")["nonce"]
    scene.deliver(scene.centre.seal(dataclasses.replace(signed, nonce=nonce, approvals=people)))
    return scene.effects()


def approval_claimed(scene: Scene) -> int:
    asking = _asking(scene)
    return scene.send(asking, facts={"approved_by": "ann, bob"})


def seed_approval_claimed(scene: SeedScene) -> int:
    return scene.send(approved_by=["ann", "bob"])


def not_idempotent(scene: Scene) -> int:
    """Order what must never run without a person, though nobody wrote a gate."""
    asking = _asking(scene, approval="false", idempotent="false")
    return scene.send(asking)


def approvals_copied(scene: Scene) -> int:
    """Take the approvals of an earlier incident."""
    asking = _asking(scene)
    earlier = {
        "id": ids.OrderId("ord_00000000000000bb"),
        "incident": ids.IncidentId("inc_20260101_000000_00000000"),
    }
    return approve(scene, asking, earlier, 0, 1)


def approvals_of_other_parameters(scene: Scene) -> int:
    asking = _asking(scene)
    return approve(scene, asking, {"parameters": {"mount": str(scene.other)}}, 0, 1)


def approvals_of_another_playbook(scene: Scene) -> int:
    asking = _asking(scene)
    return approve(scene, asking, {"digest": scene.mark.digest}, 0, 1)


def approvals_of_a_dry_run(scene: Scene) -> int:
    """Let people approve a dry run, and send the order as a real one."""
    asking = _asking(scene)
    return approve(scene, asking, {"dry_run": True}, 0, 1)


def seed_approved_as_a_dry_run(scene: SeedScene) -> int:
    return scene.send(approved_by=["ann"], dry_run=False)


def approval_kept_for_later(scene: Scene) -> int:
    """Withhold an order that people approved for an hour, and deliver it when that is over."""
    return deliver_later(scene, lasts=HOUR, after=HOUR + timedelta(seconds=1))


def approval_without_end(scene: Scene) -> int:
    """Have people approve for a year, to use it when it suits."""
    asking = _asking(scene)
    return approve(scene, asking, {}, 0, 1, lasts=timedelta(days=365))


def one_approver_stolen(scene: Scene) -> int:
    """Approve twice with the one key, under two names."""
    asking = _asking(scene)
    return approve(scene, asking, {}, 0, 0)


def approved_by_strangers(scene: Scene) -> int:
    """Approve with the dispatch key and a key of one's own."""
    asking = _asking(scene)
    people, scene.centre.approvers = scene.centre.approvers, [scene.centre.dispatch, EVIL]
    try:
        return approve(scene, asking, {}, 0, 1)
    finally:
        scene.centre.approvers = people


def root_with_an_online_approver(scene: Scene) -> int:
    """Have a root signed, by mistake or by deceit, that lists the log key as an approver."""
    asking = _asking(scene)
    before = scene.centre.root_envelope()
    root = with_role(scene, before, "approver", scene.centre.log)
    scene.configure(asking, root=root, version=2)
    scene.centre.approvers = [scene.centre.approvers[0], scene.centre.log]  # one of them stolen
    return approve(scene, asking, {}, 0, 1)


ATTACKS = (
    Attack("approval merely claimed", approval_claimed, seed_approval_claimed, sets(*_GATE)),
    Attack(
        "approvals copied from another order",
        approvals_copied,
        seed_approval_claimed,
        sets(*_GATE, "approval_names_the_deed"),
    ),
    Attack(
        "one approver's key stolen, used twice",
        one_approver_stolen,
        seed_approval_claimed,
        sets(*_GATE, "approver_counts_once"),
    ),
    Attack(
        "approvals of other parameters",
        approvals_of_other_parameters,
        seed_approval_claimed,
        sets(*_GATE, "approval_names_the_deed"),
    ),
    Attack(
        "approvals of another playbook",
        approvals_of_another_playbook,
        seed_approval_claimed,
        sets(*_GATE, "approval_names_the_deed"),
    ),
    Attack(
        "approved as a dry run, sent as a real order",
        approvals_of_a_dry_run,
        seed_approved_as_a_dry_run,
        sets(*_GATE, "approval_names_the_deed"),
    ),
    Attack(
        "approved by keys that are no approver's",
        approved_by_strangers,
        seed_approval_claimed,
        sets(*_GATE, "approver_is_listed"),
    ),
    Attack(
        "a root with an online key among the approvers, one approver's key stolen",
        root_with_an_online_approver,
        None,
        sets(*_GATE, "root_keys_apart"),
    ),
    Attack(
        "not idempotent, without a person",
        not_idempotent,
        seed_approval_claimed,
        sets(*_GATE),
    ),
    Attack(
        "approved for an hour, delivered after it",
        approval_kept_for_later,
        None,
        sets(*_GATE, "approval_is_not_over"),
    ),
    Attack(
        "approved for a year",
        approval_without_end,
        None,
        sets(*_GATE, "approval_is_for_a_day"),
    ),
)
