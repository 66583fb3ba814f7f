"""Keep the tokens with which other systems send to a webhook.

Called through ports.webhook_tokens. Of a secret only the SHA-256 is kept (`tokens`).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec, tokens
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import SIGNING_SECRETS
from sentienguard.model import errors
from sentienguard.ports.webhook_tokens import NoSuchToken, TokenUnknown, WebhookToken

# Keep a new token, unless its id or secret is taken.
ADD = text("""
    INSERT INTO webhook_tokens (id, token_sha256, purpose, environment, made_by, made_us)
    VALUES (:id, :token_sha256, :purpose, :environment, :made_by, :made_us)
    ON CONFLICT DO NOTHING
""")

# The token of a secret, where it stands and was made for this webhook.
BY_SECRET = text("""
    SELECT * FROM webhook_tokens
    WHERE token_sha256 = :token_sha256 AND purpose = :purpose AND revoked_us IS NULL
""")

# All tokens, oldest first.
LIST = text("SELECT * FROM webhook_tokens ORDER BY made_us, id")

# One token by its id.
GET = text("SELECT * FROM webhook_tokens WHERE id = :id")

# Replace the secrets with which its sender signs.
SET_SECRETS = text("UPDATE webhook_tokens SET signing_secrets = :secrets WHERE id = :id")

# End a token, unless it has ended.
REVOKE = text("""
    UPDATE webhook_tokens SET revoked_us = :at_us WHERE id = :id AND revoked_us IS NULL
""")


class SqlWebhookTokens:
    """Webhook tokens in the relational store; see ports.webhook_tokens."""

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self._keys = keys

    def add(self, token: WebhookToken, secret: str) -> None:
        """Keep a new one. Raises Rejected where id or secret is taken."""
        with self._connections.write() as transaction:
            added = transaction.change(
                ADD,
                id=token.id,
                token_sha256=tokens.digest(secret),
                purpose=token.purpose,
                environment=token.environment,
                made_by=token.made_by,
                made_us=codec.micros(token.made_at),
            )
        if not added:
            raise errors.Rejected("this webhook token was made before; make a new random one")

    def by_secret(self, secret: str, purpose: str) -> WebhookToken:
        """Return the one that this secret opens this webhook with. Raises TokenUnknown."""
        with self._connections.read() as transaction:
            row = transaction.row(BY_SECRET, token_sha256=tokens.digest(secret), purpose=purpose)
        if row is None:
            raise TokenUnknown(
                f"the token is unknown, revoked or not for {purpose}; make one with "
                f"sentienguard tokens add ENVIRONMENT --for {purpose}"
            )
        return self._token(row)

    def list(self) -> Sequence[WebhookToken]:
        """Return all, oldest first, revoked ones included."""
        with self._connections.read() as transaction:
            rows = transaction.rows(LIST)
        return tuple(self._token(row) for row in rows)

    def set_signing_secrets(self, token: str, secrets: Sequence[str]) -> WebhookToken:
        """Replace the secrets with which the sender signs. Raises NoSuchToken."""
        kept = self._keys.seal_text(json.dumps(list(secrets)), SIGNING_SECRETS, token)
        with self._connections.write() as transaction:
            transaction.change(SET_SECRETS, id=token, secrets=kept)
            row = transaction.row(GET, id=token)
        return self._required(row, token)

    def revoke(self, token: str, *, at: datetime) -> WebhookToken:
        """End one; the first time counts. Raises NoSuchToken."""
        with self._connections.write() as transaction:
            transaction.change(REVOKE, id=token, at_us=codec.micros(at))
            row = transaction.row(GET, id=token)
        return self._required(row, token)

    def _required(self, row: Row[Any] | None, token: str) -> WebhookToken:
        if row is None:
            raise NoSuchToken(f"no webhook token is called {token[:80]!a}; list them to find it")
        return self._token(row)

    def _token(self, row: Row[Any]) -> WebhookToken:
        """Read a row."""
        kept = row.signing_secrets
        signing = json.loads(self._keys.unseal_text(kept, SIGNING_SECRETS, row.id)) if kept else ()
        return WebhookToken(
            id=row.id,
            purpose=row.purpose,
            environment=row.environment,
            made_by=row.made_by,
            made_at=codec.instant(row.made_us),
            revoked_at=codec.instant_or_none(row.revoked_us),
            signing_secrets=tuple(signing),
        )
