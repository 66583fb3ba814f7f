"""Attacks on approvals by OpenSSH keys: on what was signed, for whom, by whom, and how often.

Called by dispatch_table; see dispatch_orders for the form. The attacker holds the control plane and
has whatever signatures a person ever made: of playbooks, of other orders, at other applications.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from sentienguard.model import ids, playbook
from sentienguard.trust import order as orders
from sentienguard.trust import passkeys, ssh_approvals
from sentienguard.trust.ssh_keys import SshKey as Public
from tests.attacks.dispatch_passkeys import ANN as ANNS_PASSKEY
from tests.attacks.dispatch_passkeys import PARTY, answered, payload_of, send
from tests.attacks.dispatch_scene import Attack, Scene, sets
from tests.support import ssh_signer
from tests.support.ssh_signer import ED25519, RSA, SK_ECDSA, SK_ED25519, UV, SshKey

ANN, BOB, EVE = SshKey(SK_ED25519, 51), SshKey(SK_ECDSA, 52), SshKey(ED25519, 53)
_GATE = ("approved",)


def asking(
    scene: Scene, people: dict[str, SshKey], *, passkey: str = "", verify_required: bool = False
) -> playbook.Playbook:
    """Enrol a host whose root names people's SSH keys; `passkey` is who has one besides."""
    centre = scene.centre
    for name, key in people.items():
        one = ssh_approvals.ApproverSshKey(Public.from_text(key.line), verify_required)
        centre.ssh_keys.append(one)
        centre.people[one.id] = name.rstrip("+")  # ann+ is another key of ann's
    if passkey:
        centre.passkeys = [passkeys.ApproverKey(ANNS_PASSKEY.public_key(), PARTY)]
        centre.people[centre.passkeys[0].id] = passkey
    remedy = scene.remedy("asking", approval="true")
    scene.up(remedy)
    return remedy


def signed_by(key: SshKey, payload: bytes, *, about: bytes | None = None, **how: Any) -> dict:
    """Return an approval that a key signed; `about` is what it signed instead."""
    armoured = key.sign(payload if about is None else about, **how)
    return ssh_approvals.envelope(orders.APPROVAL_TYPE, payload, armoured)


def _with(scene: Scene, key: SshKey = ANN, **how: Any) -> int:
    signed = scene.order(asking(scene, {"ann": ANN}))
    return send(scene, signed, signed_by(key, payload_of(signed), **how))


def _for(scene: Scene, **deed: Any) -> int:
    signed = scene.order(asking(scene, {"ann": ANN}))
    return send(scene, signed, signed_by(ANN, payload_of(signed, **deed)))


def ssh_signature_of_a_playbook(scene: Scene) -> int:
    """Have a person sign, as a playbook, a file whose bytes are the approval of an order."""
    return _with(scene, namespace="sentienguard.playbook")


def ssh_signature_of_a_commit(scene: Scene) -> int:
    return _with(scene, namespace="git")


def ssh_for_another_order(scene: Scene) -> int:
    other = ids.OrderId("ord_00000000000000bb")
    return _for(scene, id=other, incident=ids.IncidentId("inc_20260101_000000_00000000"))


def ssh_for_other_parameters(scene: Scene) -> int:
    return _for(scene, parameters={"mount": str(scene.other)})


def ssh_signature_moved(scene: Scene) -> int:
    """Put a person's signature of one deed beside the payload of another."""
    signed = scene.order(asking(scene, {"ann": ANN}))
    other = payload_of(signed, parameters={"mount": str(scene.other)})
    return send(scene, signed, signed_by(ANN, payload_of(signed), about=other))


def ssh_replayed(scene: Scene) -> int:
    """Use the signature for an order that ran on the next one; what the first did is right."""
    remedy = asking(scene, {"ann": ANN})
    first = scene.order(remedy)
    approval = signed_by(ANN, payload_of(first))
    right = send(scene, first, approval)
    assert right == 1
    return send(scene, scene.order(remedy), approval) - right


def ssh_key_not_in_the_root(scene: Scene) -> int:
    return _with(scene, EVE)


def ssh_key_of_another_kind(scene: Scene) -> int:
    """Sign with an RSA key, as people still have them."""
    return _with(scene, SshKey(RSA, 0))


def ssh_key_under_anothers_name(scene: Scene) -> int:
    """Sign with a key of one's own, in a signature that says it is by one of the root's."""
    return _with(scene, SshKey(SK_ED25519, 53), blob=ANN.blob)


def ssh_without_a_touch(scene: Scene) -> int:
    """Have the hardware of a machine that one broke into sign, with nobody there."""
    return _with(scene, flags=0)


def ssh_for_another_application(scene: Scene) -> int:
    """Have a person touch the key for something else, and say that this was its application."""
    return _with(scene, dataclasses.replace(ANN, application="ssh:other"))


def ssh_without_the_person(scene: Scene) -> int:
    """Touch a hardware key that was found, where the root wants it to ask who is there."""
    signed = scene.order(asking(scene, {"ann": ANN}, verify_required=True))
    return send(scene, signed, signed_by(ANN, payload_of(signed)))


def ssh_signature_cut_short(scene: Scene) -> int:
    return _armoured(scene, lambda blob: blob[:-1])


def ssh_signature_oversized(scene: Scene) -> int:
    """Send a right signature with thousands of bytes behind it."""
    return _armoured(scene, lambda blob: blob + bytes(9_000))


def _armoured(scene: Scene, change: Callable[[bytes], bytes]) -> int:
    signed = scene.order(asking(scene, {"ann": ANN}))
    approval = signed_by(ANN, payload_of(signed))
    blob = bytes(ssh_signer.unwrapped(approval["ssh"]))
    return send(scene, signed, {**approval, "ssh": ssh_signer.armour(change(blob))})


def one_ssh_key_stolen(scene: Scene) -> int:
    """Sign twice with one of two keys, under two names."""
    signed = scene.order(asking(scene, {"ann": ANN, "bob": BOB}))
    return send(scene, signed, *(signed_by(ANN, payload_of(signed, one)) for one in ("ann", "bob")))


def one_person_by_passkey_and_ssh_key(scene: Scene) -> int:
    """Have one person say yes in the browser and at the command line, where two have to."""
    signed = scene.order(asking(scene, {"ann": ANN, "bob": BOB}, passkey="ann"))
    payload = payload_of(signed, "ann")
    return send(scene, signed, answered(payload, ANNS_PASSKEY), signed_by(ANN, payload))


def one_person_under_two_names(scene: Scene) -> int:
    """Steal both keys of one person, and sign with the second in another's name."""
    signed = scene.order(asking(scene, {"ann": ANN, "bob": BOB}, passkey="ann"))
    first = answered(payload_of(signed, "ann"), ANNS_PASSKEY)
    return send(scene, signed, first, signed_by(ANN, payload_of(signed, "bob")))


def approved_by_ssh_key(scene: Scene) -> int:
    """Approve as it is meant, with a hardware key that asked who is there."""
    signed = scene.order(asking(scene, {"ann": ANN}, verify_required=True))
    return send(scene, signed, signed_by(ANN, payload_of(signed), flags=ssh_signer.UP | UV))


ATTACKS = (
    Attack("an SSH signature of a playbook as a yes", ssh_signature_of_a_playbook, None,
           sets(*_GATE, "ssh_namespace")),
    Attack("an SSH signature of a commit as a yes", ssh_signature_of_a_commit, None, sets(*_GATE)),
    Attack("an SSH key's approval of another order", ssh_for_another_order, None,
           sets(*_GATE, "approval_names_the_deed")),
    Attack("an SSH key's approval of other parameters", ssh_for_other_parameters, None,
           sets(*_GATE, "approval_names_the_deed")),
    Attack("an SSH signature beside another deed", ssh_signature_moved, None,
           sets(*_GATE, "ssh_signs_the_deed")),
    Attack("an SSH key's approval used again", ssh_replayed, None,
           sets(*_GATE, "approval_names_the_deed")),
    Attack("an SSH key that the root does not name", ssh_key_not_in_the_root, None,
           sets(*_GATE, "approver_is_listed")),
    Attack("an SSH key of a kind that is not taken (RSA)", ssh_key_of_another_kind, None,
           sets(*_GATE, "approver_is_listed")),
    Attack("an SSH signature under another's key", ssh_key_under_anothers_name, None,
           sets(*_GATE, "ssh_signs_the_deed")),
    Attack("a hardware SSH key that nobody touched", ssh_without_a_touch, None,
           sets(*_GATE, "ssh_touch")),
    Attack("a hardware SSH key touched for another application", ssh_for_another_application, None,
           sets(*_GATE, "ssh_application")),
    Attack("a hardware SSH key that did not ask who is there", ssh_without_the_person, None,
           sets(*_GATE, "ssh_verified")),
    Attack("an SSH signature cut short", ssh_signature_cut_short, None, sets(*_GATE)),
    Attack("an SSH signature with thousands of bytes behind", ssh_signature_oversized, None,
           sets(*_GATE, "ssh_signature_ends+ssh_signature_size")),
    Attack("one of two SSH keys stolen, used under two names", one_ssh_key_stolen, None,
           sets(*_GATE, "approver_is_the_owner+person_counts_once+approver_counts_once")),
    Attack("one person by passkey and by SSH key, where two have to",
           one_person_by_passkey_and_ssh_key, None, sets(*_GATE, "person_counts_once")),
    Attack("both keys of one person stolen, used under two names", one_person_under_two_names, None,
           sets(*_GATE, "approver_is_the_owner+person_counts_once")),
)  # fmt: skip
