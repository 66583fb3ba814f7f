"""nginx: its page `stub_status`.

Gives nginx.connections_active, nginx.connections_reading, nginx.connections_writing,
nginx.connections_waiting, nginx.requests_total, and nginx.dropped_total (connections that were
accepted and not handled, because a limit was reached).
"""

import re

from sentienguard.adapters.databases import wire
from sentienguard.agent.collectors.software import asking, http

_PAGE = re.compile(
    r"Active connections: (\d+)\s+server accepts handled requests\s+(\d+) (\d+) (\d+)\s+"
    r"Reading: (\d+) Writing: (\d+) Waiting: (\d+)\s*"
)


def ask(target: asking.Target, within_s: float) -> asking.Values:
    """Read the page. Raises OSError, ValueError, wire.Refused where it is another page."""
    match = _PAGE.fullmatch(http.get(target, within_s))
    if match is None:
        raise wire.Refused(f"{target.name}: {target.address} is not a page of stub_status")
    active, accepted, handled, requests, reading, writing, waiting = map(int, match.groups())
    return {
        "nginx.connections_active": active,
        "nginx.connections_reading": reading,
        "nginx.connections_writing": writing,
        "nginx.connections_waiting": waiting,
        "nginx.requests_total": requests,
        "nginx.dropped_total": accepted - handled,
    }
