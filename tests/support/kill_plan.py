"""Which processes are killed when: drawn from a seed before anything runs.

Called by tests.support.kill_harness. More than half of the strikes are aimed at a moment of an
incident, so that every process meets every moment; the others fall anywhere, also into a process
that is still starting. A strike kills one process or several at once.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

CENTRE, COLLECTOR, EXECUTOR = "control plane", "collector", "executor"
PROCESSES = (CENTRE, COLLECTOR, EXECUTOR)
ANYWHERE, EFFECT = "anywhere", "effect"
MOMENTS = (
    "fault",  # observe: nothing has been noticed yet
    "incident.opened",  # detect
    "decision.made",  # decide
    "approval.requested",  # a person is asked
    "order.delivered",  # on its way
    "order.admitted",  # the host has begun
    EFFECT,  # a step has just had its effect
    "step.done",  # the host verifies
    "order.finished",  # the centre verifies
)
TOGETHER = ((COLLECTOR, EXECUTOR), (CENTRE, EXECUTOR), (CENTRE, COLLECTOR), PROCESSES)
AIMED = 0.6  # of the strikes
_LONGEST_PAUSE_S = 0.7
_LONGEST_DELAY_S = 0.08


@dataclass(frozen=True, slots=True)
class Strike:
    """One or several processes killed together."""

    moment: str  # ANYWHERE, EFFECT, "fault" or a kind of entry of the log
    targets: tuple[str, ...]
    wait_s: float  # ANYWHERE: after the strike before; else after the moment
    host: int  # whose processes, where no moment says it; modulo the number of hosts


def draw(kills: int, seed: int) -> list[Strike]:
    """Return strikes that kill exactly so many processes."""
    dice = random.Random(seed)
    aimed = [(moment, (one,)) for moment in MOMENTS for one in PROCESSES]
    # In the middle of an order is where the most can go wrong, so it comes twice as often.
    aimed += [(EFFECT, (one,)) for one in PROCESSES]
    aimed += [(moment, several) for moment in (EFFECT, "order.delivered") for several in TOGETHER]
    strikes: list[Strike] = []
    left = kills
    deck: list[tuple[str, tuple[str, ...]]] = []
    while left > 0:
        if not deck:
            deck = dice.sample(aimed, len(aimed))
        moment, targets = deck.pop() if dice.random() < AIMED else (ANYWHERE, _anything(dice))
        strikes.append(_strike(dice, moment, targets[:left]))
        left -= len(strikes[-1].targets)
    return strikes


def dealt(strikes: Sequence[Strike], kills_a_round: int) -> list[list[Strike]]:
    """Deal strikes out to rounds of about so many kills."""
    rounds: list[list[Strike]] = [[]]
    for strike in strikes:
        if sum(len(one.targets) for one in rounds[-1]) >= kills_a_round:
            rounds.append([])
        rounds[-1].append(strike)
    return rounds


def _anything(dice: random.Random) -> tuple[str, ...]:
    if dice.random() < 0.25:
        return dice.choice(TOGETHER)
    return (dice.choice(PROCESSES),)


def _strike(dice: random.Random, moment: str, targets: tuple[str, ...]) -> Strike:
    longest = _LONGEST_PAUSE_S if moment == ANYWHERE else _LONGEST_DELAY_S
    return Strike(moment, targets, dice.uniform(0.0, longest), dice.randrange(1 << 16))
