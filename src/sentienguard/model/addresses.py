"""Addresses (URLs) as people write them into settings and onto command lines."""

import re
from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?")
_HOST_PART: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//([^/?#\\]*)")


def names_somebody(address: str) -> bool:
    """Tell whether an address has a name, and perhaps a password, before its host.

    Command lines are seen by everybody on a machine, and addresses are shown and logged, so a
    password belongs into a file of its own.
    """
    found = _HOST_PART.match(address.strip())
    return "@" in (found[1] if found else address.partition("/")[0])


def crosses_no_network_in_the_clear(address: str) -> bool:
    """Tell whether what is sent to an address is encrypted, or stays on this machine."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port  # both are read: either may be nonsense
    except ValueError:
        return False
    stays = parts.scheme == "http" and _LOOPBACK.fullmatch(parts.netloc.lower()) is not None
    return bool(host) and (parts.scheme == "https" or stays)
