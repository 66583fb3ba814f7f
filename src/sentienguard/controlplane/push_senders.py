"""Who pushes with a token of Google instead of one of ours: service accounts that the owner named.

Called by controlplane.alert_door for senders whose identity is Google's. Rules:

1. Deny by default: no account is let in that `pubsub_senders` does not name, and each of them sends
   for the one environment named there.
2. Google's keys are kept for an hour. A token with another key has them fetched again, at most once
   in `AGAIN_S` whatever is sent: nobody makes us ask, and nobody waits for who is asking.
3. Where the keys are not to be had, those that are known stay good for a day; without any the
   sender is told to send again.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.sender_access import MAX_KNOWN_TOKENS, Access, Known
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.model import errors
from sentienguard.ports.outbound import Outbound, Request
from sentienguard.ports.webhook_tokens import WebhookToken
from sentienguard.trust import id_token, push_token
from sentienguard.trust.dsse import NotTrusted

PURPOSE: Final = "pubsub"
KEPT_S: Final = 3600.0  # rule 2; Google keeps a key for days after it is replaced
AGAIN_S: Final = 60.0  # rule 2
STALE_S: Final = 86400.0  # rule 3
KNOWN_S: Final = 30.0  # a token that was verified is believed for so long; it lives an hour


class KeysAway(errors.Unavailable):
    """No key that tokens could be verified with is to be had."""


class Keys:
    """A key set at one address, kept."""

    def __init__(self, url: str, way: Outbound) -> None:
        """Fetch from `url` through `way`; nothing is asked yet."""
        self._url = url
        self._way = way
        self._lock = threading.Lock()
        self._found: Mapping[str, Any] | None = None
        self._found_at = self._asked_at = float("-inf")  # monotonic

    def get(self, now: float, *, anew: bool = False) -> Mapping[str, Any]:
        """Return the set; `anew`: fetched now, if it was not a moment ago. Raises KeysAway."""
        with self._lock:
            old = now - self._found_at > KEPT_S
            is_mine = (old or anew) and now - self._asked_at >= AGAIN_S
            if is_mine:
                self._asked_at = now
        if is_mine:
            self._fetch(now)
        with self._lock:
            if self._found is None or now - self._found_at > STALE_S:
                raise KeysAway(f"{self._url}: no keys are to be had now")
            return self._found

    def _fetch(self, now: float) -> None:
        try:
            answer = self._way.send(Request("GET", self._url, {"accept": "application/json"}))
            found = json.loads(answer.body) if answer.status == HTTPStatus.OK else None
        except (errors.Unavailable, ValueError, RecursionError):
            return  # rule 3
        if isinstance(found, dict) and isinstance(found.get("keys"), list):
            with self._lock:
                self._found, self._found_at = found, now


class PushSenders:
    """Tokens of Google, by what they say."""

    def __init__(self, centre: Centre, access: Access, keys: Keys | None) -> None:
        """Let in whom the settings name; without `keys` nobody. `access` counts refusals."""
        self._centre = centre
        self._access = access
        self._keys = keys
        self._environments = accounts(centre.settings)
        self._known: dict[bytes, tuple[float, str]] = {}  # verified tokens: until when, whose
        self._senders: dict[str, Known] = {}  # what each account may still send

    async def authenticate(self, headers: Mapping[bytes, bytes]) -> Known:
        """Return who sends. Raises ProblemError: 401, deny by default; KeysAway."""
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not token or len(token) > id_token.LONGEST_TOKEN:
            raise self._access.refused("expected Google's token of an authenticated push")
        if self._keys is None or not self._environments:
            raise self._access.refused("pushes of Pub/Sub are not set up: set pubsub_senders")
        name, now = hashlib.sha256(token).digest(), self._centre.clock.monotonic()
        until, account = self._known.get(name, (float("-inf"), ""))
        if now >= until:
            try:
                account = await run_in_threadpool(self._verified, token.decode("latin-1"), now)
            except NotTrusted as cause:
                raise self._access.refused(str(cause)[:300]) from cause
            if len(self._known) >= MAX_KNOWN_TOKENS:
                self._known.clear()
            self._known[name] = (now + KNOWN_S, account)
        environment = self._environments.get(account)
        if environment is None:  # rule 1
            raise self._access.refused(f"pubsub_senders does not name {account[:100]!a}")
        return self._sender(account, environment, now)

    def _verified(self, token: str, now: float) -> str:
        if self._keys is None:  # refused by the caller before
            raise KeysAway("no keys")
        audience, at = self._centre.settings.pubsub_audience, self._centre.clock.now()
        try:
            return push_token.verify(token, self._keys.get(now), audience, at)
        except id_token.KeyUnknown:  # rule 2
            return push_token.verify(token, self._keys.get(now, anew=True), audience, at)

    def _sender(self, account: str, environment: str, now: float) -> Known:
        known = self._senders.get(account)
        if known is None:
            row = WebhookToken(account, PURPOSE, environment, "settings", self._centre.clock.now())
            rate = float(self._centre.settings.alerts_per_second)
            known = self._senders[account] = Known(row, float("inf"), rate, now)
        return known


def accounts(settings: Settings) -> Mapping[str, str]:
    """Return the environment of each service account. Raises SettingWrong."""
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in settings.pubsub_senders.split(","))):
        account, equals, environment = (one.strip() for one in part.partition("="))
        if not (equals and "@" in account and environment):
            raise SettingWrong(
                f"setting pubsub_senders: expected EMAIL=ENVIRONMENT, found {part!r}"
            )
        found[account] = environment
    if found and not settings.pubsub_audience:
        raise SettingWrong(
            "setting pubsub_audience: expected the audience of the push subscription, which "
            "pubsub_senders needs"
        )
    return found
