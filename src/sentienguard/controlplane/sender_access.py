"""Who may send to a webhook or push telemetry, and how much in a second.

Called by controlplane.alert_door and controlplane.telemetry_door. A sender shows a bearer token
that was made for one purpose and one environment; what was looked up is remembered for a moment, so
that a busy sender costs no query for each request.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.concurrency import run_in_threadpool

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.refusals import DoorRefusal
from sentienguard.ports.webhook_tokens import TokenUnknown, WebhookToken

TOKEN_KNOWN_S: Final = 2.0  # a token revoked at another control plane is refused within this
MAX_KNOWN_TOKENS: Final = 1024


@dataclass(slots=True)
class Known:
    """A token that was looked up a moment ago, and what its holder may still send."""

    token: WebhookToken
    until: float  # monotonic
    allowance: float  # of what is counted: alerts, or readings
    counted_at: float  # monotonic


class Access:
    """Tokens of senders by their secret."""

    def __init__(self, centre: Centre, rate: float) -> None:
        """Start knowing nobody; `rate` is what one token may send in a second."""
        self._centre = centre
        self._rate = rate
        self._known: dict[tuple[bytes, str], Known] = {}

    def forget(self) -> None:
        """Look every token up again; called when one changed."""
        self._known.clear()

    async def authenticate(self, headers: Mapping[bytes, bytes], purpose: str) -> Known:
        """Return who sends. Raises DoorRefusal: 401, deny by default."""
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not secret:
            raise self.refused("send a bearer token that was made for this webhook")
        name = (hashlib.sha256(secret).digest(), purpose)
        now = self._centre.clock.monotonic()
        known = self._known.get(name)
        if known is not None and now < known.until:
            return known
        try:
            token = await run_in_threadpool(
                self._centre.webhook_tokens.by_secret, secret.decode("latin-1"), purpose
            )
        except TokenUnknown as cause:
            self._known.pop(name, None)
            raise self.refused(str(cause)) from cause
        if len(self._known) >= MAX_KNOWN_TOKENS:
            self._known.clear()
        allowance, counted_at = (known.allowance, known.counted_at) if known else (self._rate, now)
        self._known[name] = Known(token, now + TOKEN_KNOWN_S, allowance, counted_at)
        return self._known[name]

    def refused(self, detail: str) -> DoorRefusal:
        """Return the refusal of somebody who is not let in; the door counts and records it."""
        status = HTTPStatus.UNAUTHORIZED
        return DoorRefusal(status, "unauthenticated", detail, label="webhook_token")

    def spend(self, known: Known, amount: int) -> bool:
        """Take so much off what the sender may send; False where nothing was left.

        One request may overdraw; the next one waits for it.
        """
        now = self._centre.clock.monotonic()
        passed = now - known.counted_at
        known.allowance = min(self._rate, known.allowance + passed * self._rate)
        known.counted_at = now
        if known.allowance <= 0:
            return False
        known.allowance -= max(amount, 1)
        return True
