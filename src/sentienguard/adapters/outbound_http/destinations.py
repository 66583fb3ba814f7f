"""Which URL and which address may be asked; pure. The rules are those of the package.

Called by `client` and by whoever checks a file of channels before anything is sent.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sentienguard.ports.outbound import NotAllowed

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS: Final = {"https": 443, "http": 80, "wss": 443, "ws": 80, "smtp": 25}
SECURE: Final = frozenset({"https", "wss", "smtp"})  # of mail the channel itself asks for TLS
_LONGEST_URL: Final = 4096
_LONGEST_NAME: Final = 253
_URL: Final = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<authority>[^/?#]+)(?P<target>/[^#]*)?\Z", re.ASCII
)
_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9.\-]+))(?::(?P<port>[1-9][0-9]{0,4}))?\Z", re.ASCII
)
_TARGET: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*\Z", re.ASCII)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9\-]{1,63}(?<!-)\Z", re.ASCII)
_NUMERIC: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z", re.ASCII)


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


METADATA: Final = "169.254.169.254"
# Never, whatever the owner wrote: nobody notifies these, and they give credentials away.
_NEVER: Final = _networks(
    "0.0.0.0/8",  # this network
    "169.254.0.0/16",  # link-local: metadata of most clouds
    "168.63.129.16/32",  # Azure's host
    "100.100.100.200/32",  # Alibaba's metadata
    "192.0.0.192/32",  # Oracle's metadata
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved and broadcast
    "::/128",  # unspecified
    "fe80::/10",  # link-local
    "fec0::/10",  # site-local, given up
    "fd00:ec2::254/128",  # Amazon's metadata
    "fd20:ce::254/128",  # Google's metadata
    "ff00::/8",  # multicast
)
# Only where the owner said that this host is not public. Our own table: what Python calls private
# differs between its versions.
_NOT_PUBLIC: Final = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",  # behind a carrier's NAT
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",  # documentation, as the next four
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "::1/128",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
)
_MAPPED: Final = _networks("::ffff:0:0/96", "::/96", "64:ff9b::/96", "::ffff:0:0:0/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_TEREDO: Final = ipaddress.IPv6Network("2001::/32")
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL, taken apart once."""

    scheme: str
    host: str  # a name in lower case, or an address in its one canonical form
    port: int
    target: str  # path and query, from the slash on

    @property
    def origin(self) -> str:
        """Scheme, host and port, for messages and comparisons; nothing secret is in it."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{shown}:{self.port}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """One destination that the owner configured."""

    scheme: str
    host: str
    port: int
    private: bool = False  # its addresses need not be public
    below: bool = False  # and every name below this one
    metadata: bool = False  # `metadata` alone sets it, for the one address METADATA

    @classmethod
    def of(cls, url: str, *, private: bool = False, below: bool = False) -> "Allowed":
        """Return what allows this URL and no other origin. Raises NotAllowed."""
        found = parse(url)
        return cls(found.scheme, found.host, found.port, private, below)


def parse(url: str) -> Destination:
    """Take a URL apart; raises NotAllowed for what could be read in two ways (rule 2)."""
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable():
        raise _refused("a URL of printable ASCII", url)
    if any(letter in url for letter in ' \\"<>^`{|}'):
        raise _refused("a URL without spaces, backslashes and quotes", url)
    found = _URL.match(url)
    if found is None or found["scheme"] not in PORTS:
        raise _refused("scheme://host/path with https in lower case", url)
    authority = _AUTHORITY.match(found["authority"])
    if authority is None:
        raise _refused("a host in lower case and a port, without user, escapes or zone", url)
    target = found["target"] or "/"
    if not _TARGET.match(target):
        raise _refused("a path and a query of plain characters", url)
    host = _v6(authority["v6"], url) if authority["v6"] else _name(authority["name"], url)
    port = int(authority["port"] or PORTS[found["scheme"]])
    if port > 65535:  # noqa: PLR2004 - the largest there is
        raise _refused("a port up to 65535", url)
    return Destination(found["scheme"], host, port, target)


def permit(destination: Destination, allowed: Iterable[Allowed]) -> Allowed:
    """Return what allows a destination (rules 1 and 3). Raises NotAllowed."""
    for one in allowed:
        same = one.host == destination.host
        below = one.below and destination.host.endswith(f".{one.host}")
        if (same or below) and (one.scheme, one.port) == (destination.scheme, destination.port):
            return one
    message = (
        f"{destination.origin}: expected a destination that a setting or a file of yours names, "
        "found another; add it there if it is yours"
    )
    raise NotAllowed(message)


def judge(addresses: Sequence[str], allowed: Allowed) -> tuple[Address, ...]:
    """Return the addresses of a host where each may be asked (rules 4 to 6). Raises NotAllowed."""
    found = tuple(_address(text, allowed.host) for text in addresses)
    if not found:
        raise NotAllowed(f"{allowed.host}: expected an address, found none")
    for one in found:
        for meant in (one, *carried(one)):
            _judge_one(meant, one, allowed)
    return found


def carried(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses that an address stands for or carries (rule 5)."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    bits = int(address)
    found = []
    if any(address in one for one in _MAPPED) and bits > 1:
        found.append(bits & 0xFFFFFFFF)
    if address in _LOCAL_NAT64:  # any of the places of RFC 6052
        found += [
            bits & 0xFFFFFFFF,
            (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF,
            bits >> 24 & 0xFFFFFFFF,
        ]
    if address in _SIX_TO_FOUR:
        found.append(bits >> 80 & 0xFFFFFFFF)
    if address in _TEREDO:
        found += [bits >> 64 & 0xFFFFFFFF, ~bits & 0xFFFFFFFF]
    if bits >> 32 & 0xFFFFFFFF in _ISATAP:
        found.append(bits & 0xFFFFFFFF)
    return tuple(ipaddress.IPv4Address(one) for one in found)


def _judge_one(meant: Address, given: Address, allowed: Allowed) -> None:
    if allowed.metadata and str(given) == allowed.host == METADATA:
        return
    if any(meant.version == net.version and meant in net for net in _NEVER):
        message = f"{allowed.host}: {given} is an address that is never asked"
        raise NotAllowed(message)
    if not allowed.private and any(
        meant.version == net.version and meant in net for net in _NOT_PUBLIC
    ):
        message = (
            f"{allowed.host}: expected a public address, found {given}; if it is meant, write "
            "`private: true` beside the address in its file, or name the host in private_hosts"
        )
        raise NotAllowed(message)


def _address(text: str, host: str) -> Address:
    try:
        found = ipaddress.ip_address(text)
    except ValueError as cause:
        raise NotAllowed(f"{host}: {text[:60]!a} is no address") from cause
    if isinstance(found, ipaddress.IPv6Address) and found.scope_id:
        raise NotAllowed(f"{host}: {text[:60]!a} is an address of one link")
    return found


def _v6(text: str, url: str) -> str:
    try:
        found = ipaddress.IPv6Address(text)
    except ValueError as cause:
        raise _refused("an IPv6 address in brackets", url) from cause
    if str(found) != text:
        raise _refused(f"the canonical form [{found}]", url)
    return text


def _name(text: str, url: str) -> str:
    labels = text.split(".")
    if len(text) > _LONGEST_NAME or not all(_LABEL.match(label) for label in labels):
        raise _refused("a host name of letters, digits and hyphens", url)
    if not _NUMERIC.match(labels[-1]):
        return text
    try:  # whatever ends in a number is an address, and has one form (WHATWG URL, host parsing)
        found = ipaddress.IPv4Address(text)
    except ValueError as cause:
        raise _refused("an IPv4 address as four decimal numbers", url) from cause
    return str(found)


def _refused(expected: str, url: str) -> NotAllowed:
    # Of a URL only what comes before its path is shown: webhooks keep their secret in the path.
    shown = "/".join(url.split("/")[:3])[:80].rpartition("@")[2]
    return NotAllowed(f"destination: expected {expected}, found {shown!a}")
