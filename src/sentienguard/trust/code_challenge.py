"""The secret behind a one-time code: its holder tells a digest first, and the secret with the code.

Called by controlplane.command_line, and by the command line that logs in. The digest is that of
RFC 7636, S256.
"""

import base64
import hashlib
import hmac
from typing import Final

from sentienguard.trust.encoding import base64url

VERIFIER_BYTES: Final = 32  # their base64url, of 43 characters, is the verifier


def challenge(verifier: str) -> str:
    """Return the digest of a verifier, base64url."""
    return base64url(hashlib.sha256(verifier.encode("utf-8", "replace")).digest())


def fits(verifier: str, told: str) -> bool:
    """Tell whether this is the verifier of the challenge that was told."""
    return hmac.compare_digest(challenge(verifier).encode(), told.encode("utf-8", "replace"))


def compared(told: str) -> str:
    """Return the eight characters that two places show for one challenge, for eyes: 40 bits."""
    digest = hashlib.sha256(f"compare\n{told}".encode("utf-8", "replace")).digest()
    shown = base64.b32encode(digest[:5]).decode()
    return f"{shown[:4]}-{shown[4:]}"
