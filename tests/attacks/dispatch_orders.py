"""Attacks on an order itself: who signed it, for whom, when, how often.

Called by dispatch_table. Each function does one attack on our executor and returns how often
something was done that must not be; the one with the same name behind `seed_` does it to the seed.
"""

import base64
import concurrent.futures
import dataclasses
import json

from sentienguard.model import ids
from sentienguard.trust import dsse
from sentienguard.trust import order as orders
from tests.attacks.dispatch_scene import EVIL, Attack, Scene, changed, sets
from tests.support.seed_dispatch import SeedScene, Signed

_OTHER_AGENT = ids.AgentId("99999999-2222-4333-8444-555555555555")


# -- who said it, to whom --------------------------------------------------------------------------


def edited_in_transit(scene: Scene) -> int:
    scene.up()

    def other_volume(payload):
        payload["parameters"]["mount"] = str(scene.other)

    scene.fill(1)
    (scene.other / "data").write_bytes(b"x" * 900_000)
    scene.deliver(changed(scene.centre.seal(scene.order()), other_volume))
    return scene.effects()


def seed_edited_in_transit(scene: SeedScene) -> int:
    signed = scene.signed()
    scene.deliver(Signed(signed.message.replace(b"/srv/data", b"/"), signed.signature))
    return scene.effects()


def key_id_lies(scene: Scene) -> int:
    scene.up()
    envelope = scene.centre.seal(scene.order(), dispatch=EVIL)
    envelope["signatures"][0]["keyid"] = scene.centre.dispatch.id
    scene.deliver(envelope)
    return scene.effects()


def for_another_host(scene: Scene) -> int:
    scene.up()
    return scene.send(agent=_OTHER_AGENT)


def seed_for_another_host(scene: SeedScene) -> int:
    return scene.send(host="host-2")


def for_another_environment(scene: Scene) -> int:
    scene.up()
    return scene.send(environment="staging")


def seed_for_another_environment(scene: SeedScene) -> int:
    return scene.send(environment="staging")


def another_type(scene: Scene) -> int:
    """Deliver what was signed as a document of another type, under its own name."""
    scene.up()
    scene.deliver(_signed_as_a_stop(scene))
    return scene.effects()


def seed_another_type(scene: SeedScene) -> int:
    scene.deliver(Signed.by(scene.control_plane, b'{"config": {"interval_s": 30}}'))
    return scene.effects()


def another_type_relabelled(scene: Scene) -> int:
    """The same, called an order on the outside."""
    scene.up()
    scene.deliver({**_signed_as_a_stop(scene), "payloadType": orders.ORDER_TYPE})
    return scene.effects()


def _signed_as_a_stop(scene: Scene):
    payload = base64.b64decode(scene.centre.seal(scene.order())["payload"])
    return dsse.seal(orders.STOP_TYPE, payload, [scene.centre.dispatch])


def reads_in_two_ways(scene: Scene) -> int:
    """Sign an order that names a member twice: a reviewer's program may read the other one."""
    scene.up()
    payload = base64.b64decode(scene.centre.seal(scene.order())["payload"])
    twice = payload.replace(b'"dry_run":false', b'"dry_run":true,"dry_run":false')
    scene.deliver(dsse.seal(orders.ORDER_TYPE, twice, [scene.centre.dispatch]))
    return scene.effects()


def seed_reads_in_two_ways(scene: SeedScene) -> int:
    text = scene.message().encoded().replace(b'"dry_run": false', b'"dry_run": 1, "dry_run": false')
    scene.deliver(Signed.by(scene.control_plane, text))
    return scene.effects()


def absurd_deadline(scene: Scene) -> int:
    scene.up()
    payload = json.loads(base64.b64decode(scene.centre.seal(scene.order())["payload"]))
    payload["deadline_s"] = 2**40
    text = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    scene.deliver(dsse.seal(orders.ORDER_TYPE, text, [scene.centre.dispatch]))
    return scene.effects()


def seed_absurd_deadline(scene: SeedScene) -> int:
    return scene.send(deadline_s=2**40)


# -- when, and how often ---------------------------------------------------------------------------


def replayed(scene: Scene) -> int:
    """Record a delivery and repeat it within five minutes."""
    scene.up()
    envelope = scene.centre.seal(scene.order())
    scene.deliver(envelope)
    scene.deliver(envelope)
    return scene.effects() - 1


def seed_replayed(scene: SeedScene) -> int:
    signed = scene.signed()
    scene.deliver(signed)
    scene.deliver(signed)
    return scene.effects() - 1


def held_back(scene: Scene) -> int:
    """Deliver an order four minutes after the host asked."""
    scene.up(clocked=True)
    envelope = scene.centre.seal(scene.order())
    scene.later(240, 240)
    scene.deliver(envelope)
    return scene.effects()


def seed_held_back(scene: SeedScene) -> int:
    signed = scene.signed()
    scene.agent.clock_error_s = 240.0  # four minutes go by
    scene.deliver(signed)
    return scene.effects()


def nonce_of_another_agent(scene: Scene) -> int:
    scene.up()
    return scene.send(nonce="ab" * 16)


def seed_without_nonce(scene: SeedScene) -> int:
    return scene.send()


def nonce_of_an_earlier_boot(scene: Scene) -> int:
    scene.up()
    envelope = scene.centre.seal(scene.order())
    scene.restart()
    scene.deliver(envelope)
    return scene.effects()


def two_orders_for_one_nonce(scene: Scene) -> int:
    scene.up()
    nonce = scene.agent.ask("ticket")["nonce"]
    scene.send(nonce=nonce)
    return scene.send(nonce=nonce) - 1


def seed_two_orders(scene: SeedScene) -> int:
    scene.send(incident="inc_1")
    return scene.send(incident="inc_2") - 1


def restored_from_backup(scene: Scene) -> int:
    """Restore the centre: its counter is back, it releases again what was pending then."""
    scene.up()
    scene.send(seq=5)
    scene.restart()
    return scene.send(seq=4) - 1


def seed_restored_from_backup(scene: SeedScene) -> int:
    scene.send()
    return scene.send() - 1  # the pending dispatch, signed again


def sequence_reused(scene: Scene) -> int:
    scene.up()
    scene.send(seq=5)
    return scene.send(seq=5) - 1


def numbers_spoiled_by_another_host(scene: Scene) -> int:
    """Replay another host's old order here: its number is higher, and honest orders are refused."""
    scene.up()
    scene.send(agent=_OTHER_AGENT, nonce="ab" * 16, seq=5_000)
    return 1 - scene.send(seq=10)


def numbers_used_up(scene: Scene) -> int:
    """Send the highest number there is, so that the host never takes an honest order again."""
    scene.up()
    scene.send(seq=2**53 - 1, parameters={"mount": "/etc"})
    return 1 - scene.send(seq=10)


def while_another_runs(scene: Scene) -> int:
    scene.up()
    scene.hold()
    scene.offer(scene.centre.seal(scene.order()))
    scene.agent.wait(lambda: scene.effects() == 1, 60)
    scene.offer(scene.centre.seal(scene.order()))
    both = scene.agent.process is not None and _soon(scene, 2)
    scene.let_go()
    return int(both)


def _soon(scene: Scene, count: int) -> bool:
    """Tell whether that many effects are there, at once or after a moment if one was admitted."""
    if scene.answers[-1].get("admitted"):
        scene.agent.wait(lambda: scene.effects() >= count, 60)
    return scene.effects() >= count


def rehearsed_then_real_under_one_id(scene: Scene) -> int:
    """Let an id run as a dry run, and send it again as a real order."""
    scene.up()
    rehearsed = scene.order(dry_run=True)
    scene.deliver(scene.centre.seal(rehearsed))
    one = rehearsed.order
    return scene.send(id=one.id, incident=one.incident)


def seed_rehearsed_then_real(scene: SeedScene) -> int:
    scene.send(dry_run=True)
    return scene.send()


def two_ids_for_one_incident(scene: Scene) -> int:
    scene.up()
    first = scene.order()
    scene.deliver(scene.centre.seal(first))
    scene.send(incident=first.order.incident, id=ids.OrderId("ord_00000000000000aa"))
    return scene.effects() - 1


def seed_two_ids_for_one_incident(scene: SeedScene) -> int:
    scene.send()
    return scene.send() - 1


def two_ids_across_a_restart(scene: Scene) -> int:
    scene.up()
    first = scene.order()
    scene.deliver(scene.centre.seal(first))
    scene.restart()
    scene.send(incident=first.order.incident, id=ids.OrderId("ord_00000000000000aa"))
    return scene.effects() - 1


def at_the_same_moment(scene: Scene) -> int:
    """Offer eight order ids for one incident on eight connections at once."""
    scene.up()
    made = [scene.order() for _ in range(8)]
    incident = made[0].order.incident
    sealed = [
        scene.centre.seal(
            dataclasses.replace(one, order=dataclasses.replace(one.order, incident=incident))
        )
        for one in made
    ]
    scene.hold()  # no order ends before all are answered
    with concurrent.futures.ThreadPoolExecutor(len(sealed)) as pool:
        answers = list(pool.map(scene.offer, sealed))
    admitted = sum(answer.get("admitted", False) for answer in answers)
    refused = {answer["rule"] for answer in answers if not answer.get("admitted")}
    if refused <= {"one_at_a_time", "incident_not_handled", "sequence_rises"}:
        # Which of them a late one meets is a matter of microseconds; the page names all.
        scene.answers[:] = [{"rule": "busy, handled or overtaken"}]
    scene.agent.wait(lambda: scene.effects() >= min(admitted, 2), 60)
    scene.let_go()
    return scene.effects() - 1


def rehearsal_storm(scene: Scene) -> int:
    """Send twenty dry runs, which no budget counts."""
    scene.up()
    for _ in range(20):
        scene.send(dry_run=True)
    return scene.effects()


def seed_rehearsal_storm(scene: SeedScene) -> int:
    for _ in range(20):
        scene.send(dry_run=True)
    return scene.effects()


ATTACKS = (
    Attack(
        "edited in transit",
        edited_in_transit,
        seed_edited_in_transit,
        sets("signed_by_dispatch", "signature_is_verified"),
        seed_expected=0,
    ),
    Attack(
        "signed by a key of the attacker that bears the dispatch key's id",
        key_id_lies,
        None,
        sets("signed_by_dispatch", "signature_is_verified"),
    ),
    Attack(
        "for another host, with this one's nonce",
        for_another_host,
        seed_for_another_host,
        sets("for_this_agent"),
        seed_expected=0,
    ),
    Attack(
        "signed as another kind of document",
        another_type,
        seed_another_type,
        sets("type_is_compared+type_is_signed", "type_is_compared+signed_by_dispatch"),
        seed_expected=0,
    ),
    Attack(
        "signed as another kind of document, relabelled",
        another_type_relabelled,
        None,
        sets("type_is_signed", "signed_by_dispatch"),
    ),
    Attack(
        "replayed within five minutes",
        replayed,
        seed_replayed,
        sets("order_never_seen+answers_a_ticket+sequence_rises+incident_not_handled"),
    ),
    Attack(
        "held back for four minutes",
        held_back,
        seed_held_back,
        sets("answers_a_ticket", "nonce_lifetime"),
    ),
    Attack(
        "with a nonce of another agent",
        nonce_of_another_agent,
        seed_without_nonce,
        sets("answers_a_ticket", "nonce_issued_here"),
    ),
    Attack(
        "with a nonce from before the executor's restart",
        nonce_of_an_earlier_boot,
        seed_without_nonce,
        sets("answers_a_ticket", "nonce_issued_here"),
    ),
    Attack(
        "two orders for one nonce",
        two_orders_for_one_nonce,
        seed_two_orders,
        sets("answers_a_ticket", "nonce_used_once"),
    ),
    Attack(
        "centre restored from a backup sends again",
        restored_from_backup,
        seed_restored_from_backup,
        sets("sequence_rises", "sequence_survives"),
    ),
    Attack("sequence number used again", sequence_reused, seed_two_orders, sets("sequence_rises")),
    Attack(
        "another host's old order, to spoil the numbers of this one",
        numbers_spoiled_by_another_host,
        None,
        sets("misdirected_counts_for_nothing"),
    ),
    Attack(
        "the highest number there is, so that honest orders are too low",
        numbers_used_up,
        None,
        sets("sequence_leaps_are_bounded"),
    ),
    Attack("while another order runs", while_another_runs, None, sets("one_at_a_time")),
    Attack(
        "a dry run's id, sent again as a real order",
        rehearsed_then_real_under_one_id,
        seed_rehearsed_then_real,
        sets("order_never_seen"),
    ),
    Attack(
        "two order ids for one incident",
        two_ids_for_one_incident,
        seed_two_ids_for_one_incident,
        sets("incident_not_handled"),
    ),
    Attack(
        "two order ids for one incident, across a restart",
        two_ids_across_a_restart,
        seed_two_ids_for_one_incident,
        sets("incident_not_handled", "incidents_survive"),
    ),
    Attack(
        "eight order ids for one incident at the same moment",
        at_the_same_moment,
        None,
        sets("one_turn"),
    ),
    Attack(
        "twenty dry runs",
        rehearsal_storm,
        seed_rehearsal_storm,
        sets("rehearsal_does_not_act"),
        seed_expected=0,
    ),
    Attack(
        "for another environment",
        for_another_environment,
        seed_for_another_environment,
        sets("for_this_environment"),
    ),
    Attack(
        "a member named twice, so that two readers differ",
        reads_in_two_ways,
        seed_reads_in_two_ways,
        sets("canonical_form"),
    ),
    Attack(
        "deadline of 35,000 years",
        absurd_deadline,
        seed_absurd_deadline,
        sets("deadline_is_bounded"),
    ),
)
