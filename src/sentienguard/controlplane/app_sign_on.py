"""Wire the identity provider of the owner's file. Called by app.py; names its adapters for it.

Without the file nobody logs in that way, and nothing is connected to.
"""

from pathlib import Path
from typing import Final

import yaml

from sentienguard.adapters.openid.provider import Client, Provider
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.controlplane import app_secrets, sign_on_file
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.settings import SettingWrong
from sentienguard.controlplane.single_sign_on import SignOn
from sentienguard.model import errors

LIMIT_S: Final = 5.0  # of one request to the provider; a person waits for two or three


def sign_on(centre: Centre, directory: Path) -> SignOn | None:
    """Return the way in through the provider; None: there is no file. Raises SettingWrong."""
    path = directory / centre.settings.sign_on_file
    if not path.exists():
        return None
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise SettingWrong(f"{path}: expected YAML that can be read") from cause
    if centre.settings.people_certificate and not centre.settings.people_origin:
        raise SettingWrong(
            f"{path}: set people_origin to the address that browsers use; the provider sends them "
            "back there and nowhere else"
        )
    try:
        said = sign_on_file.read(document, centre.environments, centre.clock.now())
        way = GuardedClient(
            [Allowed.of(one.url, private=one.private) for one in said.wanted()], limit_s=LIMIT_S
        )
        opened = app_secrets.opened(path.parent, centre.clock, said.secrets)
    except errors.Rejected as cause:
        raise SettingWrong(f"{path}: {cause}") from cause
    client = Client(
        issuer=said.issuer,
        id=said.client,
        scopes=said.scopes,
        name_claim=said.name_claim,
        groups_claim=said.groups_claim,
        algorithms=said.algorithms,
    )
    secret = (lambda: opened.fetch(said.secret)) if said.secret else None
    return SignOn(Provider(client, way, centre.clock, secret), said)
