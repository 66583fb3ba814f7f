"""Secrets of Google Secret Manager: `gcp:NAME`, `gcp:NAME/VERSION`, either with `#FIELD` of JSON.

`gcp:database` asks GET /v1/projects/PROJECT/secrets/database/versions/latest:access. Who asks is
the machine, by its metadata service, or a service account whose private key is a secret itself.

Formats: cloud.google.com/secret-manager/docs/reference/rest (projects.secrets.versions.access),
cloud.google.com/compute/docs/access/authenticate-workloads,
developers.google.com/identity/protocols/oauth2/service-account (an assertion for a token).
"""

import base64
import binascii
import re
import urllib.parse
from collections.abc import Callable
from typing import Final

from sentienguard.adapters.secret_stores import asking
from sentienguard.adapters.secret_stores.store import Means, Said, both_or_none
from sentienguard.ports import outbound, secrets
from sentienguard.trust import service_account

NEEDED: Final = frozenset({"project"})
MORE: Final = frozenset({"account", "private_key", "url", "token_url"})
MANAGER: Final = "https://secretmanager.googleapis.com"
TOKENS: Final = "https://oauth2.googleapis.com/token"
METADATA: Final = (
    "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token"
)
SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PLACE: Final = re.compile(r"([A-Za-z0-9_\-]{1,255})(?:/([0-9]{1,12}|latest))?\Z", re.ASCII)
_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9:.\-]{0,62}\Z", re.ASCII)
Token = Callable[[str], str]  # the name of a secret, for messages -> a bearer token


def wanted(said: Said) -> list[str]:
    """Return the addresses that are asked. Raises SecretNameWrong."""
    if not _PROJECT.match(str(said["project"])):
        raise secrets.SecretNameWrong("store gcp: project: expected a project's id or number")
    asked = [str(said.get("url") or MANAGER)]
    if both_or_none(said, "account", "private_key"):
        asked.append(str(said.get("token_url") or TOKENS))
    return asked


def opened(said: Said, means: Means) -> "SecretManager":
    """Return the store."""
    url = str(said.get("url") or MANAGER)
    token = _of_account(said, means) if said.get("account") else _of_machine(means)
    return SecretManager(url, str(said["project"]), token, means.way)


class SecretManager:
    """One project."""

    def __init__(self, url: str, project: str, token: Token, way: outbound.Outbound) -> None:
        """Take the service's address; a token is fetched for each request."""
        self._url = url.rstrip("/")
        self._project = project
        self._token = token
        self._way = way

    def fetch(self, place: str, field: str) -> secrets.Secret:
        """Return a secret, or one field of it."""
        name = f"gcp:{place}#{field}" if field else f"gcp:{place}"
        found = _PLACE.match(place)
        if found is None:
            raise secrets.SecretNameWrong(f"{name}: expected gcp:NAME or gcp:NAME/VERSION")
        path = f"/v1/projects/{self._project}/secrets/{found[1]}/versions/{found[2] or 'latest'}"
        headers = {"authorization": f"Bearer {self._token(name)}"}
        request = outbound.Request("GET", f"{self._url}{path}:access", headers)
        payload = asking.ask(self._way, request, name).get("payload")
        whole = _decoded(asking.member(payload, "data", name).reveal(), name)
        if not field:
            return secrets.Secret(whole)
        return asking.member(asking.parsed(whole, name), field, name)


def _decoded(data: str, name: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise secrets.SecretMissing(f"{name}: expected text, found other bytes") from None


def _of_machine(means: Means) -> Token:
    def fetch(name: str) -> str:
        request = outbound.Request("GET", METADATA, {"metadata-flavor": "Google"})
        return asking.token(means.metadata, request, name)

    return fetch


def _of_account(said: Said, means: Means) -> Token:
    account, key = str(said["account"]), str(said["private_key"])
    url = str(said.get("token_url") or TOKENS)

    def fetch(name: str) -> str:
        try:
            assertion = service_account.assertion(
                means.stores.fetch(key).reveal(), account, SCOPE, url, means.now()
            )
        except service_account.KeyWrong as cause:
            raise secrets.SecretMissing(f"{name}: {key}: {cause}") from None
        body = urllib.parse.urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return asking.token(means.way, outbound.Request("POST", url, headers, body), name)

    return fetch
