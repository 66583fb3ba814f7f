"""Secrets of Azure Key Vault: `azure:NAME`, `azure:NAME/VERSION`, either with `#FIELD` of JSON.

`azure:database` asks GET https://VAULT.vault.azure.net/secrets/database?api-version=7.4. Who asks
is the machine, by its metadata service, or an application with a client secret.

Formats: learn.microsoft.com/rest/api/keyvault/secrets/get-secret,
learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token,
learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.
"""

import re
import urllib.parse
from collections.abc import Callable
from typing import Final

from sentienguard.adapters.secret_stores import asking
from sentienguard.adapters.secret_stores.store import Means, Said, both_or_none
from sentienguard.ports import outbound, secrets

NEEDED: Final = frozenset({"url"})
MORE: Final = frozenset({"tenant", "client", "client_secret", "login_url", "resource"})
API: Final = "7.4"
LOGIN: Final = "https://login.microsoftonline.com"
RESOURCE: Final = "https://vault.azure.net"  # other in other clouds of Azure
METADATA: Final = "http://169.254.169.254/metadata/identity/oauth2/token"
_METADATA_API: Final = "2018-02-01"
_PLACE: Final = re.compile(r"[A-Za-z0-9\-]{1,127}(?:/[A-Za-z0-9]{1,64})?\Z", re.ASCII)
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,252}\Z", re.ASCII)
Token = Callable[[str], str]  # the name of a secret, for messages -> a bearer token


def wanted(said: Said) -> list[str]:
    """Return the addresses that are asked. Raises SecretNameWrong."""
    asked = [str(said["url"])]
    if both_or_none(said, "tenant", "client_secret"):
        if not said.get("client") or not _TENANT.match(str(said["tenant"])):
            raise secrets.SecretNameWrong("store azure: expected tenant, client and client_secret")
        asked.append(str(said.get("login_url") or LOGIN))
    return asked


def opened(said: Said, means: Means) -> "KeyVault":
    """Return the store."""
    token = _of_client(said, means) if said.get("client_secret") else _of_machine(said, means)
    return KeyVault(str(said["url"]), token, means.way)


class KeyVault:
    """One vault."""

    def __init__(self, url: str, token: Token, way: outbound.Outbound) -> None:
        """Take the vault's address; a token is fetched for each request."""
        self._url = url.rstrip("/")
        self._token = token
        self._way = way

    def fetch(self, place: str, field: str) -> secrets.Secret:
        """Return a secret, or one field of it."""
        name = f"azure:{place}#{field}" if field else f"azure:{place}"
        if not _PLACE.match(place):
            raise secrets.SecretNameWrong(f"{name}: expected azure:NAME or azure:NAME/VERSION")
        url = f"{self._url}/secrets/{place}?api-version={API}"
        headers = {"authorization": f"Bearer {self._token(name)}"}
        found = asking.ask(self._way, outbound.Request("GET", url, headers), name)
        whole = asking.member(found, "value", name)
        if not field:
            return whole
        return asking.member(asking.parsed(whole.reveal(), name), field, name)


def _of_machine(said: Said, means: Means) -> Token:
    """Return what asks for the machine's identity; `client` chooses one of several."""
    asked = {"api-version": _METADATA_API, "resource": str(said.get("resource") or RESOURCE)}
    if said.get("client"):
        asked["client_id"] = str(said["client"])
    url = f"{METADATA}?{urllib.parse.urlencode(asked)}"

    def fetch(name: str) -> str:
        request = outbound.Request("GET", url, {"metadata": "true"})
        return asking.token(means.metadata, request, name)

    return fetch


def _of_client(said: Said, means: Means) -> Token:
    login = str(said.get("login_url") or LOGIN).rstrip("/")
    url = f"{login}/{said['tenant']}/oauth2/v2.0/token"

    def fetch(name: str) -> str:
        asked = {
            "grant_type": "client_credentials",
            "client_id": str(said["client"]),
            "client_secret": means.stores.fetch(str(said["client_secret"])).reveal(),
            "scope": f"{said.get('resource') or RESOURCE}/.default",
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = urllib.parse.urlencode(asked).encode()
        return asking.token(means.way, outbound.Request("POST", url, headers, body), name)

    return fetch
