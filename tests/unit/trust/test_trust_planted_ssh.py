"""Rules of approvals by SSH keys taken out in turn: an attack that was refused gets through.

So each of them is held by a test: the same attacks stand in test_trust_ssh_approvals, refused.
"""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentienguard.model import errors, ids
from sentienguard.trust import order, ssh_approvals, ssh_keys, sshsig
from tests.support import execution, planted, ssh_signer
from tests.support.ssh_signer import ED25519, SK_ECDSA, SK_ED25519, UP, UV, SshKey

MESSAGE, KIND = b"{}", order.APPROVAL_TYPE
NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANN, BOB = SshKey(SK_ED25519, 81), SshKey(SK_ECDSA, 82)
KEYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "3 the kind": ("if kind != self.kind.encode():", "if False:", {"kind": ED25519}),
    "4 the signature": ("if not self._is_of(said, signed):", "if False:", {"namespace": "git"}),
    "4 the application": ("if not self._is_of(said, signed):", "if False:",
                          {"application": "ssh:other"}),
    "5 the touch": ("if not flags & PRESENT:", "if False:", {"flags": UV}),
}  # fmt: skip
ENVELOPES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "1 the members": (" or set(found) != _MEMBERS", "", {"more": 1}, {}),
    "1 the type": ('if found["payloadType"] != payload_type:', "if False:",
                   {"payloadType": order.ORDER_TYPE}, {}),
    "3 the listed key": ("if one.key.blob == parts.public", "if True", {}, {"blob": BOB.blob}),
    "5 the person": ("if signer.verify_required and not verified:", "if False:", {},
                     {"flags": UP}),
}  # fmt: skip


@pytest.mark.parametrize("rule", KEYS)
def test_a_signature_gets_through_without_its_rule_alone(rule: str) -> None:
    before, after, how = KEYS[rule]
    weaker = planted.module("sentienguard.trust.ssh_keys", before, after)
    parts, right = (_parts(ANN.sign(MESSAGE, **each)) for each in (how, {}))
    for module, taken in ((ssh_keys, False), (weaker, True)):
        key = module.SshKey.from_text(ANN.line)
        assert key.verify(right.signature, right.signed(MESSAGE)) == UP
        assert _goes(key.verify, parts.signature, right.signed(MESSAGE)) is taken


def test_a_key_of_a_web_site_is_read_without_its_rule_alone() -> None:
    before = "if not application.startswith(_APPLICATION) or not fits:"
    weaker = planted.module("sentienguard.trust.ssh_keys", before, "if False:")
    site = dataclasses.replace(ANN, application="guard.example.org")
    for module, taken in ((ssh_keys, False), (weaker, True)):
        assert _goes(module.SshKey.from_text, ANN.line)
        assert _goes(module.SshKey.from_text, site.line) is taken


@pytest.mark.parametrize("rule", ENVELOPES)
def test_an_approval_gets_through_without_its_rule_alone(rule: str) -> None:
    before, after, change, how = ENVELOPES[rule]
    weaker = planted.module("sentienguard.trust.ssh_approvals", before, after)
    for module, taken in ((ssh_approvals, False), (weaker, True)):
        key = module.ApproverSshKey.from_text(f"verify-required {ANN.line}")
        right, wrong = (
            module.envelope(KIND, MESSAGE, ANN.sign(MESSAGE, **{"flags": UP | UV, **each}))
            for each in ({}, how)
        )
        assert module.opened(right, KIND, {key.id: key}).payload == MESSAGE
        assert _goes(module.opened, {**wrong, **change}, KIND, {key.id: key}) is taken


PEOPLE = {
    "a person counts once": ("if mine and (owner is None or not _counts(found, owner, root)):",
                             "if mine:", "ann"),
    "a key is its owner's": ("mine = owner is None or owner.casefold() == name.casefold()",
                             "mine = True", "bob"),
}  # fmt: skip


@pytest.mark.parametrize("rule", PEOPLE)
def test_people_are_miscounted_without_their_rule_alone(rule: str) -> None:
    """Ann signs with two keys of hers; or with one, in Bob's name."""
    before, after, name = PEOPLE[rule]
    weaker = planted.module("sentienguard.trust.order", before, after)
    centre = execution.Centre(now=NOW)
    file = SshKey(ED25519, 83)
    centre.ssh_keys = [ssh_approvals.ApproverSshKey.from_text(one.line) for one in (ANN, file, BOB)]
    names = ("ann", "ann", "bob")
    centre.people = {one.id: each for one, each in zip(centre.ssh_keys, names, strict=True)}
    signed = centre.order(_Remedy(), nonce="ab" * 16)  # type: ignore[arg-type]  # three names
    payload = order.approval_payload(signed.order, name, LATER)
    keys = (ANN, file) if name == "ann" else (ANN,)
    sent = tuple(ssh_approvals.envelope(KIND, payload, one.sign(payload)) for one in keys)
    whole = dataclasses.replace(signed, approvals=sent)
    right = len(keys) - 1
    assert len(order.approved_by(whole, centre.root(), NOW)) == right
    assert len(weaker.approved_by(whole, centre.root(), NOW)) == right + 1


@dataclasses.dataclass
class _Remedy:
    name: str = "asking"
    version: str = "1.0.0"
    digest: ids.Digest = ids.Digest("sha256:" + "0" * 64)  # noqa: RUF009 - text


def _parts(armoured: str) -> sshsig.Parts:
    of_git = b"\0\0\0\3git" in ssh_signer.unwrapped(armoured)
    return sshsig.taken_apart(armoured, "git" if of_git else ssh_approvals.NAMESPACE)


def _goes(ask: Any, *given: Any) -> bool:
    try:
        ask(*given)
    except errors.Rejected:
        return False
    return True
