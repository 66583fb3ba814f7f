"""One GET of a status page over HTTP/1.0 on this host, without following anything."""

import base64
import urllib.parse

from sentienguard.adapters.databases import wire
from sentienguard.agent.collectors.software import asking

_REFUSALS = frozenset({b"401", b"403", b"404"})  # it answers; what we look for is not offered


def get(target: asking.Target, within_s: float) -> str:
    """Return the body of a 200 answer.

    Raises OSError, ValueError, wire.Refused where the page is forbidden or not there.
    """
    url = urllib.parse.urlsplit(target.address)
    lines = [f"GET {url.path or '/'} HTTP/1.0", f"Host: {url.netloc}", "Accept: text/plain"]
    if target.user:
        given = base64.b64encode(f"{target.user}:{target.password()}".encode()).decode()
        lines.append(f"Authorization: Basic {given}")
    with wire.Wire(f"{url.hostname}:{url.port or 80}", within_s) as connection:
        connection.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = connection.rest()
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not head.startswith(b"HTTP/") or status != [b"200"]:
        shown = ascii(b"".join(status).decode("ascii", "replace"))
        if status and status[0] in _REFUSALS:
            raise wire.Refused(f"{target.name}: expected a status page, found HTTP {shown}")
        raise ValueError(f"{target.name}: expected HTTP 200, found {shown}")
    return body.decode("utf-8", "replace")
