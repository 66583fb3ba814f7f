"""What is not prevented: honest orders, and what SECURITY.md says remains. All of it happens.

Called by dispatch_table; see dispatch_orders for the form. A test fails when one of these no longer
happens, so that the documents follow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.attacks.dispatch_approvals import approve, deliver_later
from tests.attacks.dispatch_passkeys import approved_by_passkey, passkey_touched_for_something_else
from tests.attacks.dispatch_scene import BUDGET, Scene
from tests.attacks.dispatch_ssh import approved_by_ssh_key
from tests.support import execution
from tests.support.seed_dispatch import SeedScene

TEN_MINUTES = 600.0  # twice what the seed allows


@dataclass(frozen=True)
class Allowed:
    """Something that is done on the host."""

    name: str  # as the table calls it
    ours: Callable[[Scene], int]
    expected: int = 1
    seed: Callable[[SeedScene], int] | None = None
    seed_expected: int = 1

    @property
    def key(self) -> str:
        """Return the name of the function that does it."""
        return self.ours.__name__


# -- orders that are right -------------------------------------------------------------------------


def honest_order(scene: Scene) -> int:
    scene.up()
    return scene.send()


def seed_honest_order(scene: SeedScene) -> int:
    return scene.send()


def clock_ten_minutes_slow(scene: Scene) -> int:
    scene.up(clocked=True)
    scene.later(-TEN_MINUTES)
    return scene.send()


def seed_clock_slow(scene: SeedScene) -> int:
    scene.agent.clock_error_s = -TEN_MINUTES
    return scene.send()


def clock_ten_minutes_fast(scene: Scene) -> int:
    scene.up(clocked=True)
    scene.later(TEN_MINUTES)
    return scene.send()


def seed_clock_fast(scene: SeedScene) -> int:
    scene.agent.clock_error_s = TEN_MINUTES
    return scene.send()


def approved_by_two_people(scene: Scene) -> int:
    scene.centre.approvers = [execution.key(20 + n) for n in range(3)]
    asking = scene.remedy("asking", approval="true")
    scene.up(asking)
    return approve(scene, asking, {}, 0, 1)


# -- what remains to who owns the control plane ----------------------------------------------------


def presigned_choice(scene: Scene) -> int:
    """Start what is signed where its guard is true, for incidents that nobody saw."""
    scene.up()
    for _ in range(10):
        scene.send()
    return scene.effects()


def gate_without_approvers(scene: Scene) -> int:
    """Claim an approval where the root lists no approver."""
    asking = scene.remedy("asking", approval="true")
    scene.up(asking)
    return scene.send(asking)


def approval_kept_while_it_lasts(scene: Scene) -> int:
    """Withhold an order that people approved for a day, and deliver it 23 hours later."""
    return deliver_later(scene, lasts=timedelta(days=1), after=timedelta(hours=23))


def revocation_withheld(scene: Scene) -> int:
    """Keep from a host the catalogue that revokes a playbook; its own expires in ninety days."""
    scene.up(clocked=True)
    scene.later(89 * 86_400.0, 89 * 86_400.0)
    return scene.send()


def deadline_of_a_second(scene: Scene) -> int:
    """Cut an order off in the middle by the deadline that it brings; its undo follows."""
    scene.up()
    scene.hold()
    scene.offer(scene.centre.seal(scene.order(deadline_s=1)))
    scene.settle()
    ends = [one["data"] for one in scene.agent.events() if one["kind"] == "order.finished"]
    return int("timed_out" in ends[-1]["reason"])


def tag_that_the_owner_did_not_set(scene: Scene) -> int:
    """Bring a tag that a pre-check, which is no guard, asks of a host without it."""
    remedy = scene.remedy(
        checks="pre_execution_checks:\n"
        "  - {name: replica, type: tag_check, tag: role, expect_value: replica}\n"
    )
    scene.up(remedy)
    return scene.send(remedy, facts={"tag.role": "replica"})


def running_order_stopped(scene: Scene) -> int:
    """Stop a running order with the dispatch key; its undo follows."""
    scene.up()
    scene.hold()
    one = scene.order()
    scene.offer(scene.centre.seal(one))
    scene.agent.wait(lambda: scene.effects() == 1, 60)
    stopped = scene.stop(one.order.id)
    scene.let_go()
    return int(stopped)


RIGHT = (
    Allowed("an honest order", honest_order, seed=seed_honest_order),
    Allowed("the same, approved by two people as its playbook asks", approved_by_two_people),
    Allowed("the same, approved by a passkey that the root names", approved_by_passkey),
    Allowed("the same, approved by a hardware SSH key that the root names", approved_by_ssh_key),
    Allowed(
        "the same, the host's clock 10 minutes slow",
        clock_ten_minutes_slow,
        seed=seed_clock_slow,
        seed_expected=0,
    ),
    Allowed(
        "the same, the host's clock 10 minutes fast",
        clock_ten_minutes_fast,
        seed=seed_clock_fast,
        seed_expected=0,
    ),
)

REMAINS = (
    Allowed(
        "start what is signed where its guard is true, ten times within an hour",
        presigned_choice,
        BUDGET,
    ),
    Allowed("pass a gate for people where the root lists no approver", gate_without_approvers),
    Allowed(
        "have a person touch their passkey on our own page for something else, and approve by it",
        passkey_touched_for_something_else,
    ),
    Allowed(
        "deliver an approved order later, while its approvals last: a day at most",
        approval_kept_while_it_lasts,
    ),
    Allowed(
        "run a playbook that signers revoked, until the catalogue on the host expires",
        revocation_withheld,
    ),
    Allowed(
        "answer a pre-check for a tag that the host's owner did not set",
        tag_that_the_owner_did_not_set,
    ),
    Allowed("stop a running order, whose undo follows", running_order_stopped),
    Allowed("cut an order off by a deadline of a second, its undo follows", deadline_of_a_second),
)
