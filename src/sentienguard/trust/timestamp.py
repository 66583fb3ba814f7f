"""RFC 3161: a time-stamp authority's word that bytes existed at a time.

Called by the adapter that anchors checkpoints and by whoever checks an anchor. Pure. A token is
believed under these rules, cited below:

1. The answer grants the request, and the token is CMS signed data over a TSTInfo.
2. It stamps the SHA-256 of our bytes, with the nonce of our request where one is known.
3. One signer; its attributes name the content's type and digest and its certificate's digest.
4. The signature over the attributes is the certificate's.
5. The certificate is for time stamping and for nothing else, and was valid at the stamped time.
6. The certificate is a trusted one or was issued by one, directly or over certificates that came
   with the token, each of which may issue.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import oid

from sentienguard.model import errors
from sentienguard.trust import der

_SHA256: Final = der.write_oid("2.16.840.1.101.3.4.2.1")
_SIGNED_DATA: Final = der.write_oid("1.2.840.113549.1.7.2")
_TST_INFO: Final = der.write_oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE: Final = der.write_oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = der.write_oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE: Final = der.write_oid("1.2.840.113549.1.9.16.2.12")  # SHA-1, RFC 2634
_SIGNING_CERTIFICATE_2: Final = der.write_oid("1.2.840.113549.1.9.16.2.47")  # RFC 5035
_NULL: Final = b"\x05\x00"
_EXPLICIT_0, _EXPLICIT_1 = 0xA0, 0xA1
_GRANTED: Final = frozenset({0, 1})  # granted, granted with modifications
_LONGEST_PATH: Final = 5
_UNREADABLE: Final = (  # what reading a bent token or a bent certificate can raise
    der.BadDer,
    ValueError,
    LookupError,
    OverflowError,
    StopIteration,
    exceptions.UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_HASHES: Final[dict[bytes, Callable[[], hashes.HashAlgorithm]]] = {
    _SHA256: hashes.SHA256,
    der.write_oid("2.16.840.1.101.3.4.2.2"): hashes.SHA384,
    der.write_oid("2.16.840.1.101.3.4.2.3"): hashes.SHA512,
}


class NotStamped(errors.Rejected):
    """The answer is no time stamp of these bytes by a trusted authority."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an authority says."""

    at: datetime  # UTC
    serial: int
    authority: str  # subject of its certificate


def request(data: bytes, nonce: int) -> bytes:
    """Return the question for a stamp of `data`, asking for the certificate too."""
    imprint = der.write(
        der.SEQUENCE,
        der.write(der.SEQUENCE, _SHA256, _NULL),
        der.write(der.OCTETS, hashlib.sha256(data).digest()),
    )
    return der.write(
        der.SEQUENCE,
        der.write_number(1),
        imprint,
        der.write_number(nonce),
        der.write(der.BOOLEAN, b"\xff"),
    )


def verify(
    response: bytes, data: bytes, authorities: Sequence[bytes], *, nonce: int | None = None
) -> Stamp:
    """Return what the stamp says. `authorities` are PEM texts of trusted certificates.

    Raises NotStamped naming the rule that was broken.
    """
    try:
        trusted = [one for text in authorities for one in x509.load_pem_x509_certificates(text)]
        return _verify(response, data, trusted, nonce)
    except _UNREADABLE as error:
        raise NotStamped(f"the answer is no time stamp: {error}") from error


def _verify(
    response: bytes, data: bytes, trusted: Sequence[x509.Certificate], nonce: int | None
) -> Stamp:
    status, *tokens = der.read(response).expect(der.SEQUENCE, "answer").children()
    said = status.children()[0].number
    if said not in _GRANTED or not tokens:
        raise NotStamped(f"the authority refused: status {said}")  # rule 1
    content, signer, certificates = _signed_data(tokens[0])
    fields = der.read(content).expect(der.SEQUENCE, "TSTInfo").children()
    _imprint(fields, data, nonce)
    at = _time(fields[4])
    certificate = _signed_by(signer, content, certificates or tuple(trusted))
    _may_stamp(certificate, at)
    _issued(certificate, certificates, trusted, at)
    return Stamp(at, fields[3].number, certificate.subject.rfc4514_string())


def _signed_data(
    token: der.Element,
) -> tuple[bytes, tuple[der.Element, ...], tuple[x509.Certificate, ...]]:
    kind, wrapped = token.expect(der.SEQUENCE, "token").children()
    if kind.whole != _SIGNED_DATA:
        raise NotStamped("the token is no CMS signed data")  # rule 1
    _, _, encapsulated, *rest = wrapped.children()[0].children()
    what, content = encapsulated.children()
    if what.whole != _TST_INFO:
        raise NotStamped("the token signs something else than a TSTInfo")  # rule 1
    certificates = tuple(
        x509.load_der_x509_certificate(one.whole)
        for part in rest
        if part.tag == _EXPLICIT_0
        for one in part.children()
    )
    signers = rest[-1].expect(der.SET, "signers").children()
    if len(signers) != 1:
        raise NotStamped(f"expected one signer, found {len(signers)}")  # rule 3
    return content.children()[0].content, signers[0].children(), certificates


def _imprint(fields: Sequence[der.Element], data: bytes, nonce: int | None) -> None:
    algorithm, digest = fields[2].children()
    if algorithm.children()[0].whole != _SHA256:
        raise NotStamped("the stamp is not over SHA-256")  # rule 2
    if digest.content != hashlib.sha256(data).digest():
        raise NotStamped("the stamp is over other bytes")  # rule 2
    numbers = [one.number for one in fields[5:] if one.tag == der.INTEGER]
    if nonce is not None and nonce not in numbers:
        raise NotStamped("the stamp does not answer this request: its nonce differs")  # rule 2


def _time(element: der.Element) -> datetime:
    text = element.expect(der.TIME, "time").content.decode("ascii")
    plain, _, fraction = text.removesuffix("Z").partition(".")
    whole = datetime.strptime(plain, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return whole.replace(microsecond=int(fraction.ljust(6, "0")[:6] or "0"))


def _signed_by(
    signer: tuple[der.Element, ...], content: bytes, known: Iterable[x509.Certificate]
) -> x509.Certificate:
    """Return the certificate whose signature it is: rules 3 and 4."""
    _, _, digest_algorithm, attributes, _, signature = signer[:6]
    algorithm = _HASHES.get(digest_algorithm.children()[0].whole)
    if algorithm is None or attributes.tag != _EXPLICIT_0:
        raise NotStamped("the signer uses no SHA-2 digest, or signs no attributes")
    found = {
        kind.whole: values for kind, values in (one.children() for one in attributes.children())
    }
    digest = hashes.Hash(algorithm())
    digest.update(content)
    if found[_CONTENT_TYPE].children()[0].whole != _TST_INFO or (
        found[_MESSAGE_DIGEST].children()[0].content != digest.finalize()
    ):
        raise NotStamped("the signed attributes are of another content")
    certificate = _named(found, known)
    _check(certificate, signature.content, der.write(der.SET, attributes.content), algorithm())
    return certificate


def _named(
    attributes: dict[bytes, der.Element], known: Iterable[x509.Certificate]
) -> x509.Certificate:
    if (values := attributes.get(_SIGNING_CERTIFICATE_2)) is not None:
        name, algorithm = "sha256", _first_id(values)
        if algorithm.children()[0].tag == der.SEQUENCE:
            chosen = _HASHES.get(algorithm.children()[0].children()[0].whole)
            if chosen is None:
                raise NotStamped("the certificate is named by an unknown digest")
            name = chosen().name
        wanted = next(one for one in algorithm.children() if one.tag == der.OCTETS).content
    elif (values := attributes.get(_SIGNING_CERTIFICATE)) is not None:
        name, wanted = "sha1", _first_id(values).children()[0].content
    else:
        raise NotStamped("the signed attributes name no certificate")
    for one in known:
        if hashlib.new(name, one.public_bytes(Encoding.DER)).digest() == wanted:
            return one
    raise NotStamped("the signer's certificate is not there")


def _first_id(values: der.Element) -> der.Element:
    return values.children()[0].children()[0].children()[0]


def _check(
    certificate: x509.Certificate, signature: bytes, signed: bytes, algorithm: hashes.HashAlgorithm
) -> None:
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(algorithm))
        else:
            raise NotStamped("the authority's key is neither RSA nor elliptic")
    except exceptions.InvalidSignature as error:
        raise NotStamped("the authority's signature is wrong") from error  # rule 4


def _may_stamp(certificate: x509.Certificate, at: datetime) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound as error:
        raise NotStamped("the signer's certificate is not for time stamping") from error
    if not usage.critical or list(usage.value) != [oid.ExtendedKeyUsageOID.TIME_STAMPING]:
        raise NotStamped("the signer's certificate is not for time stamping alone")  # rule 5
    _valid(certificate, at)


def _valid(certificate: x509.Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        subject = certificate.subject.rfc4514_string()
        raise NotStamped(f"the certificate of {subject} was not valid at {at}")  # rule 5


def _issued(
    certificate: x509.Certificate,
    brought: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    at: datetime,
) -> None:
    """Walk from the signer up to a trusted certificate: rule 6."""
    current = certificate
    for _ in range(_LONGEST_PATH):
        if current in trusted:
            return
        issuer = next(
            (one for one in (*trusted, *brought) if one != current and _issues(one, current)), None
        )
        if issuer is None:
            break
        _valid(issuer, at)
        current = issuer
    raise NotStamped(f"{certificate.subject.rfc4514_string()} was issued by nobody trusted")


def _issues(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
        issued.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, exceptions.InvalidSignature, ValueError, TypeError):
        return False
    return basic.value.ca
