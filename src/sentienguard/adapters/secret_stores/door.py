"""All stores behind one door: the name's first word chooses the store."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

from sentienguard.adapters.secret_stores import aws, azure, google, local, vault
from sentienguard.adapters.secret_stores.store import Kind, Means, Said, Store
from sentienguard.ports import outbound, secrets

KINDS: Final[Mapping[str, Kind]] = {
    "vault": cast("Kind", vault),
    "aws": cast("Kind", aws),
    "gcp": cast("Kind", google),
    "azure": cast("Kind", azure),
}


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

    def check(self, name: str) -> None:
        """Refuse a name of no store that is open; see ports.secrets."""
        self._placed(name)

    def fetch(self, name: str) -> secrets.Secret:
        """Return a secret; see ports.secrets."""
        store, rest = self._placed(name)
        place, _, field = rest.partition("#")
        return store.fetch(place, field)

    def _placed(self, name: str) -> tuple[Store, str]:
        store, colon, rest = name.partition(":")
        if not colon or store not in self._stores:
            known = ", ".join(self._stores)
            # What was given may be the secret itself, put where its name belongs: not quoted.
            raise secrets.SecretNameWrong(f"a secret's name begins with one of {known} and a colon")
        return self._stores[store], rest


def wanted(document: Mapping[str, Any]) -> Iterator[outbound.Wanted]:
    """Yield where the stores of an owner's file are. Raises SecretNameWrong."""
    for name, said in _checked(document):
        for url in KINDS[name].wanted(said):
            yield outbound.Wanted(url, private=said.get("private") is True)


def read(
    document: Mapping[str, Any],
    environment: Mapping[str, str],
    way: outbound.Outbound,
    now: Callable[[], datetime],
    metadata: outbound.Outbound,
) -> Door:
    """Open the stores of an owner's file beside those of this machine. Raises SecretNameWrong."""
    opened = Door(environment)
    means = Means(opened, way, metadata, now)
    for name, said in _checked(document):
        opened.add(name, KINDS[name].opened(said, means))
    return opened


def _checked(document: Mapping[str, Any]) -> Iterator[tuple[str, Said]]:
    for name, said in document.items():
        if name not in KINDS or not isinstance(said, Mapping):
            raise secrets.SecretNameWrong(f"stores of secrets: expected {', '.join(KINDS)}")
        needed, more = KINDS[name].NEEDED, KINDS[name].MORE | {"private"}
        if not needed <= set(said) <= needed | more:
            raise secrets.SecretNameWrong(
                f"store {name}: expected {', '.join(sorted(needed))} and perhaps"
                f" {', '.join(sorted(more))}"
            )
        yield name, said
