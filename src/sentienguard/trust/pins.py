"""The digest of a certificate's public key, for pinning a server.

Called by the collector before the first byte of a request, and by whoever tells a collector what to
pin. Reads DER (X.690) with the standard library alone: a certificate is a sequence whose first
member holds, in this order, an optional version, the serial number, the algorithm, the issuer, the
validity, the subject and the public key (RFC 5280, section 4.1).
"""

import hashlib
from collections.abc import Collection
from typing import Final

from sentienguard.model import errors

_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_VERSION: Final = 0xA0  # [0] EXPLICIT
_LONG_FORM: Final = 0x80  # lengths of 128 and more
_MOST_LENGTH_BYTES: Final = 3  # 16 MB; no certificate is longer


class BadCertificate(errors.Rejected):
    """These bytes are not a DER certificate."""


def spki_sha256(der_cert: bytes) -> str:
    """Return the hex SHA-256 of the SubjectPublicKeyInfo, its header included.

    Raises BadCertificate; never any other error, whatever the bytes are.
    """
    outer, _, end = _element(der_cert, 0, len(der_cert), _SEQUENCE)
    if end != len(der_cert):
        raise BadCertificate(f"{len(der_cert) - end} bytes follow the certificate")
    at, _, stop = _element(der_cert, outer, end, _SEQUENCE)  # tbsCertificate
    if at < stop and der_cert[at] == _VERSION:
        at = _element(der_cert, at, stop, _VERSION)[2]
    at = _element(der_cert, at, stop, _INTEGER)[2]
    for _ in ("algorithm", "issuer", "validity", "subject"):
        at = _element(der_cert, at, stop, _SEQUENCE)[2]
    _, start, after = _element(der_cert, at, stop, _SEQUENCE)
    return hashlib.sha256(der_cert[start:after]).hexdigest()


def pinned(der_cert: bytes, pins: Collection[str]) -> bool:
    """Tell whether the certificate's public key is one of the pins (hex). Raises BadCertificate."""
    return spki_sha256(der_cert) in {pin.lower() for pin in pins}


def _element(der: bytes, at: int, stop: int, tag: int) -> tuple[int, int, int]:
    """Return where the content of the element at `at` starts, where its header does, its end."""
    if at + 2 > stop or der[at] != tag:
        raise BadCertificate(f"byte {at}: expected an element with tag {tag:#04x}")
    length, content = der[at + 1], at + 2
    if length >= _LONG_FORM:
        count = length - _LONG_FORM
        if not 1 <= count <= _MOST_LENGTH_BYTES or content + count > stop:
            raise BadCertificate(f"byte {at}: length in {count} bytes")
        length = int.from_bytes(der[content : content + count], "big")
        content += count
    if content + length > stop:
        raise BadCertificate(f"byte {at}: the element ends beyond its parent")
    return content, at, content + length
