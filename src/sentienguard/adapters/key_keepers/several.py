"""Several keepers as one: the first wraps, each unwraps what it wrapped.

So a control plane moves from a file to KMS, or from one key of KMS to the next, while it runs.
"""

from collections.abc import Sequence

from sentienguard.adapters.key_keepers import local_file
from sentienguard.ports.key_keeper import KeyKeeper, KeyRefused


class Several:
    """A key_keeper.KeyKeeper."""

    def __init__(self, keepers: Sequence[KeyKeeper]) -> None:
        """Take at least one, the one that wraps first."""
        self._keepers = tuple(keepers)

    @property
    def name(self) -> str:
        """Return the name of the key that wraps."""
        return self._keepers[0].name

    def wrap(self, data_key: bytes, about: str) -> tuple[str, bytes]:
        """Wrap with the first. Raises KeeperAway, KeyRefused."""
        return self._keepers[0].wrap(data_key, about)

    def unwrap(self, name: str, wrapped: bytes, about: str) -> bytes:
        """Unwrap with the one that wrapped. Raises KeeperAway, KeyRefused."""
        for keeper in self._keepers:
            if isinstance(keeper, local_file.LocalFile) and name.startswith(local_file.PREFIX):
                return keeper.unwrap(name, wrapped, about)
            if not isinstance(keeper, local_file.LocalFile) and keeper.name == name:
                return keeper.unwrap(name, wrapped, about)
        raise KeyRefused(
            f"no configured keeper is {name}, which wrapped {about}; name it below `former` in the "
            "file of keepers until the data keys were rewrapped"
        )
