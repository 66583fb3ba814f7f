"""Passkeys: each rule of trust.webauthn has an attack that is stopped by it alone."""

import hashlib
import json
import struct
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import errors
from sentienguard.trust import cbor, encoding, webauthn
from tests.support import authenticator
from tests.support.authenticator import AT, UP, UV, Passkey

PARTY = webauthn.Party("guard.example.org", "https://guard.example.org")
CHALLENGE = hashlib.sha256(b"the order that was shown").digest()
OTHER = hashlib.sha256(b"another order").digest()


def passkey(**parts) -> Passkey:
    return Passkey(PARTY.id, PARTY.origin, **parts)


@pytest.mark.parametrize("kind", ["ES256", "EdDSA", "RS256"])
def test_a_passkey_is_registered_and_answers(kind: str) -> None:
    mine = passkey(key=authenticator.keys()[kind], counter=3)
    known = webauthn.register(PARTY, CHALLENGE, *mine.make(CHALLENGE))
    assert known == webauthn.Registered(mine.credential, mine.public_key(), 3)
    assert webauthn.verify(PARTY, OTHER, known, mine.answer(OTHER, counter=4)) == 4


ATTACKS = {
    "made for registering": (1, {"kind": "webauthn.create"}),
    "made for a payment": (1, {"kind": "payment.get"}),
    "another order's digest": (2, {"challenge": encoding.base64url(OTHER)}),
    "no challenge": (2, {"challenge": None}),
    "an empty challenge": (2, {"challenge": ""}),
    "the challenge in another spelling": (2, {"challenge": encoding.base64url(CHALLENGE) + "="}),
    "a page that looks like ours": (3, {"origin": "https://guard.example.org.evil.example"}),
    "our page in clear text": (3, {"origin": "http://guard.example.org"}),
    "our page at another port": (3, {"origin": "https://guard.example.org:8443"}),
    "no origin": (3, {"origin": None}),
    "inside another's page": (3, {"crossOrigin": True}),
    "inside another's page, said as text": (3, {"crossOrigin": "false"}),
    "another relying party": (4, {"party": "evil.example"}),
    "the relying party above": (4, {"party": "example.org"}),
    "nobody there": (5, {"flags": UV}),
    "nobody showed who they are": (5, {"flags": UP}),
    "no flags": (5, {"flags": 0}),
    "a counter that stands": (8, {"counter": 7}),
    "a counter that fell back": (8, {"counter": 6}),
    "a counter that was lost": (8, {"counter": 0}),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_by_its_rule(name: str) -> None:
    rule, changes = ATTACKS[name]
    mine = passkey()
    known = webauthn.Registered(mine.credential, mine.public_key(), 7)
    right = mine.answer(CHALLENGE, counter=8)
    assert webauthn.verify(PARTY, CHALLENGE, known, right) == 8
    with pytest.raises(webauthn.AssertionWrong, match=f"rule {rule}"):
        webauthn.verify(PARTY, CHALLENGE, known, mine.answer(CHALLENGE, **{"counter": 8} | changes))


@pytest.mark.parametrize(
    ("rule", "changes"),
    [(1, {"type": "webauthn.get"}), (2, {"challenge": encoding.base64url(OTHER)}),
     (3, {"origin": "https://evil.example"}), (4, {"party": "evil.example"}),
     (5, {"flags": UP | AT}), (5, {"flags": UV | AT})],
)  # fmt: skip
def test_an_attack_on_registering_is_refused_by_its_rule(rule: int, changes) -> None:
    with pytest.raises(webauthn.AssertionWrong, match=f"rule {rule}"):
        webauthn.register(PARTY, CHALLENGE, *passkey().make(CHALLENGE, **changes))


@pytest.mark.parametrize("kind", ["ES256", "EdDSA", "RS256"])
def test_a_signature_counts_for_its_key_and_its_words_only(kind: str) -> None:
    keys = authenticator.keys()
    mine = passkey(key=keys.pop(kind), counter=1)
    known = webauthn.Registered(mine.credential, mine.public_key(), 0)
    right = mine.answer(CHALLENGE)
    later = struct.pack(">I", 9)
    bad = [
        replace(right, signature=right.signature[:-1] + bytes([right.signature[-1] ^ 1])),
        replace(right, signature=b""),
        replace(right, authenticator_data=right.authenticator_data[:33] + later),
        replace(right, client_data=right.client_data.replace(b'": ', b'":')),
        passkey(key=authenticator.keys()[kind], counter=1).answer(CHALLENGE),
        *(passkey(key=other, counter=1).answer(CHALLENGE) for other in keys.values()),
    ]
    for one in bad:
        with pytest.raises(webauthn.AssertionWrong, match="rule 7"):
            webauthn.verify(PARTY, CHALLENGE, known, one)
    assert webauthn.verify(PARTY, CHALLENGE, known, right) == 1


def test_an_authenticator_without_a_counter_says_nought_each_time() -> None:
    mine = passkey()
    known = webauthn.Registered(mine.credential, mine.public_key(), 0)
    assert webauthn.verify(PARTY, CHALLENGE, known, mine.answer(CHALLENGE)) == 0


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 1024)],
    ids=["P-384", "RSA of 1024 bits"],
)
def test_a_key_of_another_kind_is_not_taken(key) -> None:
    with pytest.raises(webauthn.AssertionWrong, match="rule 6"):
        webauthn.register(PARTY, CHALLENGE, *passkey(key=key).make(CHALLENGE))


@pytest.mark.parametrize(
    "said",
    [
        {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)},  # not on the curve
        {1: 2, 3: -7, -1: 1, -2: bytes(31), -3: bytes(32)},
        {1: 2, 3: -8, -1: 1, -2: bytes(32), -3: bytes(32)},  # the key of one, the name of another
        {1: 1, 3: -8, -1: 6, -2: bytes(31)},
        {1: 3, 3: -257, -1: b"\xff" * 256, -2: b"\x02"},
        {},
        [],
    ],
)
def test_a_key_that_is_none_is_refused(said) -> None:
    mine = passkey()
    known = webauthn.Registered(mine.credential, authenticator.cbor(said), 0)
    with pytest.raises(webauthn.AssertionWrong):
        webauthn.verify(PARTY, CHALLENGE, known, mine.answer(CHALLENGE))


def test_a_member_that_stands_twice_is_no_way_to_say_two_things() -> None:
    mine = passkey()
    known = webauthn.Registered(mine.credential, mine.public_key(), 0)
    twice = mine.client_data("webauthn.get", CHALLENGE)[:-1] + b', "origin": "https://evil"}'
    assert json.loads(twice)["origin"] == "https://evil"
    data = mine.data()
    given_twice = webauthn.Assertion(twice, data, mine.sign(data, twice))
    with pytest.raises(webauthn.AssertionWrong, match="each member once"):
        webauthn.verify(PARTY, CHALLENGE, known, given_twice)


@given(client=st.binary(max_size=80), data=st.binary(max_size=80), signature=st.binary(max_size=80))
def test_whatever_comes_is_refused_in_our_words(client, data, signature) -> None:
    mine = passkey()
    known = webauthn.Registered(mine.credential, mine.public_key(), 0)
    for given_client in (client, mine.client_data("webauthn.get", CHALLENGE)):
        for given_data in (data, mine.data()):
            with pytest.raises(webauthn.AssertionWrong):
                webauthn.verify(
                    PARTY,
                    CHALLENGE,
                    known,
                    webauthn.Assertion(given_client, given_data, signature),
                )
    with pytest.raises(webauthn.AssertionWrong):
        webauthn.register(PARTY, CHALLENGE, client, data)


@given(cut=st.integers(0, 200), flip=st.integers(0, 255))
def test_a_registration_that_was_cut_or_changed_never_crashes(cut: int, flip: int) -> None:
    client, attestation = passkey().make(CHALLENGE)
    changed = bytearray(attestation)
    changed[cut % len(changed)] ^= flip
    for tampered in (attestation[:cut], bytes(changed)):
        try:
            webauthn.register(PARTY, CHALLENGE, client, tampered)
        except webauthn.AssertionWrong:
            continue


ITEMS = st.recursive(
    st.integers(-(2**63), 2**63) | st.binary(max_size=300) | st.text(max_size=30) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-9, 99) | st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=7,
)


@given(item=ITEMS)
def test_what_a_second_writer_wrote_is_read(item) -> None:
    written = authenticator.cbor(item)
    assert cbor.decode(written) == item


@pytest.mark.parametrize(
    "data",
    [b"", b"\x18", b"\x5f\x41a\xff", b"\xbf\xff", b"\xc0\x00", b"\xf9\x00\x00", b"\xfb" + bytes(8),
     b"\x9b" + b"\xff" * 8, b"\x5b" + b"\xff" * 8, b"\xa2\x01\x00\x01\x00", b"\xa1\xf5\x00",
     b"\xa1\x41a\x00", b"\x61\xff", b"\x81" * 40, b"\x00\x00", b"\xf8\x14"],
)  # fmt: skip
def test_what_authenticators_do_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(cbor.NotCbor):
        cbor.decode(data)


@pytest.mark.parametrize("text", ["a", "=", "YQ==", "YR", "Y Q", "Y+", "YQ\n", "\u00e4"])
def test_bytes_have_one_spelling(text: str) -> None:
    with pytest.raises(errors.Rejected):
        encoding.from_base64url(text)


@given(data=st.binary(max_size=100))
def test_bytes_come_back(data: bytes) -> None:
    assert encoding.from_base64url(encoding.base64url(data)) == data
