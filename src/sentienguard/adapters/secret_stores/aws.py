"""Secrets of AWS Secrets Manager: `aws:NAME`, or `aws:NAME#FIELD` of a secret that is JSON."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sentienguard.adapters.secret_stores import asking
from sentienguard.adapters.secret_stores.store import Means, Said
from sentienguard.ports import outbound, secrets
from sentienguard.trust import sigv4

NEEDED: Final = frozenset({"region", "access_key", "secret_key"})
MORE: Final = frozenset({"url", "session_token"})
_TARGET: Final = "secretsmanager.GetSecretValue"
_SERVICE: Final = "secretsmanager"


def wanted(said: Said) -> list[str]:
    """Return the addresses that are asked."""
    return [str(said.get("url") or f"https://secretsmanager.{said['region']}.amazonaws.com")]


def opened(said: Said, means: Means) -> "SecretsManager":
    """Return the store."""
    [url] = wanted(said)
    keys = credentials(means.stores, said)
    return SecretsManager(url, str(said["region"]), keys, means.way, means.now)


def credentials(stores: secrets.Secrets, said: Said) -> Callable[[], sigv4.Credentials]:
    """Return what fetches a key of AWS whose parts `said` names."""

    def fetch() -> sigv4.Credentials:
        session = str(said.get("session_token", ""))
        return sigv4.Credentials(
            stores.fetch(str(said["access_key"])).reveal(),
            stores.fetch(str(said["secret_key"])).reveal(),
            stores.fetch(session).reveal() if session else "",
        )

    return fetch


class SecretsManager:
    """One region of one account."""

    def __init__(
        self,
        url: str,
        region: str,
        credentials: Callable[[], sigv4.Credentials],
        way: outbound.Outbound,
        now: Callable[[], datetime],
    ) -> None:
        """Take the service's address; `credentials` are fetched for each request."""
        self._url = f"{url.rstrip('/')}/"
        self._scope = sigv4.Scope(region, _SERVICE)
        self._credentials = credentials
        self._way = way
        self._now = now

    def fetch(self, place: str, field: str) -> secrets.Secret:
        """Return a secret, or one field of it."""
        name = f"aws:{place}#{field}" if field else f"aws:{place}"
        if not place or not place.isprintable():
            raise secrets.SecretNameWrong(f"{name}: expected aws:NAME or aws:NAME#FIELD")
        body = json.dumps({"SecretId": place}).encode()
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": _TARGET}
        proven = sigv4.signed(
            "POST",
            self._url,
            headers,
            body,
            credentials=self._credentials(),
            scope=self._scope,
            at=self._now(),
        )
        request = outbound.Request("POST", self._url, proven, body)
        whole = asking.member(asking.ask(self._way, request, name), "SecretString", name)
        if not field:
            return whole
        return asking.member(asking.parsed(whole.reveal(), name), field, name)
