"""Give random bytes.

Called where ids, tokens and nonces are made. Offered by adapters.system and, seeded, by simulation.
"""

from typing import Protocol


class Entropy(Protocol):
    """A source of random bytes."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes that nobody can guess."""
