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
from sentienguard.adapters.secret_stores import aws, door
from sentienguard.adapters.sql_store import database, workflow_records
from sentienguard.controlplane import app_secrets, key_care
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.model import errors
from sentienguard.ports.clock import Clock
from sentienguard.ports.key_keeper import KeyKeeper
from sentienguard.ports.outbound import Outbound

FILE: Final = "keys/data.key"  # in the control plane's directory
KMS: Final = "aws-kms"
_SECTIONS: Final = frozenset({"keeper", "former", "secrets"})
_NEEDED: Final = frozenset({"kind", "key", "region", "access_key", "secret_key"})
_MORE: Final = frozenset({"url", "session_token", "private"})


def open_database(directory: Path, settings: Settings, clock: Clock) -> database.Database:
    """Open the database of a control plane's directory. Raises as sql_store and `keeper` do."""
    url = settings.database_url or f"sqlite:///{directory / 'sentienguard.db'}"
    return database.open_database(
        url, keeper(directory, settings, clock), workflows=directory / workflow_records.FILE
    )


def rotate(data: Path, clock: Clock) -> str:
    """Rotate the data keys of an installation, beside running control planes; say what was done."""
    directory = data / "controlplane"
    settings = settings_module.load(directory)
    with contextlib.closing(open_database(directory, settings, clock)) as stores:
        if not stores.is_shared and _local(directory, settings):
            local_file.LocalFile(directory / FILE).add()
        done = stores.data_keys.rotate()
    return (
        f"data key {done.number} seals from now on; {done.rewrapped} earlier wrapped anew, "
        f"{done.resealed} values sealed anew"
    )


def add_wrapping_key(data: Path) -> str:
    """Add the next key to the local file, for others to get before it is used; say what follows.

    Raises Rejected where no local file wraps.
    """
    directory = data / "controlplane"
    file = directory / FILE
    if not _local(directory, settings_module.load(directory)):
        raise errors.Rejected(f"{file}: a key of AWS KMS wraps here, which is rotated there")
    name = local_file.LocalFile(file).add()
    return (
        f"{file} has key {name}, which wraps nothing yet: copy the file to the other control "
        "planes of this database, then run this with --rotate-data-keys on one of them"
    )


def care(directory: Path, settings: Settings, stores: database.Database) -> key_care.KeyCare:
    """Return who looks after the keys of an open control plane."""
    file = local_file.LocalFile(directory / FILE)
    wrapping = None
    if _local(directory, settings):
        wrapping = key_care.Wrapping(name=lambda: file.name, add=file.add)
    return key_care.KeyCare(directory, stores.data_keys, wrapping, shared=stores.is_shared)


def _local(directory: Path, settings: Settings) -> bool:
    """Tell whether the local file wraps data keys."""
    return not (directory / settings.data_keys_file).exists()


def keeper(directory: Path, settings: Settings, clock: Clock) -> KeyKeeper:
    """Return what wraps data keys. Raises SettingWrong, SecretNameWrong, NotAllowed."""
    local = local_file.LocalFile(directory / FILE)
    path = directory / settings.data_keys_file
    if _local(directory, settings):
        return local
    document = _document(path)
    said = [_checked(path, one) for one in (document["keeper"], *document.get("former", ()))]
    way = GuardedClient(Allowed.of(_url(one), private=one.get("private") is True) for one in said)
    opened = app_secrets.opened(path.parent, clock, document.get("secrets"))
    return several.Several([*(_kms(one, way, opened, clock) for one in said), local])


def _kms(said: Mapping[str, Any], way: Outbound, opened: door.Door, clock: Clock) -> KeyKeeper:
    return aws_kms.AwsKms(
        str(said["key"]),
        _url(said),
        str(said["region"]),
        credentials=aws.credentials(opened, said),
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
