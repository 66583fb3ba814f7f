"""Addresses (URLs) as people write them into settings and onto command lines."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})  # as hosts are parsed
# As they stand in an address. What a parser takes for the host is not enough where a key goes:
# of http://[::1].evil.example it is ::1.
_WRITTEN: Final = "|".join(re.escape(f"[{one}]" if ":" in one else one) for one in sorted(LOOPBACK))
_NEAR: Final = re.compile(rf"(?:{_WRITTEN})(?::[0-9]+)?")
# Ends of names that no public DNS gives out (RFC 6761, 6762, 8375; `.internal` by ICANN in 2024),
# and what Kubernetes calls its services.
_OWN_ENDS: Final = (".localhost", ".local", ".internal", ".home.arpa", ".svc")
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
    stays = parts.scheme == "http" and _NEAR.fullmatch(parts.netloc.lower()) is not None
    return bool(host) and (parts.scheme == "https" or stays)


def says_it_is_private(host: str) -> bool:
    """Tell whether a host's text says that its address need not be public.

    So does an address, which says itself what it is, and a name that only the owner's own DNS
    knows: one without a dot, or below an end that is set aside for that. `host` is as a URL is
    parsed: in lower case, IPv6 without brackets.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_OWN_ENDS)
    return True
