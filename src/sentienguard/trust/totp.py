"""One-time passwords of time (RFC 6238: HMAC-SHA-1, 30 seconds, 6 digits, as every app has them).

Called by controlplane.second_factor. A code counts once: whoever calls keeps the step of the last
one that counted and hands it in.
"""

import base64
import hashlib
import hmac
import urllib.parse
from typing import Final

STEP_S: Final = 30
DIGITS: Final = 6
SKEW: Final = 1  # steps to either side, for clocks of telephones and slow fingers
SECRET_BYTES: Final = 20  # the length of the hash, as RFC 4226 recommends


def code(secret: bytes, step: int) -> str:
    """Return the six digits of one time step (RFC 4226 section 5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, given: str, *, at_s: float, after: int = 0) -> int | None:
    """Return the time step that this code is of, within the skew and later than `after`; or None.

    All steps are compared, each in constant time, whichever matches.
    """
    now = int(at_s // STEP_S)
    found = None
    for step in range(now - SKEW, now + SKEW + 1):
        same = hmac.compare_digest(code(secret, step).encode(), given.encode("utf-8", "replace"))
        if same and step > after:
            found = step
    return found


def text(secret: bytes) -> str:
    """Return the secret as people type it into an app."""
    return base64.b32encode(secret).decode().rstrip("=")


def address(secret: bytes, *, user: str, issuer: str) -> str:
    """Return the otpauth address that apps read from a picture."""
    label = urllib.parse.quote(f"{issuer}:{user}")
    query = urllib.parse.urlencode({"secret": text(secret), "issuer": issuer})
    return f"otpauth://totp/{label}?{query}"
