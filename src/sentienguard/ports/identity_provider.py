"""Let an organisation's own provider say who a person is (OpenID Connect).

Called by controlplane.single_sign_on. Offered by adapters.openid. The person's browser goes to the
provider with the address that `address` returns and comes back with a code, which `redeem` turns
into a person. What a person may do is never the provider's to say: groups are names, and the
owner's file says what they mean.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors


class NotBelieved(errors.Rejected):
    """The provider's answer is not about this login, or not signed as it has to be."""


class ProviderAway(errors.Unavailable):
    """The provider does not answer, or answers what no provider says."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One login under way; all of it is bound to the browser that began it."""

    redirect: str  # our address that the browser comes back to
    state: str  # comes back with the browser
    nonce: str  # comes back inside the signed token
    verifier: str  # of PKCE: shown to the provider alone, when the code is redeemed
    most_age_s: int | None = None  # since the person showed who they are; None: whenever


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as the provider knows them; `issuer` and `subject` never change, the rest may."""

    issuer: str
    subject: str
    name: str  # what people call them; empty where the provider does not vouch for it
    groups: frozenset[str]
    ways: frozenset[str]  # how they showed who they are (`amr`)
    shown_at: datetime | None  # when they did (`auth_time`); None: it does not say


class IdentityProvider(Protocol):
    """One provider."""

    def address(self, asked: Asked) -> str:
        """Return where the browser goes. Raises ProviderAway."""

    def redeem(self, code: str, asked: Asked, issuer: str | None = None) -> Person:
        """Return whose code this is; `issuer` is what the browser was told of it (RFC 9207).

        Raises NotBelieved, ProviderAway.
        """
