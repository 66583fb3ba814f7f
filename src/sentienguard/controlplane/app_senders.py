"""Wire what proves who pushes from Google. Called by app.py; names its adapters for it."""

import urllib.parse

from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.controlplane.push_senders import Keys, accounts
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.model import addresses
from sentienguard.ports.outbound import NotAllowed


def google_keys(settings: Settings) -> Keys | None:
    """Return Google's keys, where the settings name somebody who signs with one.

    Raises SettingWrong.
    """
    if not accounts(settings):
        return None
    url = settings.pubsub_keys_url
    is_own = urllib.parse.urlsplit(url).hostname in addresses.LOOPBACK
    if not url.startswith("https://") and not is_own:
        raise SettingWrong(f"setting pubsub_keys_url: expected an https address, found {url!r}")
    try:
        allowed = Allowed.of(url, private=is_own)
    except NotAllowed as cause:
        raise SettingWrong(f"setting pubsub_keys_url: {cause}") from cause
    return Keys(url, GuardedClient([allowed]))
