"""What stands for a person in the log: a keyed hash of their name, under a key of their own.

Called by adapters.sql_store.people and stages.audit.people; whoever is given a key can check it.

    person_ + the first 128 bits of HMAC-SHA256(key, "sentienguard person v1" NUL name), in hex

Without the key nobody can tell whose it is, also who guesses the name; with it anybody can check
whose it is. Who destroys the key makes it nobody's. A name that somebody only claims gives
`stranger_` in its place, under a key of the installation.
"""

import hashlib
import hmac
import re
from typing import Final

KEY_BYTES: Final = 32
PATTERN: Final = re.compile(r"\bperson_[0-9a-f]{32}\b")
_CONTEXT: Final = b"sentienguard person v1\0"
_DIGITS: Final = 32  # 128 bits: two people in a log never share one


def of(key: bytes, name: str) -> str:
    """Return what stands for the person of this name under this key of 32 bytes."""
    return f"person_{_digest(key, name)}"


def of_stranger(key: bytes, name: str) -> str:
    """Return what stands for a name that is only claimed, under the installation's key."""
    return f"stranger_{_digest(key, name)}"


def _digest(key: bytes, name: str) -> str:
    content = _CONTEXT + name.encode(errors="surrogatepass")
    return hmac.new(key, content, hashlib.sha256).hexdigest()[:_DIGITS]
