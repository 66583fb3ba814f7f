"""All stores behind one door: the name's first word chooses the store."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from sentienguard.adapters.secret_stores import aws, local, vault
from sentienguard.ports import outbound, secrets
from sentienguard.trust import sigv4

_KEYS: Final = {
    "vault": ({"url", "token"}, {"namespace", "private"}),
    "aws": ({"region", "access_key", "secret_key"}, {"url", "session_token", "private"}),
}


class Store(Protocol):
    """One place that has secrets."""

    def fetch(self, place: str, field: str) -> secrets.Secret:
        """Return one. Raises the errors of ports.secrets."""


class Door:
    """A secrets.Secrets."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Open the two stores of this machine."""
        self._stores: dict[str, Store] = {
            "env": local.Environment(environment),
            "file": local.Files(),
        }

    def add(self, name: str, store: Store) -> None:
        """Open one more."""
        self._stores[name] = store

    def fetch(self, name: str) -> secrets.Secret:
        """Return a secret; see ports.secrets."""
        store, colon, rest = name.partition(":")
        if not colon or store not in self._stores:
            known = ", ".join(self._stores)
            # What was given may be the secret itself, put where its name belongs: not quoted.
            raise secrets.SecretNameWrong(f"a secret's name begins with one of {known} and a colon")
        place, _, field = rest.partition("#")
        return self._stores[store].fetch(place, field)


def wanted(document: Mapping[str, Any]) -> Iterator[outbound.Wanted]:
    """Yield where the stores of an owner's file are. Raises SecretNameWrong."""
    for name, said in _checked(document).items():
        yield outbound.Wanted(_url(name, said), private=said.get("private") is True)


def read(
    document: Mapping[str, Any],
    environment: Mapping[str, str],
    way: outbound.Outbound,
    now: Callable[[], datetime],
) -> Door:
    """Open the stores of an owner's file beside those of this machine. Raises SecretNameWrong."""
    opened = Door(environment)
    for name, said in _checked(document).items():
        if name == "vault":
            opened.add(name, _vault(opened, said, way))
        else:
            opened.add(name, _aws(opened, said, way, now))
    return opened


def _vault(opened: Door, said: Mapping[str, Any], way: outbound.Outbound) -> Store:
    token, namespace = str(said["token"]), str(said.get("namespace", ""))
    return vault.Vault(str(said["url"]), lambda: opened.fetch(token), way, namespace)


def _aws(
    opened: Door, said: Mapping[str, Any], way: outbound.Outbound, now: Callable[[], datetime]
) -> Store:
    fetching = credentials(opened, said)
    return aws.SecretsManager(_url("aws", said), str(said["region"]), fetching, way, now)


def credentials(
    opened: secrets.Secrets, said: Mapping[str, Any]
) -> Callable[[], sigv4.Credentials]:
    """Return what fetches a key of AWS whose parts `said` names."""

    def fetch() -> sigv4.Credentials:
        session = str(said.get("session_token", ""))
        return sigv4.Credentials(
            opened.fetch(str(said["access_key"])).reveal(),
            opened.fetch(str(said["secret_key"])).reveal(),
            opened.fetch(session).reveal() if session else "",
        )

    return fetch


def _checked(document: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    for name, said in document.items():
        if name not in _KEYS or not isinstance(said, Mapping):
            raise secrets.SecretNameWrong(f"stores of secrets: expected {', '.join(_KEYS)}")
        needed, more = _KEYS[name]
        if not needed <= set(said) <= needed | more:
            raise secrets.SecretNameWrong(
                f"store {name}: expected {', '.join(sorted(needed))} and perhaps"
                f" {', '.join(sorted(more))}"
            )
    return document


def _url(name: str, said: Mapping[str, Any]) -> str:
    if name == "vault" or said.get("url"):
        return str(said["url"])
    return f"https://secretsmanager.{said['region']}.amazonaws.com"
