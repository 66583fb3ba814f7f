"""Put together what watches clusters: the owner's file and a thread for each watch.

Called by `app.py` alone, whose part this is: it names adapters. Without the file none is watched.

    clusters:
      - name: shop                    as the relay agent declares it
        environment: production
        server: https://10.0.0.5:6443
        ca_file: /etc/sentienguard/shop-ca.pem
        token_file: /etc/sentienguard/shop-token     or  token: vault:PATH#FIELD
        namespaces: [prod]            without: all of them
        host: relay-1                 the relay agent's host
        private: true                 where its name is public and its address is not

What watches connects to the server that the file names, and nowhere else.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sentienguard.adapters.kubernetes.api import Credentials
from sentienguard.adapters.kubernetes.events import Events
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.controlplane import app_secrets
from sentienguard.controlplane.alert_door import AlertDoor
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.cluster_watch import ClusterWatch, Keep, Watched
from sentienguard.controlplane.settings import SettingWrong
from sentienguard.model import addresses
from sentienguard.ports.outbound import NotAllowed
from sentienguard.ports.secrets import SecretNameWrong, Secrets
from sentienguard.stages.observe.cluster_events import Place

MOST_WATCHES: Final = 100  # each has a thread and a connection
_NEEDED: Final = frozenset({"name", "environment", "server", "ca_file"})
_MORE: Final = frozenset({
    "token", "token_file", "certificate_file", "key_file", "namespaces", "host", "private",
})  # fmt: skip


@contextlib.contextmanager
def opened(centre: Centre, directory: Path, door: AlertDoor) -> Iterator[None]:
    """Watch while the block lasts. Raises SettingWrong."""
    watches = list(watching(centre, directory / centre.settings.clusters_file, door.keep))
    for one in watches:
        one.start()
    try:
        yield
    finally:
        for one in watches:
            one.stop()


def watching(centre: Centre, path: Path, keep: Keep) -> Iterator[ClusterWatch]:
    """Yield a watch for each namespace of the file, or for each cluster. Raises SettingWrong."""
    if not path.exists():
        return
    number = 0
    stores = app_secrets.opened(path.parent, centre.clock)
    for said in _clusters(path):
        where = f"{path}: cluster {str(said.get('name'))[:80]!a}"
        if said["environment"] not in centre.environments:
            raise SettingWrong(f"{where}: environment {str(said['environment'])!a} does not exist")
        way, credentials = _way(where, said), _credentials(where, said, stores)
        place = Place(str(said["name"]), str(said.get("host", "")))
        for namespace in said.get("namespaces") or [""]:
            number += 1
            if number > MOST_WATCHES:
                raise SettingWrong(f"{path}: expected at most {MOST_WATCHES} namespaces in all")
            what = f"cluster {place.cluster} {namespace}".rstrip()
            watched = Watched(place, str(said["environment"]), what)
            source = Events(credentials, str(namespace), way.connect)
            yield ClusterWatch(centre, source, watched, keep)


def _way(where: str, said: Mapping[str, Any]) -> GuardedClient:
    try:
        found = Allowed.of(str(said["server"]))
    except NotAllowed as cause:
        raise SettingWrong(f"{where}: server: {cause}") from cause
    private = said.get("private") is True or addresses.says_it_is_private(found.host)
    return GuardedClient([dataclasses.replace(found, private=private)])


def _credentials(where: str, said: Mapping[str, Any], stores: Secrets) -> Credentials:
    name = str(said.get("token", ""))
    try:
        if name:
            stores.check(name)
    except SecretNameWrong as cause:
        raise SettingWrong(f"{where}: token: {cause}") from cause
    return Credentials(
        token=(lambda: stores.fetch(name)) if name else None,
        server=str(said["server"]),
        ca_file=str(said["ca_file"]),
        token_file=said.get("token_file"),
        certificate_file=said.get("certificate_file"),
        key_file=said.get("key_file"),
    )


def _clusters(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        document = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise SettingWrong(f"{path}: expected YAML that can be read") from cause
    listed = document.get("clusters") if isinstance(document, dict) else None
    if not isinstance(listed, list) or set(document) != {"clusters"}:
        raise SettingWrong(f"{path}: expected `clusters`, a list")
    for number, said in enumerate(listed):
        where = f"{path}: clusters[{number}]"
        if not isinstance(said, dict) or not _NEEDED <= set(said) <= _NEEDED | _MORE:
            raise SettingWrong(
                f"{where}: expected {', '.join(sorted(_NEEDED))} and perhaps "
                f"{', '.join(sorted(_MORE))}"
            )
        if not str(said["server"]).startswith("https://"):
            raise SettingWrong(f"{where}: server: expected an https address")
        if len({"token", "token_file", "certificate_file"} & set(said)) != 1:
            raise SettingWrong(
                f"{where}: expected token, token_file, or certificate_file and key_file"
            )
        if not isinstance(said.get("namespaces", []), list):
            raise SettingWrong(f"{where}: namespaces: expected a list")
        yield said
