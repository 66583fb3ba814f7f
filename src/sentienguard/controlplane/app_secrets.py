"""Open the stores that have secrets by name, for all of the control plane that needs one.

Called by the modules that wire; names its adapters for it. The stores are those of `secrets.yaml`
in the control plane's directory, and over them those in the section `secrets` of the owner's file
that names the secret. Without either there are those of this machine, `env` and `file`.

    vault: {url: https://vault.example:8200, token: file:/run/credentials/vault}
    gcp: {project: shop-production}

The way to a store leads there and nowhere else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.adapters.outbound_http.metadata import MetadataService
from sentienguard.adapters.secret_stores import door
from sentienguard.controlplane.settings import SettingWrong, environment
from sentienguard.model import errors
from sentienguard.ports.clock import Clock

FILE: Final = "secrets.yaml"  # beside the files that name secrets


def opened(directory: Path, clock: Clock, own: Mapping[str, Any] | None = None) -> door.Door:
    """Open the stores of a directory and those of one file's section. Raises SettingWrong."""
    path = directory / FILE
    stores = {**_document(path), **(own or {})}
    try:
        places = list(door.wanted(stores))
        way = GuardedClient(Allowed.of(one.url, private=one.private) for one in places)
        return door.read(stores, environment(), way, clock.now, MetadataService())
    except errors.Rejected as cause:
        raise SettingWrong(f"stores of secrets ({path}, or section secrets): {cause}") from cause


def _document(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        document = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise SettingWrong(f"{path}: expected YAML that can be read") from cause
    if not isinstance(document, dict):
        raise SettingWrong(f"{path}: expected a mapping of stores")
    return document
