"""A statement by which a service account of Google asks for a token: who, for what, now.

Called by adapters.secret_stores. Pure: the key and the time are handed in. RS256, as Google takes
it; good for five minutes, which is for one request and a clock that is a little wrong.

Format: developers.google.com/identity/protocols/oauth2/service-account, "Preparing to make an
authorized API call"; RFC 7523.
"""

import json
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sentienguard.model import errors
from sentienguard.trust import encoding

GOOD_FOR: Final = timedelta(minutes=5)


class KeyWrong(errors.Rejected):
    """What is to sign is no private RSA key."""


def assertion(private_key: str, account: str, scope: str, audience: str, now: datetime) -> str:
    """Return the signed statement (a JWT). `private_key` is PEM. Raises KeyWrong, quoting none."""
    key = _key(private_key)
    issued = int(now.timestamp())
    claims = {
        "iss": account,
        "scope": scope,
        "aud": audience,
        "iat": issued,
        "exp": issued + int(GOOD_FOR.total_seconds()),
    }
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{encoding.base64url(signature)}"


def _part(record: dict[str, object]) -> str:
    return encoding.base64url(json.dumps(record, separators=(",", ":")).encode())


def _key(private_key: str) -> rsa.RSAPrivateKey:
    try:
        found = serialization.load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, rsa.RSAPrivateKey):
        raise KeyWrong("expected a private RSA key as PEM, without a password")
    return found
