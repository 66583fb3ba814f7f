"""Attacks on approvals by passkey: on the page, the party, the person, the deed and the list.

Called by dispatch_table; see dispatch_orders for the form. The attacker holds the control plane,
which also writes the page that people see, and has whatever answers a person ever gave.
"""

import base64
import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sentienguard.model import ids, playbook
from sentienguard.trust import dsse, passkeys, webauthn
from sentienguard.trust import order as orders
from tests.attacks.dispatch_scene import Attack, Scene, changed, sets
from tests.support.authenticator import UP, Passkey, cbor

HOUR = timedelta(hours=1)
PARTY = webauthn.Party("guard.example.org", "https://guard.example.org")
ANN, BOB, EVE, ED = (
    Passkey(PARTY.id, PARTY.origin, key=key)
    for key in (
        *(ec.derive_private_key(number, ec.SECP256R1()) for number in (11, 12, 13)),
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes([14]) * 32),
    )
)
_GATE = ("approved",)


def asking(scene: Scene, *people: Passkey) -> playbook.Playbook:
    """Enrol a host whose root names passkeys, with a playbook that asks for an approval."""
    scene.centre.passkeys = [passkeys.ApproverKey(one.public_key(), PARTY) for one in people]
    remedy = scene.remedy("asking", approval="true")
    scene.up(remedy)
    return remedy


def answered(
    payload: bytes, person: Passkey, /, *, about: bytes | None = None, **how: Any
) -> dict[str, Any]:
    """Return an approval with a person's answer; `about` is what they answered for instead."""
    challenge = passkeys.challenge(orders.APPROVAL_TYPE, payload if about is None else about)
    key = passkeys.ApproverKey(person.public_key(), PARTY)
    return passkeys.envelope(orders.APPROVAL_TYPE, payload, key.id, person.answer(challenge, **how))


def payload_of(signed: orders.SignedOrder, name: str = "ann", **deed: Any) -> bytes:
    """Return what a person approves of an order, or of one that differs from it."""
    until = datetime.now(UTC) + HOUR
    return orders.approval_payload(dataclasses.replace(signed.order, **deed), name, until)


def send(scene: Scene, signed: orders.SignedOrder, *approvals: Mapping[str, Any]) -> int:
    """Deliver an order with approvals."""
    scene.deliver(scene.centre.seal(dataclasses.replace(signed, approvals=approvals)))
    return scene.effects()


def _with(scene: Scene, **how: Any) -> int:
    signed = scene.order(asking(scene, ANN))
    return send(scene, signed, answered(payload_of(signed), ANN, **how))


def _for(scene: Scene, **deed: Any) -> int:
    signed = scene.order(asking(scene, ANN))
    return send(scene, signed, answered(payload_of(signed, **deed), ANN))


def passkey_on_another_page(scene: Scene) -> int:
    return _with(scene, origin="https://guard.example.org.evil.example")


def passkey_in_anothers_frame(scene: Scene) -> int:
    return _with(scene, crossOrigin=True)


def passkey_of_another_party(scene: Scene) -> int:
    return _with(scene, party="evil.example")


def passkey_without_the_person(scene: Scene) -> int:
    return _with(scene, flags=UP)


def passkey_of_a_registration(scene: Scene) -> int:
    """Send what the passkey signed when it was made."""
    return _with(scene, kind="webauthn.create")


def passkey_for_another_order(scene: Scene) -> int:
    other = ids.OrderId("ord_00000000000000bb")
    return _for(scene, id=other, incident=ids.IncidentId("inc_20260101_000000_00000000"))


def passkey_for_another_digest(scene: Scene) -> int:
    return _for(scene, digest=scene.mark.digest)


def passkey_answer_moved(scene: Scene) -> int:
    """Put a person's answer for one deed beside the payload of another."""
    signed = scene.order(asking(scene, ANN))
    other = payload_of(signed, parameters={"mount": str(scene.other)})
    return send(scene, signed, answered(payload_of(signed), ANN, about=other))


def passkey_replayed(scene: Scene) -> int:
    """Use the answer for an order that ran on the next one; what the first did is right."""
    remedy = asking(scene, ANN)
    first = scene.order(remedy)
    approval = answered(payload_of(first), ANN)
    right = send(scene, first, approval)
    assert right == 1
    return send(scene, scene.order(remedy), approval) - right


def passkey_not_in_the_root(scene: Scene) -> int:
    signed = scene.order(asking(scene, ANN))
    return send(scene, signed, answered(payload_of(signed), EVE))


def passkey_under_anothers_name(scene: Scene) -> int:
    """Answer with a passkey of one's own, under the id of one that the root names."""
    signed = scene.order(asking(scene, ANN))
    approval = answered(payload_of(signed), EVE)
    approval["passkey"]["keyid"] = passkeys.key_id(ANN.public_key())
    return send(scene, signed, approval)


def passkey_as_a_key_file(scene: Scene) -> int:
    """Send the signature of an Ed25519 passkey as if a key file had made it."""
    signed = scene.order(asking(scene, ED))
    payload = payload_of(signed)
    said = answered(payload, ED)["passkey"]
    envelope = dsse.seal(orders.APPROVAL_TYPE, payload, [])
    signature = {"keyid": said["keyid"], "sig": said["signature"]}
    return send(scene, signed, {**envelope, "signatures": [signature]})


def one_passkey_stolen(scene: Scene) -> int:
    """Answer twice with one of two passkeys, under two names."""
    signed = scene.order(asking(scene, ANN, BOB))
    names = (payload_of(signed, name) for name in ("ann", "bob"))
    return send(scene, signed, *(answered(one, ANN) for one in names))


def passkey_listed_twice(scene: Scene) -> int:
    """Have a root signed that lists one passkey twice, in two spellings, and steal it."""
    remedy = asking(scene, ANN, BOB)
    spelled = _respelled(ANN)
    twin = hashlib.sha256(spelled).hexdigest()[:16]

    def add(found: dict[str, Any]) -> None:
        found["version"] += 1
        (first, *_) = found["passkeys"].values()
        key = base64.b64encode(spelled).decode()
        found["passkeys"][twin] = {**first, "public_key": key}
        found["roles"]["approver"]["keyids"].append(twin)

    _rooted(scene, remedy, add)
    return _approved_as(scene, remedy, ANN, twin)


def passkey_listed_as_a_key_too(scene: Scene) -> int:
    """Have a root signed that lists one Ed25519 key as a key and as a passkey, and steal it."""
    remedy = asking(scene, ED, BOB)
    raw = ED.key.public_key().public_bytes_raw()

    def add(found: dict[str, Any]) -> None:
        found["version"] += 1
        found["keys"][hashlib.sha256(raw).hexdigest()[:16]] = base64.b64encode(raw).decode()

    _rooted(scene, remedy, add)
    signed = scene.order(remedy)
    payload = payload_of(signed, "bob")
    sig = ED.key.sign(dsse.pre_authentication(orders.APPROVAL_TYPE, payload))
    envelope = dsse.seal(orders.APPROVAL_TYPE, payload, [])
    one = {"keyid": "", "sig": base64.b64encode(sig).decode()}
    approvals = (answered(payload_of(signed), ED), {**envelope, "signatures": [one]})
    return send(scene, signed, *approvals)


def _rooted(scene: Scene, remedy: playbook.Playbook, add: Any) -> None:
    bare = {**changed(scene.centre.root_envelope(), add), "signatures": []}
    root = dsse.add_signature(bare, scene.centre.root_key)
    scene.configure(remedy, root=root, version=2)


def _approved_as(scene: Scene, remedy: playbook.Playbook, person: Passkey, twin: str) -> int:
    signed = scene.order(remedy)
    second = answered(payload_of(signed, "bob"), person)
    second["passkey"]["keyid"] = twin
    return send(scene, signed, answered(payload_of(signed), person), second)


def _respelled(person: Passkey) -> bytes:
    """Return the same public key in other bytes: with a key id that says nothing."""
    numbers = person.key.public_key().public_numbers()
    x, y = (one.to_bytes(32) for one in (numbers.x, numbers.y))
    return cbor({1: 2, 2: b"twin", 3: -7, -1: 1, -2: x, -3: y})


def approved_by_passkey(scene: Scene) -> int:
    """Approve as it is meant."""
    return _with(scene)


def passkey_touched_for_something_else(scene: Scene) -> int:
    """Have a person touch their passkey on our page for one thing, and use it for an order."""
    return _with(scene)


ATTACKS = (
    Attack("a passkey's answer on a page like ours", passkey_on_another_page, None,
           sets(*_GATE, "passkey_page")),
    Attack("a passkey's answer inside another's page", passkey_in_anothers_frame, None,
           sets(*_GATE, "passkey_page")),
    Attack("a passkey's answer for another party", passkey_of_another_party, None,
           sets(*_GATE, "passkey_party")),
    Attack("a passkey that did not ask who is there", passkey_without_the_person, None,
           sets(*_GATE, "passkey_person")),
    Attack("what a passkey signed when it was made", passkey_of_a_registration, None,
           sets(*_GATE, "passkey_act")),
    Attack("a passkey's approval of another order", passkey_for_another_order, None,
           sets(*_GATE, "approval_names_the_deed")),
    Attack("a passkey's approval of another playbook", passkey_for_another_digest, None,
           sets(*_GATE, "approval_names_the_deed")),
    Attack("a passkey's answer beside another deed", passkey_answer_moved, None,
           sets(*_GATE, "passkey_answers_the_deed")),
    Attack("a passkey's approval used again", passkey_replayed, None,
           sets(*_GATE, "approval_names_the_deed")),
    Attack("a passkey that the root does not name", passkey_not_in_the_root, None,
           sets(*_GATE, "approver_is_listed")),
    Attack("a passkey under another's id", passkey_under_anothers_name, None,
           sets(*_GATE, "passkey_signature")),
    Attack("a passkey's answer in the form of a key file's", passkey_as_a_key_file, None,
           sets(*_GATE)),
    Attack("one of two passkeys stolen, used twice", one_passkey_stolen, None,
           sets(*_GATE, "approver_counts_once")),
    Attack("a root that lists one passkey in two spellings, stolen", passkey_listed_twice, None,
           sets(*_GATE, "passkey_counts_once+approver_counts_once")),
    Attack("a root that lists one key as a passkey too, stolen", passkey_listed_as_a_key_too, None,
           sets(*_GATE, "approver_key_is_one_thing+approver_counts_once")),
)  # fmt: skip
