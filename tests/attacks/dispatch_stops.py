"""Attacks on stops: ending an order that ought to go on.

Called by dispatch_table; see dispatch_orders for the form. The seed's documents describe no stop.
"""

from sentienguard.model import ids
from sentienguard.trust import order as orders
from tests.attacks.dispatch_scene import EVIL, Attack, Scene, sets

_OTHER_AGENT = ids.AgentId("99999999-2222-4333-8444-555555555555")


def _running(scene: Scene) -> orders.SignedOrder:
    scene.up()
    scene.hold()
    one = scene.order()
    scene.offer(scene.centre.seal(one))
    scene.agent.wait(lambda: scene.effects() == 1, 60)
    return one


def _over(scene: Scene, *, stopped: bool) -> int:
    scene.let_go()
    return int(stopped)


def stop_forged(scene: Scene) -> int:
    one = _running(scene)
    return _over(scene, stopped=scene.stop(one.order.id, dispatch=EVIL))


def stop_for_another_order(scene: Scene) -> int:
    _running(scene)
    return _over(scene, stopped=scene.stop("ord_00000000000000aa"))


def stop_for_another_agent(scene: Scene) -> int:
    one = _running(scene)
    return _over(scene, stopped=scene.stop(one.order.id, agent=_OTHER_AGENT))


def stop_with_a_stale_nonce(scene: Scene) -> int:
    one = _running(scene)
    return _over(scene, stopped=scene.stop(one.order.id, nonce="cd" * 16))


def stop_with_an_old_number(scene: Scene) -> int:
    one = _running(scene)
    return _over(scene, stopped=scene.stop(one.order.id, seq=one.seq))


ATTACKS = (
    Attack(
        "a stop by a key of the attacker",
        stop_forged,
        None,
        sets("stop_is_signed", "signature_is_verified"),
    ),
    Attack("a stop of another order", stop_for_another_order, None, sets("stop_names_the_order")),
    Attack("a stop for another agent", stop_for_another_agent, None, sets("stop_names_the_agent")),
    Attack(
        "a stop with a nonce of another agent",
        stop_with_a_stale_nonce,
        None,
        sets("nonce_issued_here"),
    ),
    Attack(
        "a stop with a number used before",
        stop_with_an_old_number,
        None,
        sets("stop_sequence_rises"),
    ),
)
