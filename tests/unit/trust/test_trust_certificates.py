import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import ids
from sentienguard.trust import certificates, dsse, pins

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
AGENT = ids.AgentId("4f5a3c1e-8f6e-4a58-9c53-0f2f6f8d2b11")
AUTHORITY = certificates.make_authority("SentienGuard evaluation", now=NOW)
SERVER = certificates.make_server(AUTHORITY, ["localhost"], ["127.0.0.1", "::1"], now=NOW)
REQUEST = certificates.make_request("web-01")
AGENT_PEM = certificates.sign_agent(AUTHORITY, REQUEST.csr_pem, AGENT, now=NOW)


def parsed(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def spki(pem: bytes) -> str:
    key = parsed(pem).public_key()
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize("pem", [AUTHORITY.certificate_pem, SERVER.certificate_pem, AGENT_PEM])
def test_a_pin_is_the_digest_of_the_public_key_info(pem):
    assert pins.spki_sha256(certificates.to_der(pem)) == spki(pem) == certificates.pin_of(pem)


def test_a_certificate_matches_its_own_pin_only():
    der = certificates.to_der(SERVER.certificate_pem)
    assert pins.pinned(der, [spki(AGENT_PEM), spki(SERVER.certificate_pem).upper()])
    assert not pins.pinned(der, [spki(AGENT_PEM)])
    assert not pins.pinned(der, [])


DER = certificates.to_der(SERVER.certificate_pem)


@pytest.mark.parametrize("length", range(0, len(DER), 7))
def test_a_certificate_that_was_cut_off_has_no_pin(length):
    with pytest.raises(pins.BadCertificate):
        pins.spki_sha256(DER[:length])


def test_a_certificate_with_something_behind_it_has_no_pin():
    with pytest.raises(pins.BadCertificate, match="follow"):
        pins.spki_sha256(DER + b"\0")


@pytest.mark.property
@given(st.binary(max_size=64), st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_whatever_bytes_come_they_have_a_pin_or_are_refused(start, at, changed):
    for der in (start, start + DER[len(start) :], DER[:at] + bytes([changed]) + DER[at + 1 :]):
        try:
            assert len(pins.spki_sha256(der)) == 64
        except pins.BadCertificate:
            continue


def test_a_server_is_known_by_its_names_and_signed_by_the_authority():
    found = parsed(SERVER.certificate_pem)
    found.verify_directly_issued_by(parsed(AUTHORITY.certificate_pem))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert found.not_valid_after_utc - NOW == certificates.SERVER_LIFETIME
    assert found.not_valid_before_utc < NOW
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_renewed_server_certificate_keeps_its_pin():
    later = NOW + timedelta(days=300)
    renewed = certificates.renew_server(AUTHORITY, SERVER, ["localhost"], now=later)
    assert renewed.certificate_pem != SERVER.certificate_pem
    assert certificates.pin_of(renewed.certificate_pem) == certificates.pin_of(
        SERVER.certificate_pem
    )


def test_no_certificate_outlives_its_authority():
    late = NOW + certificates.AUTHORITY_LIFETIME - timedelta(days=1)
    short = certificates.make_server(AUTHORITY, ["localhost"], now=late)
    assert (
        parsed(short.certificate_pem).not_valid_after_utc == NOW + certificates.AUTHORITY_LIFETIME
    )
    with pytest.raises(dsse.NotTrusted, match="expired"):
        certificates.make_server(AUTHORITY, ["localhost"], now=late + timedelta(days=1))


def test_an_agent_has_the_id_that_the_authority_gave_it():
    assert certificates.agent_of(certificates.to_der(AGENT_PEM)) == AGENT
    assert (
        spki(AGENT_PEM)
        == hashlib.sha256(
            x509.load_pem_x509_csr(REQUEST.csr_pem)
            .public_key()
            .public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ).hexdigest()
    )


def test_the_names_that_a_request_asks_for_count_for_nothing():
    key = ec.generate_private_key(ec.SECP256R1())
    wished = x509.UniformResourceIdentifier(certificates.AGENT_URI + "another")
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([wished]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificates.sign_agent(
        AUTHORITY, request.public_bytes(serialization.Encoding.PEM), AGENT, now=NOW
    )
    assert certificates.agent_of(certificates.to_der(pem)) == AGENT
    constraints = parsed(pem).extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca


def tampered() -> bytes:
    der = bytearray(
        x509.load_pem_x509_csr(REQUEST.csr_pem).public_bytes(serialization.Encoding.DER)
    )
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)


def of_rsa() -> bytes:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = request.sign(rsa.generate_private_key(65537, 2048), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("csr", [b"", b"junk", AGENT_PEM, tampered(), of_rsa()])
def test_a_request_that_proves_nothing_is_refused(csr):
    with pytest.raises(dsse.NotTrusted):
        certificates.sign_agent(AUTHORITY, csr, AGENT, now=NOW)


@pytest.mark.parametrize("der", [b"", b"junk", DER])
def test_a_certificate_that_names_no_agent_is_nobody(der):
    with pytest.raises(dsse.NotTrusted):
        certificates.agent_of(der)


def test_private_keys_do_not_show_themselves():
    assert "PRIVATE" not in repr(SERVER) + repr(REQUEST)
