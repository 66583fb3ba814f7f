"""Open the guarded way to the one address that a setting names.

Called by the modules that wire what asks a service; names its adapter for it. Rules:

1. The way leads to the setting's scheme, host and port, and nowhere else.
2. An address that is not public is asked where the setting says so: by an address, by a name that
   only the owner's own DNS knows (`model.addresses`), or by the setting private_hosts.
3. A key, or a name and a password in the address, crosses no network in clear text.
"""

from dataclasses import dataclass

from sentienguard.adapters.outbound_http import client, destinations
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.controlplane.settings import Settings, SettingWrong, may_be_private
from sentienguard.model import addresses
from sentienguard.ports.outbound import NotAllowed


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request to a service may take."""

    limit_s: float
    longest_answer: int = client.LONGEST_ANSWER  # bytes
    longest_body: int = client.LONGEST_BODY  # bytes


def way_to(
    setting: str, url: str, settings: Settings, bounds: Bounds, *, has_key: bool
) -> GuardedClient:
    """Open it. Raises SettingWrong naming the setting, and not what stands before the host."""
    try:
        found = destinations.parse(url)
        if found.scheme not in {"http", "https"}:
            raise SettingWrong(f"setting {setting}: expected an http or https address")
    except NotAllowed as cause:
        raise SettingWrong(f"setting {setting}: {cause}") from cause
    if has_key and not addresses.crosses_no_network_in_the_clear(url):  # rule 3
        raise SettingWrong(
            f"setting {setting}: {found.origin} would carry a key in clear text; use https, or a "
            "server without a key"
        )
    private = may_be_private(settings, url)
    return GuardedClient(
        [Allowed.of(url, private=private)],
        limit_s=bounds.limit_s,
        longest_answer=bounds.longest_answer,
        longest_body=bounds.longest_body,
    )
