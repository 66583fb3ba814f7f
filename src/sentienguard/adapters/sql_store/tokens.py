"""Name a random token by its hash, so that a stolen database opens no session.

Called by `agents` and `users`. SHA-256 without salt is enough for 256 random bits, and a lookup by
hash leaks no useful timing.
"""

import hashlib


def digest(token: str) -> str:
    """Return the SHA-256 of a token as 64 hex digits, whatever text came in its place."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
