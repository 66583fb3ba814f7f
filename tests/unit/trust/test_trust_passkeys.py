"""Roots that name passkeys, and approvals by them; tests/attacks has each attack on a host."""

import base64
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sentienguard.model import errors
from sentienguard.trust import bundle as bundles
from sentienguard.trust import canonical, ceremony, dsse, order, passkeys, root, webauthn
from tests.support import authenticator, execution
from tests.support.authenticator import Passkey

PARTY = webauthn.Party("guard.example.org", "https://guard.example.org")
NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANN, BOB = (Passkey(PARTY.id, PARTY.origin) for _ in range(2))


def key_of(person):
    return passkeys.ApproverKey(person.public_key(), PARTY)


def centre(*people, approvers=0):
    made = execution.Centre(now=NOW, approvers=approvers)
    made.passkeys = [key_of(one) for one in people]
    return made


def order_of(made):
    return made.order(dataclasses.replace(REMEDY), nonce="ab" * 16)


@dataclasses.dataclass
class Named:
    name: str = "asking"
    version: str = "1.0.0"
    digest: str = "sha256:" + "0" * 64


REMEDY = Named()


def approved(signed, person, name):
    payload = order.approval_payload(signed.order, name, LATER)
    challenge = passkeys.challenge(order.APPROVAL_TYPE, payload)
    key = key_of(person)
    return passkeys.envelope(order.APPROVAL_TYPE, payload, key.id, person.answer(challenge))


def test_a_root_without_passkeys_has_the_bytes_that_it_always_had():
    payload = base64.b64decode(centre(approvers=2).root_envelope()["payload"])
    assert "passkeys" not in canonical.decode(payload)
    assert set(canonical.decode(payload)) == {
        "v", "version", "expires_ms", "keys", "roles", "log_origin",
    }  # fmt: skip


def test_a_passkey_and_a_key_file_approve_together():
    made = centre(ANN, approvers=1)
    signed = order_of(made)
    file = order.seal_approval(signed.order, "bob", made.approvers[0], expires_at=LATER)
    both = dataclasses.replace(signed, approvals=(approved(signed, ANN, "ann"), file))
    found = order.require_approvals(both, made.root(), NOW)
    assert found == {key_of(ANN).id: "ann", made.approvers[0].id: "bob"}
    with pytest.raises(dsse.NotTrusted, match="1 are valid"):
        order.require_approvals(dataclasses.replace(both, approvals=(file,)), made.root(), NOW)


@pytest.mark.parametrize("kind", ["ES256", "EdDSA", "RS256"])
def test_each_kind_of_passkey_approves(kind):
    person = Passkey(PARTY.id, PARTY.origin, key=authenticator.keys()[kind])
    made = centre(person)
    signed = order_of(made)
    sent = dataclasses.replace(signed, approvals=(approved(signed, person, "ann"),))
    opened = order.open_order(order.seal_order(sent, made.dispatch), made.root())
    assert order.approved_by(opened, made.root(), NOW) == {key_of(person).id: "ann"}


def test_a_passkey_signs_nothing_but_approvals():
    made = centre(ANN)
    assert made.root().trusted(root.RoleName.APPROVER) == {}
    envelope = made.root_envelope()
    payload = canonical.decode(base64.b64decode(envelope["payload"]))
    for role in ("root", "signer", "dispatch", "log"):
        changed = {**payload, "roles": {**payload["roles"], role: {
            "keyids": [key_of(ANN).id], "threshold": 1}}}  # fmt: skip
        sealed = dsse.seal(root.PAYLOAD_TYPE, canonical.encode(changed), [made.root_key])
        with pytest.raises(dsse.NotTrusted, match="unlisted"):
            root.claimed(sealed)


def test_an_ed25519_key_has_one_id_as_a_passkey_and_as_a_key():
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([20]) * 32)
    person = Passkey(PARTY.id, PARTY.origin, key=key)
    assert key_of(person).id == execution.key(20).id
    with pytest.raises(dsse.NotTrusted, match="rule 8"):
        centre(person, approvers=1).root_envelope()


@pytest.mark.parametrize(
    "change",
    [
        {"public_key": "*"},
        {"public_key": base64.b64encode(b"\xa0").decode()},
        {"public_key": base64.b64encode(BOB.public_key()).decode()},
        {"party": "evil.example"},
        {"party": "Guard.example.org"},
        {"origin": "http://guard.example.org"},
        {"origin": "https://guard.example.org.evil.example"},
        {"origin": "https://guard.example.org/path"},
        {"origin": 1},
        {"more": "x"},
    ],
)
def test_a_passkey_of_another_form_spoils_the_root(change):
    made = centre(ANN)
    payload = canonical.decode(base64.b64decode(made.root_envelope()["payload"]))
    ((keyid, one),) = payload["passkeys"].items()
    payload["passkeys"] = {keyid: {**one, **change}}
    sealed = dsse.seal(root.PAYLOAD_TYPE, canonical.encode(payload), [made.root_key])
    with pytest.raises(dsse.NotTrusted):
        root.claimed(sealed)


def test_the_line_of_an_account_page_comes_back():
    key = key_of(ANN)
    assert passkeys.ApproverKey.from_text(key.text) == key
    for bad in ("", "webauthn a b", key.text + " more", key.text.replace("webauthn", "ssh"),
                key.text.replace("https", "http"), "webauthn x https://x *"):  # fmt: skip
        with pytest.raises(errors.Rejected):
            passkeys.ApproverKey.from_text(bad)


def test_a_ceremony_adds_keeps_and_removes_passkeys():
    made = centre(ANN)
    start = bundles.Bundle(roots=(made.root_envelope(),))
    added = ceremony.rotate(start, ceremony.Change(LATER, passkeys=(key_of(BOB),)))
    assert set(added.last.approving_passkeys) == {key_of(ANN).id, key_of(BOB).id}
    signed, _ = bundles.sign(added, made.root_key)
    gone = ((root.RoleName.APPROVER, key_of(ANN).id),)
    removed = ceremony.rotate(signed, ceremony.Change(LATER, remove=gone))
    assert set(removed.last.passkeys) == {key_of(BOB).id}
    with pytest.raises(ceremony.CannotDraft):
        ceremony.rotate(signed, ceremony.Change(LATER, remove=((root.RoleName.APPROVER, "0"),)))


@pytest.mark.parametrize(
    "junk",
    [{}, {"passkey": 1}, {"payloadType": order.APPROVAL_TYPE, "payload": "", "passkey": {}},
     {"payloadType": order.APPROVAL_TYPE, "payload": 1, "passkey": {
         "keyid": [], "client_data": 1, "authenticator_data": None, "signature": ""}}],
)  # fmt: skip
def test_what_is_no_approval_adds_nobody_and_raises_nothing(junk):
    made = centre(ANN)
    signed = order_of(made)
    sent = dataclasses.replace(signed, approvals=(junk, approved(signed, ANN, "ann")))
    assert order.approved_by(sent, made.root(), NOW) == {key_of(ANN).id: "ann"}


def test_another_curve_is_no_approver():
    with pytest.raises(webauthn.AssertionWrong):
        key_of(Passkey(PARTY.id, PARTY.origin, key=ec.generate_private_key(ec.SECP384R1())))
