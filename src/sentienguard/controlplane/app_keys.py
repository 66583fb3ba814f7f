"""Open the relational store with the keeper of its data keys.

Called by `app.py` and `__main__`, whose part this is: it names adapters. Without the owner's file
the keeper is `keys/data.key`, made at the first start; with it, a key of AWS KMS:

    keeper: {kind: aws-kms, key: ARN, region: ..., access_key: env:NAME, secret_key: env:NAME}
    former: []          # keepers of the same form that still unwrap; the local file always does
    secrets: {vault: {url: ..., token: file:/run/credentials/vault}}
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sentienguard.adapters.key_keepers import aws_kms, local_file, several
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.adapters.secret_stores import door
from sentienguard.adapters.sql_store import database
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.settings import Settings, SettingWrong, environment
from sentienguard.ports.clock import Clock
from sentienguard.ports.key_keeper import KeyKeeper
from sentienguard.ports.outbound import Outbound, Wanted

FILE: Final = "keys/data.key"  # in the control plane's directory
KMS: Final = "aws-kms"
_SECTIONS: Final = frozenset({"keeper", "former", "secrets"})
_NEEDED: Final = frozenset({"kind", "key", "region", "access_key", "secret_key"})
_MORE: Final = frozenset({"url", "session_token", "private"})


def open_database(directory: Path, settings: Settings, clock: Clock) -> database.Database:
    """Open the database of a control plane's directory. Raises as sql_store and `keeper` do."""
    url = settings.database_url or f"sqlite:///{directory / 'sentienguard.db'}"
    return database.open_database(url, keeper(directory, settings, clock))


def rotate(data: Path, clock: Clock) -> str:
    """Rotate the data keys of an installation, beside running control planes; say what was done."""
    directory = data / "controlplane"
    settings = settings_module.load(directory)
    if not (directory / settings.data_keys_file).exists() and (directory / FILE).exists():
        local_file.LocalFile(directory / FILE).add()
    with contextlib.closing(open_database(directory, settings, clock)) as stores:
        done = stores.data_keys.rotate()
    return (
        f"data key {done.number} seals from now on; {done.rewrapped} earlier wrapped anew, "
        f"{done.resealed} values sealed anew"
    )


def keeper(directory: Path, settings: Settings, clock: Clock) -> KeyKeeper:
    """Return what wraps data keys. Raises SettingWrong, SecretNameWrong, NotAllowed."""
    local = local_file.LocalFile(directory / FILE)
    path = directory / settings.data_keys_file
    if not path.exists():
        return local
    document = _document(path)
    said = [_checked(path, one) for one in (document["keeper"], *document.get("former", ()))]
    stores = document.get("secrets") or {}
    places = [Wanted(_url(one), one.get("private") is True) for one in said]
    places += door.wanted(stores)
    way = GuardedClient(Allowed.of(one.url, private=one.private) for one in places)
    opened = door.read(stores, environment(), way, clock.now)
    return several.Several([*(_kms(one, way, opened, clock) for one in said), local])


def _kms(said: Mapping[str, Any], way: Outbound, opened: door.Door, clock: Clock) -> KeyKeeper:
    return aws_kms.AwsKms(
        str(said["key"]),
        _url(said),
        str(said["region"]),
        credentials=door.credentials(opened, said),
        way=way,
        now=clock.now,
    )


def _url(said: Mapping[str, Any]) -> str:
    return str(said.get("url") or f"https://kms.{said['region']}.amazonaws.com")


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise SettingWrong(f"{path}: expected YAML that can be read") from cause
    if not isinstance(document, dict) or not {"keeper"} <= set(document) <= _SECTIONS:
        raise SettingWrong(f"{path}: expected keeper, and perhaps former and secrets")
    if not isinstance(document.get("former", []), list):
        raise SettingWrong(f"{path}: former: expected a list of keepers")
    if not isinstance(document.get("secrets") or {}, dict):
        raise SettingWrong(f"{path}: secrets: expected a mapping")
    return document


def _checked(path: Path, said: Any) -> Mapping[str, Any]:
    if not isinstance(said, dict) or said.get("kind") != KMS:
        raise SettingWrong(f"{path}: a keeper: expected a mapping with kind: {KMS}")
    if not set(said) >= _NEEDED or not set(said) <= _NEEDED | _MORE:
        raise SettingWrong(
            f"{path}: a keeper: expected {', '.join(sorted(_NEEDED))} and perhaps "
            f"{', '.join(sorted(_MORE))}"
        )
    return said
