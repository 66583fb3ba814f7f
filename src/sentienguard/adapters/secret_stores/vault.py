"""Secrets of a server that speaks HashiCorp Vault's HTTP API (KV, versions 1 and 2).

`vault:secret/data/database#password` asks GET /v1/secret/data/database for `password`.
"""

import re
from collections.abc import Callable
from typing import Final

from sentienguard.adapters.secret_stores import asking
from sentienguard.adapters.secret_stores.store import Means, Said
from sentienguard.ports import outbound, secrets

NEEDED: Final = frozenset({"url", "token"})
MORE: Final = frozenset({"namespace"})
_PATH: Final = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]*(/[A-Za-z0-9_\-][A-Za-z0-9_.\-]*)*\Z")


def wanted(said: Said) -> list[str]:
    """Return the addresses that are asked."""
    return [str(said["url"])]


def opened(said: Said, means: Means) -> "Vault":
    """Return the store."""
    token, namespace = str(said["token"]), str(said.get("namespace", ""))
    return Vault(str(said["url"]), lambda: means.stores.fetch(token), means.way, namespace)


class Vault:
    """One server."""

    def __init__(
        self,
        url: str,
        token: Callable[[], secrets.Secret],
        way: outbound.Outbound,
        namespace: str = "",
    ) -> None:
        """Take the server's address; `token` is fetched for each request."""
        self._url = url.rstrip("/")
        self._token = token
        self._way = way
        self._namespace = namespace

    def fetch(self, place: str, field: str) -> secrets.Secret:
        """Return one field of a secret."""
        name = f"vault:{place}#{field}"
        if not _PATH.match(place) or not field:
            raise secrets.SecretNameWrong(f"{name}: expected vault:PATH#FIELD")
        headers = {"x-vault-token": self._token().reveal(), "x-vault-request": "true"}
        if self._namespace:
            headers["x-vault-namespace"] = self._namespace
        request = outbound.Request("GET", f"{self._url}/v1/{place}", headers)
        found = asking.ask(self._way, request, name).get("data")
        if isinstance(found, dict) and isinstance(found.get("data"), dict):
            found = found["data"]  # version 2 of KV puts metadata around it
        return asking.member(found, field, name)
