"""Fetch a secret by its name, at the moment when it is used.

Called by whoever opens a connection that needs one. Offered by adapters.secret_stores. What comes
back is used and dropped: it is never stored, logged or put into a record. A name is STORE:PLACE,
with #FIELD where a place holds several: docs/reference/secrets.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from sentienguard.model import errors


class SecretNameWrong(errors.Rejected):
    """The name is in no form that is understood, or names a store that is not configured."""


class SecretMissing(errors.Rejected):
    """The store answers, and has no such secret for us."""


class SecretsAway(errors.Unavailable):
    """The store does not answer; to be asked again."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that shows itself only to whoever asks it to."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """Return the plain text, to be handed on and forgotten."""
        return self._text

    def __str__(self) -> str:
        return "***"


Fetch: TypeAlias = Callable[[], Secret]  # one secret; raises what Secrets.fetch raises


class Secrets(Protocol):
    """All stores behind one door."""

    def check(self, name: str) -> None:
        """Raise SecretNameWrong where no configured store could have it; asks no store."""

    def fetch(self, name: str) -> Secret:
        """Return a secret. Raises SecretNameWrong, SecretMissing, SecretsAway; none quotes it."""
