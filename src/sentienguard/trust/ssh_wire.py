"""Fields of SSH's wire format: bytes with their length before them (RFC 4251, section 5).

Called by trust.sshsig and trust.ssh_keys. Reads what strangers sent: never past the end, and
`end` refuses what is left over, so that nothing rides along unseen.
"""

import base64
import binascii
import struct
from typing import Final

from sentienguard.trust.dsse import NotTrusted

_NEGATIVE: Final = 0x80  # the first bit of an mpint is its sign


def string(content: bytes) -> bytes:
    """Return bytes with their length before them."""
    return struct.pack(">I", len(content)) + content


def from_base64(text: str, what: str) -> bytes:
    """Read canonical base64, of which each content has one text alone. Raises NotTrusted."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotTrusted(f"{what} is no base64") from error
    if base64.b64encode(blob).decode() != text:
        raise NotTrusted(f"{what} is no canonical base64")
    return blob


class Reader:
    """Takes fields off the front of a blob. Raises NotTrusted where there is too little."""

    def __init__(self, blob: bytes, what: str = "rule 1: the signature") -> None:
        self._left = blob
        self._what = what

    def take(self, count: int) -> bytes:
        """Take so many bytes."""
        if count > len(self._left):
            raise NotTrusted(f"{self._what} ends too early")
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def number(self) -> int:
        """Take a number of four bytes."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """Take bytes that bring their length."""
        return self.take(self.number())

    def integer(self, most_bytes: int) -> int:
        """Take a positive number of any length, in the one form that it has."""
        raw = self.string()
        if not raw or len(raw) > most_bytes + 1 or raw[0] & _NEGATIVE:
            raise NotTrusted(f"{self._what} has a number that is not 1 to {most_bytes} bytes")
        if raw[0] == 0 and not (len(raw) > 1 and raw[1] & _NEGATIVE):
            raise NotTrusted(f"{self._what} has a number with bytes that say nothing")
        return int.from_bytes(raw, "big")

    def end(self) -> None:
        """Refuse what is left."""
        if self._left:
            raise NotTrusted(f"{self._what} goes on where it has to end")
