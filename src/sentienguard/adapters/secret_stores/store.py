"""What a store is, and what it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from sentienguard.ports import outbound, secrets

Said: TypeAlias = Mapping[str, Any]  # what the owner's file says of one store


class Store(Protocol):
    """One place that has secrets."""

    def fetch(self, place: str, field: str) -> secrets.Secret:
        """Return one. Raises the errors of ports.secrets."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a store asks with."""

    stores: secrets.Secrets  # for the secret that proves who asks
    way: outbound.Outbound  # to what `wanted` named
    metadata: outbound.Outbound  # to the metadata service of this machine's cloud, and only there
    now: Callable[[], datetime]


class Kind(Protocol):
    """A module of a store."""

    NEEDED: frozenset[str]  # keys that the owner's file has to have
    MORE: frozenset[str]  # and may have, beside `private`

    def wanted(self, said: Said) -> list[str]:
        """Return the addresses that it asks. Raises SecretNameWrong."""

    def opened(self, said: Said, means: Means) -> Store:
        """Return the store; nothing is asked yet."""


def both_or_none(said: Said, *keys: str) -> bool:
    """Tell whether these are said; raises SecretNameWrong where only some are."""
    found = [key for key in keys if said.get(key)]
    if found and len(found) < len(keys):
        raise secrets.SecretNameWrong(f"expected all of {', '.join(keys)}, or none")
    return bool(found)
