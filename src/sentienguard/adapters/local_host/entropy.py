"""Random bytes from the operating system. Offers ports.entropy."""

import os


class SystemEntropy:
    """The kernel's generator."""

    def bytes(self, count: int) -> bytes:
        """Return `count` bytes that nobody can guess."""
        return os.urandom(count)
