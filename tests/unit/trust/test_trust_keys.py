import base64
import hashlib

import pytest

from sentienguard.trust import keys, sealed

ONE = keys.SigningKey.from_seed(b"1" * 32)
# RFC 8032, section 7.1, test 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_keys_and_signatures_are_those_of_rfc_8032():
    key = keys.SigningKey.from_seed(SEED)
    assert key.public.raw == PUBLIC
    assert key.sign(b"\x72") == SIGNATURE
    assert key.public.verify(SIGNATURE, b"\x72")


def test_a_key_id_is_the_beginning_of_the_digest_of_the_raw_key():
    assert ONE.id == ONE.public.id == hashlib.sha256(ONE.public.raw).hexdigest()[:16]


def test_a_private_key_survives_pem_and_does_not_show_itself():
    pem = ONE.to_pem()
    assert keys.SigningKey.from_pem(pem).public == ONE.public
    assert repr(ONE) == f"SigningKey({ONE.id})"


def test_a_public_key_survives_text():
    assert keys.VerifyKey.from_text(ONE.public.text) == ONE.public
    assert b"BEGIN PUBLIC KEY" in ONE.public.to_pem()


def test_generated_keys_differ():
    assert keys.SigningKey.generate().public != keys.SigningKey.generate().public


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (ONE.sign(b"m"), b"n"),
        (ONE.sign(b"m")[:-1], b"m"),
        (ONE.sign(b"m") + b"\0", b"m"),
        (b"", b"m"),
        (keys.SigningKey.generate().sign(b"m"), b"m"),
    ],
)
def test_anything_but_the_signature_of_this_message_is_refused(signature, message):
    assert not ONE.public.verify(signature, message)


@pytest.mark.parametrize(
    "text",
    ["", "AAAA", "not base64!", base64.b64encode(b"1" * 33).decode(), ONE.public.text + "\n"],
)
def test_text_that_is_no_public_key_is_refused(text):
    with pytest.raises(keys.BadKey):
        keys.VerifyKey.from_text(text)


@pytest.mark.parametrize(
    "pem", [b"", b"-----BEGIN PRIVATE KEY-----\nsecret\n", ONE.public.to_pem()]
)
def test_a_pem_without_a_private_key_is_refused_without_quoting_it(pem):
    with pytest.raises(keys.BadKey) as refused:
        keys.SigningKey.from_pem(pem)
    assert "secret" not in str(refused.value)


def test_a_seed_of_the_wrong_length_is_refused():
    with pytest.raises(keys.BadKey):
        keys.SigningKey.from_seed(b"1")


def test_a_blob_opens_with_its_key_under_its_name_only():
    key, other = b"k" * 32, b"l" * 32
    closed = sealed.seal(key, b"output of a step", "name")
    assert b"output" not in closed
    assert sealed.unseal(key, closed, "name") == b"output of a step"
    for wrong_key, wrong_bytes, wrong_name in [
        (other, closed, "name"),
        (key, closed[:-1] + bytes([closed[-1] ^ 1]), "name"),
        (key, closed, "other"),
        (b"short", closed, "name"),
        (key, b"", "name"),
    ]:
        with pytest.raises(sealed.NotSealedByThis):
            sealed.unseal(wrong_key, wrong_bytes, wrong_name)


@pytest.mark.parametrize(
    "length",
    [0, 200, *(bound + more for bound in (keys.SHORT_BYTES, keys.LONG_BYTES) for more in (0, 1))],
)
def test_an_answer_that_is_remembered_is_of_these_bytes_alone(length):
    key, other = keys.SigningKey.from_seed(b"a" * 32), keys.SigningKey.from_seed(b"b" * 32)
    message = b"m" * length
    signature = key.sign(message)
    changed = bytes([signature[0] ^ 1]) + signature[1:]
    for _ in range(2):  # the second time from memory
        assert key.public.verify(signature, message)
        assert not key.public.verify(changed, message)
        assert not key.public.verify(signature, message + b"m")
        assert not other.public.verify(signature, message)
