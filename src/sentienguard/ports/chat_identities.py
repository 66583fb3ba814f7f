"""Keep who is who: a person of a chat service, and the account that they have here.

Called by controlplane.chat_answers and controlplane.api.chat. Offered by adapters.sql_store. A link
is made by an administrator or by a code that the account's owner shows in the chat; names and
e-mail addresses of the service link nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors


class NotLinked(errors.Rejected):
    """Nobody linked this person of the chat service to an account."""


@dataclass(frozen=True, slots=True)
class ChatIdentity:
    """One link."""

    service: str  # slack
    team: str  # the service's id of the workspace
    person: str  # the service's id of the person
    account: str  # name of the account here
    made_by: str
    made_at: datetime


class ChatIdentities(Protocol):
    """Links by the service's own ids. Every method is one transaction."""

    def link(self, identity: ChatIdentity) -> None:
        """Keep a link; another one of the same person is replaced."""

    def account(self, service: str, team: str, person: str) -> str:
        """Return the account. Raises NotLinked."""

    def unlink(self, service: str, team: str, person: str) -> None:
        """Take a link away. Raises NotLinked."""

    def list(self) -> Sequence[ChatIdentity]:
        """Return all, by service, team and person."""
