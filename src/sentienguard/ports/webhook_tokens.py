"""Keep the tokens with which other systems send to a webhook.

Called by controlplane (sender_access, api.webhook_tokens). Offered by adapters.sql_store. A token
opens one kind of webhook for one environment and nothing else; only its SHA-256 is kept. Secrets
of signatures are kept as they are, because a signature is computed with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors


class NoSuchToken(errors.Rejected):
    """No webhook token has this id."""


class TokenUnknown(errors.Rejected):
    """Nobody made this token for this webhook, or it was revoked."""


@dataclass(frozen=True, slots=True)
class WebhookToken:
    """What is known of a token; the token itself is known to its holder alone."""

    id: str  # tok_ and 16 hex digits
    purpose: str  # which webhook it opens, for example alertmanager
    environment: str  # whose hosts its alerts are about
    made_by: str
    made_at: datetime
    revoked_at: datetime | None = None
    signing_secrets: tuple[str, ...] = ()  # with which its sender signs bodies; empty: with none


class WebhookTokens(Protocol):
    """Webhook tokens by id and by secret."""

    def add(self, token: WebhookToken, secret: str) -> None:
        """Keep a new one. Raises Rejected where id or secret is taken."""

    def by_secret(self, secret: str, purpose: str) -> WebhookToken:
        """Return the one that this secret opens this webhook with. Raises TokenUnknown."""

    def list(self) -> Sequence[WebhookToken]:
        """Return all, oldest first, revoked ones included."""

    def set_signing_secrets(self, token: str, secrets: Sequence[str]) -> WebhookToken:
        """Replace the secrets with which the sender signs. Raises NoSuchToken."""

    def revoke(self, token: str, *, at: datetime) -> WebhookToken:
        """End one; the first time counts. Raises NoSuchToken."""
