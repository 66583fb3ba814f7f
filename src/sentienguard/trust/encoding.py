"""Base64url without padding, as browsers write bytes.

Called by webauthn and by whoever takes its parts from a browser.
"""

import base64
import binascii
import re
from typing import Final

from sentienguard.model import errors

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*\Z")


class NotBase64Url(errors.Rejected):
    """This text is not base64url without padding."""


def base64url(data: bytes) -> str:
    """Return the text of bytes."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """Return the bytes of a text, of which there is one spelling. Raises NotBase64Url."""
    if _ALPHABET.match(text):
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except binascii.Error:
            data = b""
        if base64url(data) == text:
            return data
    raise NotBase64Url("expected base64url without padding")
