"""The authority of the TLS links, and what it signs.

Called by `up` and by the control plane's enrolment (authority, server, agents), by the agent's
enrolment (request). ECDSA P-256, because browsers, which open the same port, accept no Ed25519
certificates. Keys and serial numbers come from the operating system's entropy; time is an argument.

A request proves possession of a key and says nothing else that counts: the authority writes the
agent id that *it* gave, whatever names the request asks for.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeGuard

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sentienguard.model import ids
from sentienguard.trust import dsse, pins

AUTHORITY_LIFETIME: Final = timedelta(
    days=825
)  # the longest that Apple's clients accept in a chain
SERVER_LIFETIME: Final = timedelta(days=397)  # browsers refuse server certificates from 398 days
AGENT_LIFETIME: Final = timedelta(hours=24)  # a copy of a host's files is of use for no longer
RENEWED_LATE: Final = timedelta(days=30)  # after its end; who was away for longer enrols again
CLOCK_SKEW: Final = timedelta(minutes=5)  # hosts whose clock is a little behind can begin at once
_NOT_OURS: Final = (
    exceptions.InvalidSignature, exceptions.UnsupportedAlgorithm, ValueError, TypeError,
)  # fmt: skip
AGENT_URI: Final = "urn:sentienguard:agent:"  # then the agent id


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, both PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A certificate signing request and its private key, both PEM."""

    csr_pem: bytes
    key_pem: bytes = field(repr=False)


def make_authority(name: str, *, now: datetime) -> Issued:
    """Make a self-signed authority that may sign end certificates and no further authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    usage = _usage(signs_certificates=True)
    builder = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    return Issued(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def make_server(
    authority: Issued, names: Sequence[str], addresses: Sequence[str] = (), *, now: datetime
) -> Issued:
    """Make a key and a certificate for a server of these DNS names and IP addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Issued(
        sign_server(authority, key.public_key(), names, addresses, now=now), _key_pem(key)
    )


def renew_server(
    authority: Issued, server: Issued, names: Sequence[str], addresses: Sequence[str] = (),
    *, now: datetime,
) -> Issued:  # fmt: skip
    """Make a new certificate for the key that a server has already, so that pins keep matching."""
    key = _private(server.key_pem)
    return Issued(
        sign_server(authority, key.public_key(), names, addresses, now=now), server.key_pem
    )


def sign_server(
    authority: Issued,
    public: ec.EllipticCurvePublicKey,
    names: Sequence[str],
    addresses: Sequence[str],
    *,
    now: datetime,
) -> bytes:
    """Return the PEM certificate of a server's public key."""
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    subject = _named([*names, *addresses][0])
    return _end_certificate(
        authority,
        subject,
        public,
        names=alternatives,
        purpose=ExtendedKeyUsageOID.SERVER_AUTH,
        now=now,
        lifetime=SERVER_LIFETIME,
    )


def make_request(host: str) -> Request:
    """Make a key on this host and a request that proves possession of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(_named(host))
    signed = request.sign(key, hashes.SHA256())
    return Request(signed.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def sign_agent(
    authority: Issued,
    csr_pem: bytes,
    agent: ids.AgentId,
    *,
    now: datetime,
    lifetime: timedelta = AGENT_LIFETIME,
) -> bytes:
    """Return the PEM certificate by which an agent is known: its id as common name and URI.

    Raises dsse.NotTrusted for a request that does not prove possession of an accepted kind of key.
    """
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        public, valid = request.public_key(), request.is_signature_valid
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise dsse.NotTrusted("expected a PEM certificate signing request") from error
    if not valid:
        raise dsse.NotTrusted("the request is not signed by the key that it is for")
    if not (_is_p256(public) or isinstance(public, ed25519.Ed25519PublicKey)):
        raise dsse.NotTrusted("expected a P-256 or Ed25519 key in the request")
    return _agent_certificate(authority, public, agent, now, lifetime)


def renew_agent(
    authority: Issued,
    der: bytes,
    *,
    now: datetime,
    lifetime: timedelta = AGENT_LIFETIME,
    before: Sequence[bytes] = (),
) -> bytes:
    """Return a new PEM certificate for the key and the agent of one that we signed.

    `before` are PEM certificates of authorities that signed before this one. It may have ended,
    though no longer than RENEWED_LATE ago: what else proves who asks then is for the caller. Raises
    dsse.NotTrusted.
    """
    agent = agent_of(der)
    found = x509.load_der_x509_certificate(der)
    if not any(issued_by(der, one) for one in (authority.certificate_pem, *before)):
        raise dsse.NotTrusted("this certificate was not signed by our authority")
    try:
        public = found.public_key()
    except _NOT_OURS as error:
        raise dsse.NotTrusted("expected a key that we know in the certificate") from error
    if now > found.not_valid_after_utc + RENEWED_LATE:
        raise dsse.NotTrusted(
            f"the certificate ended at {found.not_valid_after_utc:%Y-%m-%d %H:%M}Z, more than "
            f"{RENEWED_LATE.days} days ago; enrol the host again"
        )
    if not (_is_p256(public) or isinstance(public, ed25519.Ed25519PublicKey)):
        raise dsse.NotTrusted("expected a P-256 or Ed25519 key in the certificate")
    return _agent_certificate(authority, public, agent, now, lifetime)


def issued_by(der: bytes, authority_pem: bytes) -> bool:
    """Tell whether an authority signed a certificate, its dates aside."""
    found = x509.load_der_x509_certificate(der)
    try:
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_pem))
    except _NOT_OURS:
        return False
    return True


def _agent_certificate(
    authority: Issued,
    public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
    agent: ids.AgentId,
    now: datetime,
    lifetime: timedelta,
) -> bytes:
    return _end_certificate(
        authority,
        _named(agent),
        public,
        names=[x509.UniformResourceIdentifier(AGENT_URI + agent)],
        purpose=ExtendedKeyUsageOID.CLIENT_AUTH,
        now=now,
        lifetime=lifetime,
    )


def agent_of(certificate_der: bytes) -> ids.AgentId:
    """Return whose client certificate this is, its chain being checked by TLS.

    Raises dsse.NotTrusted.
    """
    try:
        found = x509.load_der_x509_certificate(certificate_der)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise dsse.NotTrusted("expected a client certificate with the name of an agent") from error
    agents = [uri.removeprefix(AGENT_URI) for uri in uris if uri.startswith(AGENT_URI)]
    if len(agents) != 1:
        raise dsse.NotTrusted(f"expected a certificate of one agent, got names {uris}")
    return ids.AgentId(agents[0])


def to_der(certificate_pem: bytes) -> bytes:
    """Return a PEM certificate as DER. Raises dsse.NotTrusted."""
    try:
        found = x509.load_pem_x509_certificate(certificate_pem)
    except ValueError as error:
        raise dsse.NotTrusted("expected a PEM certificate") from error
    return found.public_bytes(serialization.Encoding.DER)


def pin_of(certificate_pem: bytes) -> str:
    """Return what an agent pins: the hex SHA-256 of the certificate's public key."""
    return pins.spki_sha256(to_der(certificate_pem))


def make_key() -> bytes:
    """Make a key for a server, PEM."""
    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def pin_of_key(key_pem: bytes) -> str:
    """Return what an agent pins of a private key's server. Raises ValueError, dsse.NotTrusted."""
    public = (
        _private(key_pem)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return hashlib.sha256(public).hexdigest()


def _end_certificate(
    authority: Issued,
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
    *,
    names: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    now: datetime,
    lifetime: timedelta,
) -> bytes:
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem)
    issuer_key = _private(authority.key_pem)
    lasts = min(lifetime, issuer.not_valid_after_utc - now)  # none outlives its authority
    if lasts <= timedelta(0):
        raise dsse.NotTrusted(
            f"the authority expired at {issuer.not_valid_after_utc:%Y-%m-%d %H:%M}Z; make a new one"
        )
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        _builder(subject, issuer.subject, public, now, lasts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(identifier, critical=False)
    )
    return _pem(builder.sign(issuer_key, hashes.SHA256()))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def first_of(pem: bytes) -> bytes:
    """Return the first certificate of a PEM file, DER. Raises ValueError for none."""
    found = x509.load_pem_x509_certificates(pem)
    return found[0].public_bytes(serialization.Encoding.DER)


def life_of(der: bytes) -> tuple[datetime, datetime]:
    """Return when a certificate begins and ends, UTC. Raises ValueError for what is none."""
    found = x509.load_der_x509_certificate(der)
    return found.not_valid_before_utc, found.not_valid_after_utc


def names_of(der: bytes) -> tuple[set[str], set[str]]:
    """Return the DNS names and the IP addresses that a certificate names. Raises ValueError."""
    found = x509.load_der_x509_certificate(der)
    try:
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set(), set()
    addresses = {str(one) for one in named.get_values_for_type(x509.IPAddress)}
    return set(named.get_values_for_type(x509.DNSName)), addresses


def _is_p256(public: object) -> TypeGuard[ec.EllipticCurvePublicKey]:
    return isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])  # X.520: at most 64


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise dsse.NotTrusted(f"expected a P-256 key, got a {type(key).__name__}")
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
